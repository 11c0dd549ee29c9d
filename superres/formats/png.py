"""PNG, written row by row: one filter for all rows, and Intel's deflate.

Beside libvips' Paeth filter and zlib this takes a sixth of the processor time, for files some 10 % larger.  On few
cores that time is inference's: see docs/performance.md.

The format: https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from superres.errors import OutputError
from superres.formats.apng import SIGNATURE, chunk
from superres.formats.exif import resized
from superres.image import PictureInfo

__all__ = ["filtered", "head", "write_png"]

Bytes = npt.NDArray[np.uint8]

# Of 0 to 3: 1 makes photographs 11 % smaller than 0, 2 and 3 less than 1 % smaller than 1.
_LEVEL = 1

# Of rows that are filtered and compressed at a time: what a processor's cache holds.
_BLOCK_BYTES = 2**20

_COLOUR_TYPES = {("grey", False): 0, ("rgb", False): 2, ("grey", True): 4, ("rgb", True): 6}
_METRE = 0.0254
_UP = 2


def head(info: PictureInfo) -> bytes:
    """Everything of a PNG that comes before its pixels: signature, header, profile, resolution, EXIF and XMP.

    Args:
        info: of the picture, of 8 or 16 bits.
    """
    meta = info.metadata
    kind = _COLOUR_TYPES[info.colour, info.alpha]
    size = struct.pack(">IIBBBBB", info.width, info.height, 8 * info.dtype.itemsize, kind, 0, 0, 0)
    parts = [SIGNATURE, chunk(b"IHDR", size)]
    if meta.icc is not None:
        parts.append(chunk(b"iCCP", b"icc\0\0" + zlib.compress(meta.icc)))
    if meta.dpi is not None:
        x, y = (round(value / _METRE) for value in meta.dpi)
        parts.append(chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    if meta.exif is not None:
        parts.append(chunk(b"eXIf", resized(meta.exif, info.width, info.height, meta.dpi)))
    if meta.xmp is not None:
        parts.append(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + meta.xmp))
    return b"".join(parts)


def filtered(rows: npt.NDArray[Any], above: Bytes) -> Bytes:
    """Rows as they are compressed: each byte less the one above it, behind a byte that says so.

    Args:
        rows: uint8 or uint16 (n, width, channels).
        above: uint8, the bytes of the row before as :func:`filtered` would see them: the last of a block before, big
            endian; zeros for the first row.

    Returns:
        uint8 (n, 1 + bytes per row).
    """
    values = _stored(rows)
    made = np.empty((values.shape[0], values.shape[1] + 1), np.uint8)
    made[:, 0] = _UP
    np.subtract(values[0], above, out=made[0, 1:])
    np.subtract(values[1:], values[:-1], out=made[1:, 1:])
    return made


def write_png(blocks: Iterator[npt.NDArray[Any]], info: PictureInfo, file: BinaryIO) -> None:
    """Write a picture, whose rows come block by block, in memory for one block.

    Args:
        blocks: rows (n, width, channels) of ``info.dtype``, uint8 or uint16.
        info: of the picture.
        file: open for writing.

    Raises:
        OutputError: the blocks end before the picture.
        OSError: the file cannot be written.
    """
    file.write(head(info))
    engine = isal_zlib.compressobj(level=_LEVEL)
    row_bytes = info.width * info.channels * info.dtype.itemsize
    step, done = max(1, _BLOCK_BYTES // row_bytes), 0
    above = np.zeros(row_bytes, np.uint8)
    for block in blocks:
        for start in range(0, len(block), step):
            rows = block[start : start + step]
            _put(file, engine.compress(filtered(rows, above).data))
            above = _stored(rows[-1:])[0]
            done += len(rows)
    if done != info.height:
        raise OutputError(f"got {done} of {info.height} rows")
    _put(file, engine.flush())
    file.write(chunk(b"IEND", b""))


def _stored(rows: npt.NDArray[Any]) -> Bytes:
    """Samples (n, width, channels) as the bytes of PNG (n, bytes per row): big endian."""
    ordered = np.ascontiguousarray(rows, rows.dtype.newbyteorder(">"))
    return ordered.view(np.uint8).reshape(len(rows), -1)


def _put(file: BinaryIO, data: bytes) -> None:
    """A chunk of compressed pixels, if there are any yet; without a copy of them."""
    if data:
        file.write(struct.pack(">I", len(data)) + b"IDAT")
        file.write(data)
        file.write(struct.pack(">I", isal_zlib.crc32(data, zlib.crc32(b"IDAT"))))
