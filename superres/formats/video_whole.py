"""Whether a video file is as long as it says: a download that broke off still plays, up to a point."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["missing_bytes"]

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def missing_bytes(source: Path) -> int:
    """How many bytes a file lacks of those that its outermost boxes or elements declare; 0 when none, or unknown.

    MP4 and QuickTime: ISO/IEC 14496-12, 4.2.  Matroska and WebM: RFC 8794.  A transport stream declares no length.
    """
    try:
        with source.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            head = file.read(8)
            file.seek(0)
            end = _matroska_end(file, size) if head.startswith(_EBML) else _boxes_end(file, size, head)
    except OSError:
        return 0
    return max(0, end - size)


def _boxes_end(file: BinaryIO, size: int, head: bytes) -> int:
    """Where the last box ends, going from box to box."""
    if head[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide"):
        return size
    at = 0
    while at + 8 <= size:
        file.seek(at)
        box = file.read(16)
        length = int.from_bytes(box[:4], "big")
        if length == 1:
            length = int.from_bytes(box[8:16], "big")
        if length == 0:
            return size  # to the end of the file, whatever that is
        if length < 8:
            return size  # no box: trailing bytes of some other kind
        at += length
    return at if at > size else size


def _matroska_end(file: BinaryIO, size: int) -> int:
    """Where the segment ends, which holds everything."""
    at = 0
    while at < size:
        file.seek(at)
        start = file.read(16)
        mark = _vint_length(start[:1])
        length, taken = _vint(start[mark:])
        if length is None:
            return size
        if start.startswith(_SEGMENT):
            return at + mark + taken + length
        at += mark + taken + length
    return size


def _vint_length(first: bytes) -> int:
    return 9 - first[0].bit_length() if first and first[0] else 8


def _vint(data: bytes) -> tuple[int | None, int]:
    """(value, bytes taken) of an EBML number; None for "unknown", as live recordings have."""
    taken = _vint_length(data[:1])
    value = int.from_bytes(data[:taken], "big") & ((1 << 7 * taken) - 1)
    return (None if value == (1 << 7 * taken) - 1 else value), taken
