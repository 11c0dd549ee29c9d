"""Last touches to a file that libvips has written: what it cannot leave unsaid or cannot say."""

from __future__ import annotations

import os
import struct
import zlib

from superres.formats import containers
from superres.formats.exif import resized
from superres.formats.exif_tiff import append_exif
from superres.formats.tiff import TiffFile
from superres.image import PictureInfo

__all__ = ["complete"]


def complete(descriptor: int, kind: str, info: PictureInfo) -> None:
    """Correct a complete file in place.

    libvips always states a resolution.  Where the source stated none, the result must not invent one: the field is
    turned into "pixels are square", which every reader takes for no resolution.  And it writes no EXIF into TIFF.
    """
    if info.metadata.dpi is None:
        if kind == "png":
            _forget_png(descriptor)
        elif kind == "jpeg":
            _forget_jpeg(descriptor)
        elif kind == "tiff":
            _forget_tiff(descriptor)
    if kind == "tiff" and info.metadata.exif is not None:
        append_exif(descriptor, resized(info.metadata.exif, info.width, info.height, info.metadata.dpi))


def _forget_png(descriptor: int) -> None:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        for kind, at, length in containers.png_chunks(file):
            if kind == b"IDAT":
                return
            if kind == b"pHYs" and length == 9:
                body = kind + struct.pack(">IIB", 1, 1, 0)
                os.pwrite(descriptor, body + struct.pack(">I", zlib.crc32(body)), at - 4)
                return


def _forget_jpeg(descriptor: int) -> None:
    if os.pread(descriptor, 5, 6) == b"JFIF\0":
        os.pwrite(descriptor, struct.pack(">BHH", 0, 1, 1), 13)


def _forget_tiff(descriptor: int) -> None:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        tiff = TiffFile(file, "result")
        field = tiff.directory(tiff.first).fields.get(296)
    if field is not None and field.type == 3:
        os.pwrite(descriptor, struct.pack(tiff.order + "H", 1), field.offset)
