"""Last touches to a file that libvips has written: what it cannot leave unsaid or cannot say."""

from __future__ import annotations

import os
import struct
import zlib

from superres.formats import containers
from superres.formats.exif import resized, stating
from superres.formats.exif_write import put_exif
from superres.formats.table import FORMATS
from superres.formats.tiff import TiffFile
from superres.image import PictureInfo

__all__ = ["complete", "exif_of"]


def exif_of(info: PictureInfo, kind: str) -> bytes | None:
    """The EXIF block of a result, or None when there is nothing to state: the source's, with sizes and resolution set.

    JPEG, WebP and AVIF, as libvips writes them, have no other place for a resolution.

    Raises:
        CorruptInputError: the block cannot be parsed.  Those that readers give can.
    """
    meta = info.metadata
    if not FORMATS[kind].exif:
        return None
    block = None if meta.exif is None else resized(meta.exif, info.width, info.height, meta.dpi)
    return block if meta.dpi is None or kind in ("png", "tiff") else stating(block, meta.dpi)


def complete(descriptor: int, kind: str, info: PictureInfo, exif: bytes | None) -> None:
    """Correct a complete file in place, which libvips wrote from :func:`superres.formats.exif_write.room` on.

    libvips always states a resolution.  Where the source stated none, the result must not invent one: the field is
    turned into "pixels are square", which every reader takes for no resolution.  And EXIF is put in as it is.

    Args:
        descriptor: of the file.
        kind: format name.
        info: of the picture in it.
        exif: what :func:`exif_of` gave.
    """
    if exif is not None:
        put_exif(descriptor, kind, exif)
    if info.metadata.dpi is None:
        if kind == "png":
            _forget_png(descriptor)
        elif kind == "jpeg":
            _forget_jpeg(descriptor)
        elif kind == "tiff":
            _forget_tiff(descriptor)


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
