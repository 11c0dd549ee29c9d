"""EXIF blocks: orientation made 1, the thumbnail dropped, sizes and resolution looked up or changed.

Blocks are edited in place: no field moves, so that maker notes, whose offsets only their maker knows, stay valid.
"""

from __future__ import annotations

import io
import re
import struct

from superres.errors import CorruptInputError
from superres.formats.tiff import Directory, Field, TiffFile

__all__ = ["directory_dpi", "exif_dpi", "resized", "stating", "strip_prefix", "upright", "upright_xmp"]

_PREFIX = b"Exif\0\0"
_ORIENTATION, _EXIF_POINTER = 0x0112, 0x8769
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
_RESOLUTIONS = (0x011A, 0x011B)
_RESOLUTION_UNIT = 0x0128
_THUMBNAIL_AT, _THUMBNAIL_SIZE = 0x0201, 0x0202


def strip_prefix(block: bytes) -> bytes:
    """The block without the ``Exif`` marker that JPEG puts before it: it then starts with ``II`` or ``MM``."""
    while block.startswith(_PREFIX):
        block = block[len(_PREFIX) :]
    return block


def upright(block: bytes) -> bytes | None:
    """The block with orientation 1 and without its thumbnail; None when it cannot be parsed.

    A damaged EXIF block is no reason to refuse a picture, but handing it on would spread the damage.
    """
    data = bytearray(strip_prefix(block))
    try:
        tiff = TiffFile(io.BytesIO(bytes(data)), "EXIF")
        if tiff.big:
            return None
        first = tiff.directory(tiff.first)
        _set_integer(tiff, data, first.fields.get(_ORIENTATION), 1)
        _directories(tiff, first)
        if first.next:
            _drop_thumbnail(tiff, data, first)
    except (CorruptInputError, struct.error):
        return None
    return bytes(data)


def resized(block: bytes, width: int, height: int, dpi: tuple[float, float] | None) -> bytes:
    """The block with its fields for picture size and resolution set; absent fields stay absent.

    Raises:
        CorruptInputError: the block cannot be parsed.  Blocks from :func:`upright` can.
    """
    data = bytearray(strip_prefix(block))
    tiff = TiffFile(io.BytesIO(bytes(data)), "EXIF")
    first = tiff.directory(tiff.first)
    for directory in _directories(tiff, first):
        for tags, size in ((_WIDTHS, width), (_HEIGHTS, height)):
            for tag in tags:
                _set_integer(tiff, data, directory.fields.get(tag), size)
    if dpi is not None:
        _set_integer(tiff, data, first.fields.get(_RESOLUTION_UNIT), 2)
        for tag, value in zip(_RESOLUTIONS, dpi, strict=True):
            field = first.fields.get(tag)
            if field is not None and field.type == 5 and field.offset + 8 <= len(data):
                data[field.offset : field.offset + 8] = _rational(tiff.order, value)
    return bytes(data)


def stating(block: bytes | None, dpi: tuple[float, float]) -> bytes:
    """A block that states a resolution: ``block``, if it does, else with a new first directory at its end.

    Everything else stays where it was.  Of None comes a block that states the resolution alone.

    Raises:
        CorruptInputError: the block cannot be parsed.
    """
    if block is not None and exif_dpi(block) is not None:
        return block
    data = bytearray(block or b"II*\0\x08\0\0\0" + bytes(6))
    tiff = TiffFile(io.BytesIO(bytes(data)), "EXIF")
    first = tiff.directory(tiff.first)
    data += bytes(len(data) % 2)
    stated = (*_RESOLUTIONS, _RESOLUTION_UNIT)
    old = (bytes(data[at : at + 12]) for at in range(tiff.first + 2, first.next_at, 12))
    kept = [entry for entry in old if struct.unpack_from(tiff.order + "H", entry)[0] not in stated]
    start = len(data)
    behind = start + 2 + 12 * (len(kept) + 3) + 4
    kept += [
        struct.pack(tiff.order + "HHII", _RESOLUTIONS[0], 5, 1, behind),
        struct.pack(tiff.order + "HHII", _RESOLUTIONS[1], 5, 1, behind + 8),
        struct.pack(tiff.order + "HHIHH", _RESOLUTION_UNIT, 3, 1, 2, 0),
    ]
    kept.sort(key=lambda entry: struct.unpack_from(tiff.order + "H", entry)[0])
    data += struct.pack(tiff.order + "H", len(kept)) + b"".join(kept) + struct.pack(tiff.order + "I", first.next)
    data += b"".join(_rational(tiff.order, value) for value in dpi)
    struct.pack_into(tiff.order + "I", data, tiff.first_at, start)
    return bytes(data)


