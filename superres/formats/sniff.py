"""What a file is, from its first bytes alone: an allow-list, so that nothing else ever reaches a decoder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from superres.errors import CorruptInputError, InputError, UnsupportedFormatError

__all__ = ["HEAD", "display_name", "identify", "open_source", "refuse_video"]

HEAD = 512
"""How many bytes :func:`identify` looks at."""

_READ = "PNG, JPEG, TIFF, WebP, AVIF, HEIC, GIF"
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
# Only to say what was found: (offset, bytes, description).
_REFUSED: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "an EPS drawing"),
    (0, b"push graphic-context", "an MVG drawing"),
    (0, b"BM", "a BMP picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance HDR picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (4, b"ftyp", "an MP4 or QuickTime file"),
    (128, b"DICM", "a DICOM file"),
    (344, b"n+1\0", "a NIfTI volume"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"PK\x03\x04", "a ZIP archive"),
)
# Videos of kinds that are not read: (offset, bytes, description).
_VIDEOS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"AVI ", "an AVI video"),
    (0, b"\0\0\1\xba", "a video in an MPEG program stream"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", "a video in ASF (WMV)"),
    (0, b"FLV\1", "an FLV video"),
)


def display_name(source: Path | bytes, name: str | None) -> str:
    """The name that messages use for a source."""
    if name is not None:
        return name
    return str(source) if isinstance(source, Path) else "<bytes>"


def open_source(source: Path | bytes, name: str) -> BinaryIO:
    """The source as a seekable binary file.

    Raises:
        InputError: there is no such file, it cannot be read, or it is a folder, pipe or device.
    """
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        # A pipe or device could block for ever or never end.
        if source.exists() and not source.is_file():
            raise InputError(f"{name}: is not a regular file; name a picture file")
        return source.open("rb")
    except FileNotFoundError as exc:
        raise InputError(f"{name}: no such file") from exc
    except (OSError, ValueError) as exc:
        raise InputError(f"{name}: cannot be read ({exc})") from exc


def identify(head: bytes, name: str) -> str:
    """Format name (a key of :data:`superres.formats.FORMATS`) of the file that starts with ``head``.

    Args:
        head: the first :data:`HEAD` bytes, or the whole file when it is shorter.
        name: for messages.

    Raises:
        UnsupportedFormatError: the signature is on no allow-list; the message names what was found.
        CorruptInputError: the file is empty.
    """
    if not head:
        raise CorruptInputError(f"{name}: is empty; get the file again")
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    brands = _brands(head)
    if brands & {b"avif", b"avis"}:
        return "avif"
    if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
        return "heic"
    refuse_video(head, name)
    raise UnsupportedFormatError(f"{name}: {_describe(head)}; superres reads {_READ} by content")


def refuse_video(head: bytes, name: str) -> None:
    """Say of a video of a kind that is not read how it becomes one that is.

    Raises:
        UnsupportedFormatError: the file that starts with ``head`` is such a video; ``name`` is what messages call it.
    """
    for offset, signature, description in _VIDEOS:
        if head[offset : offset + len(signature)] == signature:
            raise UnsupportedFormatError(
                f"{name}: is {description}, which is not read; convert it first: "
                "ffmpeg -i IN -c:v ffv1 -c:a copy OUT.mkv"
            )


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file; empty for anything else."""
    if head[4:8] != b"ftyp":
        return set()
    box = head[: int.from_bytes(head[:4], "big")]
    return {box[8:12]} | {box[at : at + 4] for at in range(16, len(box) - 3, 4)}


def _describe(head: bytes) -> str:
    for offset, signature, description in _REFUSED:
        if head[offset : offset + len(signature)] == signature:
            return f"contains {description}"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")):
        return "contains SVG or other XML" if b"<svg" not in text else "contains an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html")):
        return "contains a web page"
    return f"its content is no known picture (it starts with {head[:8].hex(' ')})"
