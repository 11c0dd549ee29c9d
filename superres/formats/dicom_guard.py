"""Around every call of pydicom and the decoders behind it: what they say must not carry a patient's data along.

Their exceptions, warnings and log records quote the values that they stumble over, and those may be a name, a number
or a date of birth.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

from superres.errors import CorruptInputError, MissingExtraError, SuperresError, UnsupportedFormatError

__all__ = ["guarded", "not_read"]

# Those that log.
_PACKAGES = ("pydicom", "pylibjpeg", "openjpeg", "jpeg_ls")
_LOG = logging.getLogger("superres.dicom")


@contextlib.contextmanager
def guarded(name: str, what: str) -> Iterator[None]:
    """Run pydicom: its errors become ours, its warnings become records of where they were raised.

    No text of pydicom's leaves this block, and no chained exception either.  A warning is told to the logger
    ``superres.dicom`` (level INFO) as the place in pydicom that raised it, which says which rule of the standard the
    file bends without the value that bends it.  Warning filters and loggers belong to the whole process: other threads
    should not be changing them meanwhile.

    Args:
        name: what messages call the file.
        what: the subject of messages, such as ``its header``.

    Raises:
        CorruptInputError: pydicom or a decoder failed.
        UnsupportedFormatError: it says that it has no way to read this.
        MissingExtraError: a package is absent.
    """
    theirs = [logging.getLogger(package) for package in _PACKAGES]
    propagated = [logger.propagate for logger in theirs]
    for logger in theirs:
        logger.propagate = False
    try:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            yield
        places = {(Path(warning.filename).name, warning.lineno) for warning in noted}
        for file, line in sorted(places):
            _LOG.info("%s: %s departs from the standard: see line %d of pydicom's %s", name, what, line, file)
    except SuperresError:
        raise
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "pydicom", "medical") from None
    except NotImplementedError:
        raise not_read(name, what) from None
    # Whatever it is: pydicom and the decoders raise exceptions of every type for damaged files.
    except Exception as error:
        raise CorruptInputError(
            f"{name}: {what} is damaged or contradicts itself ({type(error).__name__}); get the file again"
        ) from None
    finally:
        for logger, propagates in zip(theirs, propagated, strict=True):
            logger.propagate = propagates


def not_read(name: str, what: str) -> UnsupportedFormatError:
    """The error for what nothing here decodes; arguments as of :func:`guarded`."""
    return UnsupportedFormatError(
        f"{name}: {what} is of a kind that is not read; convert it to an uncompressed DICOM file first"
    )
