"""Rows that are still being made, shown to libvips as an uncompressed TIFF file that it reads from top to bottom.

libvips has no call for "here are the next rows".  It does read from callbacks, and an uncompressed TIFF holds every
depth and channel count as plain rows behind a short header, so such a file, of which only the part not yet read
exists, lets every encoder run beside inference in bounded memory.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator

from superres.errors import OutputError
from superres.image import PictureInfo

__all__ = ["RowSource", "tiff_header"]

_STRIP_BYTES = 2**18
_QUEUE_BYTES = 96 * 2**20
"""How many bytes of rows may wait for the encoder: enough to bridge a band of tiles of a very wide picture."""


def tiff_header(info: PictureInfo) -> bytes:
    """Everything of an uncompressed BigTIFF that comes before its rows.

    Args:
        info: the rows that will follow: strip after strip, native byte order, ``info.channels`` interleaved.
    """
    depth = info.dtype.itemsize
    row = info.width * info.channels * depth
    rows_per_strip = max(1, min(info.height, _STRIP_BYTES // row))
    strips = -(-info.height // rows_per_strip)
    kind = 3 if info.dtype.kind == "f" else 1
    order = "<" if sys.byteorder == "little" else ">"
    # Two arrays of 8 bytes per strip follow the directory, then the rows.
    count = 11 + int(info.alpha)
    offsets_at = 16 + 8 + 20 * count + 8
    sizes_at = offsets_at + 8 * strips
    rows_at = sizes_at + 8 * strips

    def field(tag: int, code: str, values: list[int], at: int = 0) -> bytes:
        """One directory entry; short values lie inside it, long ones at ``at``."""
        number = {"H": 3, "I": 4, "Q": 16}[code]
        inline = struct.pack(order + code * len(values), *values) if not at else struct.pack(order + "Q", at)
        return struct.pack(order + "HHQ", tag, number, strips if at else len(values)) + inline.ljust(8, b"\0")

    offsets = [rows_at + strip * rows_per_strip * row for strip in range(strips)]
    sizes = [min(rows_per_strip, info.height - strip * rows_per_strip) * row for strip in range(strips)]
    single = strips == 1
    entries = [
        field(256, "I", [info.width]),
        field(257, "I", [info.height]),
        field(258, "H", [8 * depth] * info.channels),
        field(259, "H", [1]),
        field(262, "H", [1 if info.colour == "grey" else 2]),
        field(273, "Q", offsets, 0 if single else offsets_at),
        field(277, "H", [info.channels]),
        field(278, "I", [rows_per_strip]),
        field(279, "Q", sizes, 0 if single else sizes_at),
        field(284, "H", [1]),
    ]
    if info.alpha:
        entries.append(field(338, "H", [2]))
    entries.append(field(339, "H", [kind] * info.channels))
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HHHQQ", 43, 8, 0, 16, count)
    arrays = struct.pack(f"{order}{2 * strips}Q", *offsets, *sizes)
    return head + b"".join(entries) + bytes(8) + arrays


class RowSource:
    """A bounded queue of rows with the face of a file: one thread puts rows, libvips reads and seeks.

    Args:
        info: what the rows are.
    """

    def __init__(self, info: PictureInfo) -> None:
        # Header bytes stay in reach, because libvips looks at them several times; rows are gone once read.
        self._header = tiff_header(info)
        row = info.width * info.channels * info.dtype.itemsize
        self._length = len(self._header) + row * info.height
        self._position = 0
        self._front = len(self._header)
        self._waiting: deque[memoryview] = deque()
        self._bytes = 0
        self._stopped = False
        self._change = threading.Condition()

    def put(self, rows: memoryview) -> bool:
        """Queue some bytes of rows, waiting for room.  False when the reader is gone."""
        with self._change:
            while self._bytes and self._bytes + len(rows) > _QUEUE_BYTES and not self._stopped:
                self._change.wait()
            if self._stopped:
                return False
            self._waiting.append(rows)
            self._bytes += len(rows)
            self._change.notify_all()
            return True

    def stop(self) -> None:
        """Let both sides go: reads end early, puts return False."""
        with self._change:
            self._stopped = True
            self._waiting.clear()
            self._bytes = 0
            self._change.notify_all()

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes at the current position; empty at the end or after :meth:`stop`."""
        at = self._position
        if at < len(self._header):
            data = self._header[at : at + size]
        elif at >= self._length:
            return b""
        else:
            data = self._read_rows(at, size)
        self._position = at + len(data)
        return data

    def blocks(self) -> Iterator[memoryview]:
        """The rows in the pieces that they were put in, for an encoder that needs no file around them.

        Raises:
            OutputError: :meth:`stop` was called before the last row.
        """
        while self._front < self._length:
            with self._change:
                while not self._waiting and not self._stopped:
                    self._change.wait()
                if self._stopped:
                    raise OutputError("stopped before the last row")
                block = self._waiting.popleft()
                self._front += len(block)
                self._bytes -= len(block)
                self._change.notify_all()
            yield block

    def seek(self, offset: int, whence: int) -> int:
        """Move the position as ``io`` files do; returns it."""
        base = (0, self._position, self._length)[whence]
        self._position = base + offset
        return self._position

    def _read_rows(self, at: int, size: int) -> bytes:
        with self._change:
            while not self._waiting and not self._stopped:
                self._change.wait()
            # Rows are read once, in order; anything else would be a change in libvips: end the file, which it reports.
            if self._stopped or at != self._front:
                return b""
            first = self._waiting[0]
            data = bytes(first[:size])
            if len(data) == len(first):
                self._waiting.popleft()
            else:
                self._waiting[0] = first[size:]
            self._front += len(data)
            self._bytes -= len(data)
            self._change.notify_all()
            return data
