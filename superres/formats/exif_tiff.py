"""EXIF in TIFF files, where it is no block of bytes but fields of the file's own directory.  libvips passes it over."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass

from superres.errors import CorruptInputError
from superres.formats.containers import METADATA_LIMIT
from superres.formats.exif import strip_prefix
from superres.formats.placement import write_at
from superres.formats.tiff import Directory, TiffFile

__all__ = ["append_exif", "extract_exif"]

# (field type, count, bytes in little-endian order)
_Entry = tuple[int, int, bytes]

_EXIF, _GPS, _INTEROP = 0x8769, 0x8825, 0xA005
# Of a block these do not go over: the file has pointers and a profile of its own.
_OWN = (_EXIF, _GPS, _INTEROP, 34675)
# Software, names of document and page, description, maker, model, date, artist, host, copyright; ratings, the titles,
# comments, keywords of Windows, print matching: EXIF, not the make-up of the file.
_TEXTS = (11, 269, 270, 271, 272, 285, 305, 306, 315, 316, 33432)
_TOLD = (*_TEXTS, 18246, 18249, *range(40091, 40096), 50341)
# The last field that a TIFF's make-up may take, beside private ones.
_LAST_OF_TIFF = 532
_RESOLUTION = (274, 282, 283, 296)
# Size of the numbers within a value, for byte order; a rational is two numbers of four bytes.
_NUMBER = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True)
class _Tree:
    """Fields of a directory, and the directories that further fields point to."""

    entries: dict[int, _Entry]
    below: dict[int, _Tree]


def extract_exif(tiff: TiffFile, directory: Directory) -> bytes | None:
    """An EXIF block with what a TIFF directory says about the picture, or None when it says nothing.

    Damaged fields are left out: they are no reason to refuse the picture.
    """
    main = _entries(tiff, directory, (*_TOLD, *_RESOLUTION))
    below = _below(tiff, directory, (_EXIF, _GPS))
    if not below and not any(tag in main for tag in _TOLD):
        return None
    return b"II*\0" + struct.pack("<I", 8) + _laid(_Tree(main, below), 8, False)


def append_exif(descriptor: int, block: bytes) -> None:
    """Add an EXIF block to a finished TIFF: directories at its end, and a new first directory that names them.

    Fields that the file has already keep their values; those by which a block tells how samples lie are left out.

    Raises:
        CorruptInputError: the block cannot be parsed.
    """
    source = TiffFile(io.BytesIO(strip_prefix(block)), "EXIF")
    first = source.directory(source.first)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        target = TiffFile(file, "result")
        existing = _raw_entries(target, target.directory(target.first))
        end = file.seek(0, os.SEEK_END)
    if target.order != "<":
        raise CorruptInputError("result: expected little-endian TIFF from libvips")
    at = end + end % 2
    tail = bytearray(end % 2)
    added: dict[int, bytes] = {}
    for tag, tree in _below(source, first, (_EXIF, _GPS)).items():
        added[tag] = _packed(tag, _pointer(at, target.big), target.big)[0]
        data = _laid(tree, at, target.big)
        tail += data
        at += len(data)
    told = tuple(tag for tag in first.fields if tag in _TEXTS or (tag > _LAST_OF_TIFF and tag not in _OWN))
    for tag, entry in _entries(source, first, told).items():
        packed, outside = _packed(tag, entry, target.big, at)
        added[tag] = packed
        tail += outside
        at += len(outside)
    merged = {**added, **existing}
    head, pointer = ("<Q", "<Q") if target.big else ("<H", "<I")
    listing = struct.pack(head, len(merged)) + b"".join(merged[tag] for tag in sorted(merged))
    tail += listing + struct.pack(pointer, 0)
    write_at(descriptor, bytes(tail), end)
    write_at(descriptor, struct.pack(pointer, at), target.first_at)


def _entries(tiff: TiffFile, directory: Directory, tags: tuple[int, ...]) -> dict[int, _Entry]:
    found: dict[int, _Entry] = {}
    # In all: fields may share their bytes, so that a small file could claim any amount.
    room = METADATA_LIMIT
    for tag in tags:
        field = directory.fields.get(tag)
        if field is None or field.size > room:
            continue
        try:
            data = tiff.raw(field)
        except CorruptInputError:
            continue
        room -= len(data)
        found[tag] = (field.type, field.count, _little(data, field.type, tiff.order))
    return found


def _below(tiff: TiffFile, directory: Directory, tags: tuple[int, ...]) -> dict[int, _Tree]:
    """The directories that fields of another one point to; without those that are damaged or empty."""
    found: dict[int, _Tree] = {}
    for tag in tags:
        try:
            offset = int(tiff.first_number(directory, tag, 0))
            sub = tiff.directory(offset) if offset else None
        except CorruptInputError:
            continue
        if sub is not None and sub.fields:
            entries = _entries(tiff, sub, tuple(known for known in sub.fields if known != _INTEROP))
            found[tag] = _Tree(entries, _below(tiff, sub, (_INTEROP,)) if tag == _EXIF else {})
    return found


def _raw_entries(tiff: TiffFile, directory: Directory) -> dict[int, bytes]:
    """The fields of a directory as they are stored; their values stay where they are."""
    found: dict[int, bytes] = {}
    room = 8 if tiff.big else 4
    for tag, field in directory.fields.items():
        value = tiff.raw(field).ljust(room, b"\0") if field.size <= room else b""
        value = value or struct.pack("<Q" if tiff.big else "<I", field.offset)
        found[tag] = struct.pack("<HHQ" if tiff.big else "<HHI", tag, field.type, field.count) + value
    return found


def _little(data: bytes, kind: int, order: str) -> bytes:
    size = _NUMBER.get(kind, 1)
    if order == "<" or size == 1:
        return data
    return b"".join(data[at : at + size][::-1] for at in range(0, len(data), size))


def _packed(tag: int, entry: _Entry, big: bool, at: int = 0) -> tuple[bytes, bytes]:
    """A directory entry, and the bytes that must lie at ``at`` because they do not fit into it."""
    kind, count, data = entry
    head = struct.pack("<HHQ" if big else "<HHI", tag, kind, count)
    room = 8 if big else 4
    if len(data) <= room:
        return head + data.ljust(room, b"\0"), b""
    return head + struct.pack("<Q" if big else "<I", at), data + bytes(len(data) % 2)


def _directory(entries: dict[int, _Entry], at: int, big: bool) -> bytes:
    """A directory that will lie at offset ``at``, followed by its values."""
    size = 8 + 20 * len(entries) + 8 if big else 2 + 12 * len(entries) + 4
    body, values = bytearray(), bytearray()
    for tag in sorted(entries):
        packed, outside = _packed(tag, entries[tag], big, at + size + len(values))
        body += packed
        values += outside
    return struct.pack("<Q" if big else "<H", len(entries)) + bytes(body) + bytes(8 if big else 4) + bytes(values)


def _laid(tree: _Tree, at: int, big: bool) -> bytes:
    """A directory that will lie at offset ``at``, with everything below it."""
    # Pointers have a fixed size, so a first pass with any offset tells where the directories will lie.
    offsets = dict.fromkeys(tree.below, at)
    for _ in range(2):
        pointers = {tag: _pointer(offset, big) for tag, offset in offsets.items()}
        data = bytearray(_directory({**tree.entries, **pointers}, at, big))
        for tag, sub in tree.below.items():
            offsets[tag] = at + len(data)
            data += _laid(sub, at + len(data), big)
    return bytes(data)


def _pointer(offset: int, big: bool) -> _Entry:
    """The field that points to a directory.  Not of the type made for that, which few readers know in BigTIFF."""
    return (16, 1, struct.pack("<Q", offset)) if big else (4, 1, struct.pack("<I", offset))
