"""Boxes of HEIF files (HEIC and AVIF): ISO/IEC 14496-12, as far as finding items takes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["boxes", "items", "meta_box", "number"]


def meta_box(data: bytes) -> tuple[int, int]:
    """Where the boxes of the file's ``meta`` box start and stop."""
    return next(((start + 4, stop) for kind, start, stop in boxes(data, 0, len(data)) if kind == b"meta"), (0, 0))


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and stop of the content of each ISO base media box between ``at`` and ``end``."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            size, start = struct.unpack_from(">Q", data, start)[0], start + 8
        stop = end if size == 0 else at + size
        if not start <= stop <= end:
            return
        yield kind, start, stop
        at = stop


def items(data: bytes, start: int, stop: int) -> Iterator[tuple[int, bytes, int, bytes]]:
    """Of each entry of an ``iinf`` box: item, coding, where the byte is whose lowest bit hides it, and its names."""
    for kind, at, end in boxes(data, start + (6 if data[start] == 0 else 8), stop):
        if kind == b"infe":
            size = 4 if data[at] > 2 else 2
            coding = at + 4 + size + 2
            yield number(data, at + 4, size), data[coding : coding + 4], at + 3, data[coding + 4 : end]


def number(data: bytes, at: int, size: int) -> int:
    """The big-endian number of ``size`` bytes at ``at``."""
    return int.from_bytes(data[at : at + size], "big")