def exif_dpi(block: bytes) -> tuple[float, float] | None:
    """Resolution in pixels per inch that an EXIF block states, or None when it states none."""
    try:
        tiff = TiffFile(io.BytesIO(strip_prefix(block)), "EXIF")
        return directory_dpi(tiff, tiff.directory(tiff.first))
    except (CorruptInputError, struct.error):
        return None


def directory_dpi(tiff: TiffFile, directory: Directory) -> tuple[float, float] | None:
    """Resolution in pixels per inch of one TIFF directory, or None when it states none."""
    x, y = (tiff.first_number(directory, tag, 0.0) for tag in _RESOLUTIONS)
    # Unit 1 says "an aspect ratio only"; an absent unit means inches.
    factor = {2: 1.0, 3: 2.54}.get(int(tiff.first_number(directory, _RESOLUTION_UNIT, 2)))
    if factor is None or not (0 < x < 1e6 and 0 < y < 1e6):
        return None
    return round(x * factor, 3), round(y * factor, 3)


def upright_xmp(packet: bytes) -> bytes:
    """The XMP packet with ``tiff:Orientation`` 1, in either of its two spellings."""
    return re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|>\s*))[2-8]", rb"\g<1>1", packet)


def _directories(tiff: TiffFile, first: Directory) -> list[Directory]:
    """The first directory and the one that it names for EXIF.  Raises CorruptInputError when that leaves the block."""
    pointer = int(tiff.first_number(first, _EXIF_POINTER, 0))
    return [first, tiff.directory(pointer)] if pointer else [first]


def _rational(order: str, value: float) -> bytes:
    """A positive number as EXIF stores it, to thousandths where they fit."""
    parts = 1000 if value < 2**32 / 1000 - 1 else 1
    return struct.pack(order + "II", round(value * parts), parts)


def _set_integer(tiff: TiffFile, data: bytearray, field: Field | None, value: int) -> None:
    if field is None or field.count != 1 or field.type not in (3, 4):
        return
    if field.type == 4:
        struct.pack_into(tiff.order + "I", data, field.offset, value)
    elif value <= 65_535:
        struct.pack_into(tiff.order + "H", data, field.offset, value)
    else:
        # The value has four bytes of room in the entry; only its type (six bytes before it) must say so.
        struct.pack_into(tiff.order + "HII", data, field.offset - 6, 4, 1, value)


def _drop_thumbnail(tiff: TiffFile, data: bytearray, first: Directory) -> None:
    """Unlink the second directory and remove (at the end) or blank (elsewhere) the picture that it describes."""
    thumbnail = tiff.directory(first.next)
    at = int(tiff.first_number(thumbnail, _THUMBNAIL_AT, 0))
    size = int(tiff.first_number(thumbnail, _THUMBNAIL_SIZE, 0))
    struct.pack_into(tiff.order + "I", data, first.next_at, 0)
    if 0 < at < at + size <= len(data):
        # Only a JPEG is blanked: a lying offset must not wipe another field.
        if data[at : at + 2] == b"\xff\xd8":
            data[at : at + size] = bytes(size)
        if at + size == len(data):
            del data[at:]
