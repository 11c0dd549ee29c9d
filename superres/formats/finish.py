"""Last touches to a file that libvips has written: what it cannot leave unsaid or cannot say."""

from __future__ import annotations

import os
import struct
import zlib

from superres.errors import OutputError
from superres.formats import containers
from superres.formats.exif import resized, stating
from superres.formats.exif_write import put_exif
from superres.formats.placement import write_at
from superres.formats.table import FORMATS
from superres.formats.tiff import TiffFile
from superres.image import PictureInfo

__all__ = ["complete", "exif_of"]

# libvips makes frames of a WebP that are shorter than the first of these milliseconds stay as long as the second.
_LONG, _LENGTHENED = 11, 100


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


def complete(
    descriptor: int, kind: str, info: PictureInfo, exif: bytes | None, durations: tuple[int, ...] = ()
) -> None:
    """Correct a complete file in place, which libvips wrote from :func:`superres.formats.exif_write.room` on.

    libvips always states a resolution.  Where the source stated none, the result must not invent one: the field is
    turned into "pixels are square", which every reader takes for no resolution.  EXIF is put in as it is, and the
    frames of a WebP stay as long as they should.

    Args:
        descriptor: of the file.
        kind: format name.
        info: of the picture in it.
        exif: what :func:`exif_of` gave.
        durations: of an animation, milliseconds per frame.

    Raises:
        OutputError: the file is not what libvips is known to write.
    """
    if kind == "webp" and min(durations, default=_LONG) < _LONG:
        _state_durations(descriptor, durations)
    if exif is not None:
        put_exif(descriptor, kind, exif)
    if info.metadata.dpi is None:
        if kind == "png":
            _forget_png(descriptor)
        elif kind == "jpeg":
            _forget_jpeg(descriptor)
        elif kind == "tiff":
            _forget_tiff(descriptor)


def _state_durations(descriptor: int, durations: tuple[int, ...]) -> None:
    """State the durations of an animated WebP, in which libvips has lengthened the shortest.

    The encoder joins equal neighbours into one frame that stays as long as both, so frames are told apart by sums.
    """
    left, frames = list(durations), [at + 20 for kind, at, _ in containers.webp_chunks(descriptor) if kind == b"ANMF"]
    places = [(at, int.from_bytes(os.pread(descriptor, 3, at), "little")) for at in frames]
    if sum(stated for _, stated in places) == sum(durations):
        return  # a libvips that lengthens nothing
    for place, stated in places:
        real = 0
        while stated > 0 and left:
            stated -= left[0] if left[0] >= _LONG else _LENGTHENED
            real += left.pop(0)
        if stated:
            raise OutputError("libvips stated unknown durations in the WebP; report this with the version of libvips")
        write_at(descriptor, real.to_bytes(3, "little"), place)


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
