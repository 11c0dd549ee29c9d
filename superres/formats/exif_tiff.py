"""EXIF in TIFF files, where it is no block of bytes but fields of the file's own directory.  libvips passes it over."""

from __future__ import annotations

import io
import os
import struct

from superres.errors import CorruptInputError
from superres.formats.exif import strip_prefix
from superres.formats.tiff import Directory, TiffFile

__all__ = ["append_exif", "extract_exif"]

# (field type, count, bytes in little-endian order)
_Entry = tuple[int, int, bytes]

_EXIF, _GPS, _INTEROP = 0x8769, 0x8825, 0xA005
# Description, maker, model, software, date, artist, host, copyright: EXIF, not the make-up of the file.
_TEXTS = (270, 271, 272, 305, 306, 315, 316, 33432)
_RESOLUTION = (274, 282, 283, 296)
# Size of the numbers within a value, for byte order; a rational is two numbers of four bytes.
_NUMBER = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def extract_exif(tiff: TiffFile, directory: Directory) -> bytes | None:
    """An EXIF block with what a TIFF directory says about the picture, or None when it says nothing.

    Damaged fields are left out: they are no reason to refuse the picture.
    """
    main = _entries(tiff, directory, (*_TEXTS, *_RESOLUTION))
    subs = {tag: _sub_entries(tiff, directory, tag) for tag in (_EXIF, _GPS)}
    if not any(subs.values()) and not any(tag in main for tag in _TEXTS):
        return None
    return _block(main, {tag: entries for tag, entries in subs.items() if entries})


def append_exif(descriptor: int, block: bytes) -> None:
    """Add an EXIF block to a finished TIFF: directories at its end, and a new first directory that names them.

    Fields that the file has already keep their values.

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
    for tag in (_EXIF, _GPS):
        entries = _sub_entries(source, first, tag)
        if entries:
            added[tag] = _packed(tag, (13 if target.big else 4, 1, struct.pack("<I", at)), target.big)[0]
            data = _directory(entries, at, target.big)
            tail += data
            at += len(data)
    for tag, entry in _entries(source, first, _TEXTS).items():
        packed, outside = _packed(tag, entry, target.big, at)
        added[tag] = packed
        tail += outside
        at += len(outside)
    merged = {**added, **existing}
    head, pointer = ("<Q", "<Q") if target.big else ("<H", "<I")
    listing = struct.pack(head, len(merged)) + b"".join(merged[tag] for tag in sorted(merged))
    tail += listing + struct.pack(pointer, 0)
    os.pwrite(descriptor, bytes(tail), end)
    os.pwrite(descriptor, struct.pack(pointer, at), target.first_at)


def _entries(tiff: TiffFile, directory: Directory, tags: tuple[int, ...]) -> dict[int, _Entry]:
    found: dict[int, _Entry] = {}
    for tag in tags:
        field = directory.fields.get(tag)
        if field is None or field.size > 2**20:
            continue
        try:
            data = tiff.raw(field)
        except CorruptInputError:
            continue
        found[tag] = (field.type, field.count, _little(data, field.type, tiff.order))
    return found


def _sub_entries(tiff: TiffFile, directory: Directory, tag: int) -> dict[int, _Entry]:
    """All fields of a directory that another one points to; empty when there is none or it is damaged."""
    try:
        offset = int(tiff.first_number(directory, tag, 0))
        if not offset:
            return {}
        sub = tiff.directory(offset)
    except CorruptInputError:
        return {}
    # Interoperability is one more directory, which says nothing about the picture.
    return _entries(tiff, sub, tuple(found for found in sub.fields if found != _INTEROP))


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


def _block(main: dict[int, _Entry], subs: dict[int, dict[int, _Entry]]) -> bytes:
    """A complete EXIF block."""
    # Pointers have a fixed size, so a first pass with zeros tells where the sub-directories will lie.
    pointers = dict.fromkeys(subs, 0)
    for _ in range(2):
        whole = dict(main)
        for tag, offset in pointers.items():
            whole[tag] = (4, 1, struct.pack("<I", offset))
        data = bytearray(b"II*\0" + struct.pack("<I", 8) + _directory(whole, 8, False))
        for tag, entries in subs.items():
            pointers[tag] = len(data)
            data += _directory(entries, len(data), False)
    return bytes(data)
