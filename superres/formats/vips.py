"""libvips, imported when first used, with its errors translated into ours."""

from __future__ import annotations

import errno
import logging
import os
from typing import Any

from superres.errors import CorruptInputError, InputError, OutputError, UnsupportedFormatError

__all__ = ["blob", "full_range", "input_error", "output_error", "reason_line", "set_blob", "vips"]


def vips() -> Any:
    """The ``pyvips`` module.  It takes a tenth of a second to load, so nobody imports it at the top."""
    import pyvips

    # libvips' warnings about odd files would otherwise reach the terminal; what matters comes as an exception.
    logger = logging.getLogger("pyvips")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return pyvips


def reason_line(exc: Exception) -> str:
    """The telling line of a libvips error: the last one, because earlier ones may stem from calls that went well."""
    text = str(getattr(exc, "detail", "") or exc)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else type(exc).__name__


def input_error(name: str, exc: Exception) -> InputError:
    """The error to raise when reading ``name`` failed inside libvips or libheif."""
    reason = reason_line(exc)
    if os.strerror(errno.ENOSPC) in str(exc) + reason:
        return InputError(f"{name}: no room for its temporary file ({reason}); free some space or set TMPDIR")
    if any(word in reason.lower() for word in ("unsupported", "not supported", "unimplemented", "not been built in")):
        return UnsupportedFormatError(
            f"{name}: needs a decoder that is not built in here ({reason}); convert it to PNG or JPEG first"
        )
    return CorruptInputError(f"{name}: is damaged or cut short ({reason}); get the file again")


def output_error(name: str, exc: Exception) -> OutputError:
    """The error to raise when writing ``name`` failed in libvips or the operating system."""
    text = str(getattr(exc, "detail", "") or "") + str(exc)
    full = isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or any(os.strerror(code) in text for code in (errno.ENOSPC, errno.EDQUOT)):
        return OutputError(f"{name}: the disk is full; nothing was kept. Free some space or choose another folder")
    return OutputError(f"{name}: cannot be written ({reason_line(exc)})")


def full_range(picture: Any, bits: int) -> Any:
    """Samples of ``bits`` bits, which the loaders of AVIF and HEIC shift to the top of 16, spread over 0 to 65535.

    Without it white would be 65472 (of 10 bits) or 65520 (of 12).
    """
    return picture | (picture >> bits) if picture.format == "ushort" and 8 <= bits < 16 else picture


def blob(image: Any, field: str) -> bytes | None:
    """A binary metadata field of a libvips image, or None when it has none."""
    if image.get_typeof(field) == 0:
        return None
    data = image.get(field)
    return bytes(data) if isinstance(data, bytes | bytearray | memoryview) and len(data) else None


def set_blob(image: Any, field: str, data: bytes | None) -> None:
    """Set a binary metadata field of a mutable libvips image; None leaves it absent."""
    if data is not None:
        image.set_type(vips().GValue.blob_type, field, data)
