"""EXIF put into the file that libvips writes, byte for byte.

libvips itself would write it anew: fields that its library does not know are lost, so is everything beyond 64 KB, and
it states a resolution and sizes that the source did not state.

In PNG and JPEG EXIF belongs before the pixels, so libvips is made to start further behind: see :func:`room`.  In WebP
and AVIF it may lie at the end, but the rest of the file must announce it, so libvips writes a :func:`placeholder`,
which is exchanged.  TIFF has its fields in directories of its own: see :mod:`superres.formats.exif_tiff`.
"""

from __future__ import annotations

import os
import struct

from superres.errors import OutputError
from superres.formats.apng import chunk
from superres.formats.boxes import boxes, items, meta_box, number
from superres.formats.containers import webp_chunks
from superres.formats.exif_tiff import append_exif
from superres.formats.placement import write_at

__all__ = ["placeholder", "put_exif", "room"]


def room(kind: str, block: bytes) -> int:
    """Where in its file libvips must start, so that :func:`put_exif` finds room for a block."""
    return len(_segment(kind, block)) if kind in ("png", "jpeg") else 0


def placeholder(kind: str) -> bytes | None:
    """What libvips writes in place of EXIF: a block without a field, or None where there is :func:`room` for it."""
    return b"Exif\0\0II*\0\x08\0\0\0" + bytes(6) if kind in ("webp", "avif") else None


def put_exif(descriptor: int, kind: str, block: bytes) -> None:
    """Put an EXIF block into a complete file.

    Args:
        descriptor: of the file, open for reading and writing.
        kind: png, jpeg, tiff, webp or avif.  A PNG or JPEG starts at :func:`room`; afterwards it starts at 0.
        block: without marker; of a JPEG at most 65,527 bytes.

    Raises:
        OutputError: a WebP or AVIF holds no EXIF that could be exchanged.
    """
    if kind == "tiff":
        append_exif(descriptor, block)
    elif kind == "webp":
        _put_webp(descriptor, block)
    elif kind == "avif":
        _put_avif(descriptor, block)
    else:
        segment = _segment(kind, block)
        start = os.pread(descriptor, 33, len(segment))
        write_at(descriptor, start[: _head(kind, start)] + segment, 0)


def _segment(kind: str, block: bytes) -> bytes:
    if kind == "png":
        return chunk(b"eXIf", block)
    return b"\xff\xe1" + struct.pack(">H", 8 + len(block)) + b"Exif\0\0" + block


def _head(kind: str, start: bytes) -> int:
    """How many bytes come before EXIF: signature and header of PNG; start mark and JFIF segment, if any, of JPEG."""
    return 33 if kind == "png" else 20 if start[6:11] == b"JFIF\0" else 2


def _put_webp(descriptor: int, block: bytes) -> None:
    """Exchange the chunk, and write what follows it (XMP) again."""
    end = os.fstat(descriptor).st_size
    place = next(((at, behind) for kind, at, behind in webp_chunks(descriptor) if kind == b"EXIF"), None)
    if place is None:
        raise OutputError("libvips made no room for EXIF in the WebP; report this with the version of libvips")
    at, rest = place
    data = b"EXIF" + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
    data += os.pread(descriptor, end - rest, rest)
    write_at(descriptor, data, at)
    os.ftruncate(descriptor, at + len(data))
    write_at(descriptor, struct.pack("<I", at + len(data) - 8), 4)


def _put_avif(descriptor: int, block: bytes) -> None:
    """Put the block behind everything else, in a box of its own, and let the item of the placeholder point there."""
    # The boxes ftyp and meta come first, then the pixels.
    first = number(os.pread(descriptor, 4, 0), 0, 4)
    head = os.pread(descriptor, first + number(os.pread(descriptor, 4, first), 0, 4), 0)
    places = {kind: (start, stop) for kind, start, stop in boxes(head, *meta_box(head))}
    named = {coding: item for item, coding, *_ in items(head, *places[b"iinf"])}
    if b"Exif" not in named:
        raise OutputError("libvips made no room for EXIF in the AVIF; report this with the version of libvips")
    at, sizes, base = _extent(head, places[b"iloc"][0], named[b"Exif"])
    end = os.fstat(descriptor).st_size
    # Four zero bytes: the block starts right after them.
    write_at(descriptor, struct.pack(">I4sI", 12 + len(block), b"mdat", 0) + block, end)
    place = (end + 8 - base).to_bytes(sizes[0], "big") + (4 + len(block)).to_bytes(sizes[1], "big")
    write_at(descriptor, place, at)


def _extent(head: bytes, start: int, wanted: int) -> tuple[int, tuple[int, int], int]:
    """Of an item of the ``iloc`` box at ``start``: where offset and length of its first piece are stated, their sizes
    in bytes, and what the offset counts from."""
    version, sizes = head[start], (head[start + 4] >> 4, head[start + 4] & 15)
    base_size, index_size = head[start + 5] >> 4, head[start + 5] & 15 if version else 0
    id_size = 4 if version == 2 else 2
    at, item = start + 6 + id_size, 0
    for _ in range(number(head, start + 6, id_size)):
        item = number(head, at, id_size)
        # Before the base come the way of construction (not in version 0) and the number of a file.
        base_at = at + id_size + (4 if version else 2)
        pieces_at = base_at + base_size
        if item == wanted:
            return pieces_at + 2 + index_size, sizes, number(head, base_at, base_size)
        at = pieces_at + 2 + number(head, pieces_at, 2) * (index_size + sum(sizes))
    raise OutputError(f"libvips wrote no place of item {wanted} into the AVIF; report this with its version")
