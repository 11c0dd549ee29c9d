"""The structure of TIFF files and of EXIF blocks, which are small TIFF files: directories of tagged fields."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from superres.errors import CorruptInputError

__all__ = ["SIZES", "Directory", "Field", "TiffFile"]

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value of each field type."""

_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
# No real file has more; a hostile one could chain millions of directories without a cycle.
_MAX_DIRECTORIES = 65_536


@dataclass(frozen=True)
class Field:
    """One tagged value: ``count`` values of field type ``type``, whose bytes lie at ``offset`` of the file."""

    type: int
    count: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return SIZES.get(self.type, 1) * self.count


@dataclass(frozen=True)
class Directory:
    """An image file directory.

    Attributes:
        fields: by tag number.
        next: offset of the next directory, 0 after the last.
        next_at: where in the file that offset is stored.
    """

    fields: dict[int, Field]
    next: int
    next_at: int


class TiffFile:
    """Reads directories of classic and big TIFF, of either byte order.

    Args:
        file: seekable; it is not closed here.
        name: for messages.

    Raises:
        CorruptInputError: the header is no TIFF header.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        head = self._at(0, 16, exact=False)
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        if not self.order or len(head) < 8:
            raise CorruptInputError(f"{name}: has no TIFF header; get the file again")
        version = self._unpack("H", head[2:4])
        if version not in (42, 43):
            raise CorruptInputError(f"{name}: has TIFF version {version}, expected 42 or 43")
        self.big = version == 43
        if self.big and len(head) < 16:
            raise CorruptInputError(f"{name}: ends within its header; get the file again")
        self.first_at = 8 if self.big else 4
        self.first = self._unpack("Q", head[8:16]) if self.big else self._unpack("I", head[4:8])

    def directories(self) -> list[Directory]:
        """The chain of directories.

        Raises:
            CorruptInputError: the chain runs in a circle, leaves the file, or is absurdly long.
        """
        found: list[Directory] = []
        seen: set[int] = set()
        offset = self.first
        while offset:
            if offset in seen:
                raise CorruptInputError(f"{self._name}: its directories form a circle (offset {offset} comes twice)")
            if len(found) == _MAX_DIRECTORIES:
                raise CorruptInputError(f"{self._name}: has more than {_MAX_DIRECTORIES} directories")
            seen.add(offset)
            found.append(self.directory(offset))
            offset = found[-1].next
        if not found:
            raise CorruptInputError(f"{self._name}: contains no picture")
        return found

    def directory(self, offset: int) -> Directory:
        """The directory at ``offset``.  Raises CorruptInputError when it leaves the file."""
        head, entry, pointer = (8, 20, "Q") if self.big else (2, 12, "I")
        count = int(self._unpack("Q" if self.big else "H", self._at(offset, head)))
        if count > 65_535:
            raise CorruptInputError(f"{self._name}: a directory declares {count} fields")
        width = struct.calcsize(pointer)
        body = self._at(offset + head, count * entry)
        fields: dict[int, Field] = {}
        for index in range(count):
            tag, kind = struct.unpack_from(self.order + "HH", body, index * entry)
            (number,) = struct.unpack_from(self.order + pointer, body, index * entry + 4)
            (value,) = struct.unpack_from(self.order + pointer, body, index * entry + 4 + width)
            inline = SIZES.get(kind, 1) * number <= width
            fields[tag] = Field(kind, number, offset + head + index * entry + 4 + width if inline else value)
        next_at = offset + head + count * entry
        # EXIF blocks may end right after the last field.
        tail = self._at(next_at, width, exact=False)
        return Directory(fields, int(self._unpack(pointer, tail)) if len(tail) == width else 0, next_at)

    def raw(self, field: Field) -> bytes:
        """The bytes of a field, in the byte order of the file.  Raises CorruptInputError when they leave the file."""
        return self._at(field.offset, field.size)

    def numbers(self, directory: Directory, tag: int) -> tuple[float, ...]:
        """Values of a numeric field, rationals as quotients; empty when the tag is absent or not numeric.

        Raises:
            CorruptInputError: the values lie outside the file.
        """
        field = directory.fields.get(tag)
        if field is None:
            return ()
        if field.type in (5, 10):
            pairs = struct.unpack(f"{self.order}{2 * field.count}{'I' if field.type == 5 else 'i'}", self.raw(field))
            return tuple(n / d if d else 0.0 for n, d in zip(pairs[::2], pairs[1::2], strict=True))
        if field.type not in _CODES:
            return ()
        return struct.unpack(f"{self.order}{field.count}{_CODES[field.type]}", self.raw(field))

    def first_number(self, directory: Directory, tag: int, default: float) -> float:
        """First value of a numeric field, or ``default``."""
        values = self.numbers(directory, tag)
        return values[0] if values else default

    def _unpack(self, code: str, data: bytes) -> int:
        return int(struct.unpack(self.order + code, data)[0])

    def _at(self, offset: int, size: int, *, exact: bool = True) -> bytes:
        # Offsets of a big TIFF may exceed what a file position can be; sizes may exceed memory.
        if offset < 2**63 and size < 2**31:
            self._file.seek(offset)
            data = self._file.read(size)
            if len(data) == size or not exact:
                return data
        raise CorruptInputError(f"{self._name}: points outside itself (offset {offset}); get the file again")
