"""Finished parts of a long job on the disk, so that a killed one goes on where it was."""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from superres.errors import OutputError

__all__ = ["Spool"]

_MAGIC = b"superres spool 1"
_RECORD = struct.Struct("<QI")


class Spool:
    """Records in one file, appended one by one; each is found again or not at all.  A context manager.

    A record holds its length and CRC-32: what a kill or a crash left incomplete, and all after it, is cut off when
    the file is opened again.

    Args:
        path: the file; made when absent, begun anew when it belongs to another job.
        key: 32 bytes that tell the job apart from any other.

    Raises:
        OutputError: another process is at the same job, or the file cannot be written.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._path, self._head = path, _MAGIC + key
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as exc:
            raise OutputError(f"{path}: cannot be written ({exc.strerror}); choose another folder") from exc
        try:
            self._lock()
            self._records = self._recover()
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[bytes]:
        """Every record, in the order they were appended.

        Raises:
            OutputError: one reads back other than it was written.
        """
        for at, size, check in self._records:
            data = os.pread(self._descriptor, size, at)
            if zlib.crc32(data) != check:
                raise OutputError(f"{self._path}: is damaged; remove it and start again")
            yield data

    def append(self, data: bytes) -> None:
        """Add a record.

        Raises:
            OutputError: the disk is full; the records before it are kept.
        """
        check, end = zlib.crc32(data), self._end()
        self._write(_RECORD.pack(len(data), check) + data, end)
        self._records.append((end + _RECORD.size, len(data), check))

    def remove(self) -> None:
        """Delete the file: the job is done."""
        self._path.unlink(missing_ok=True)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise OutputError(f"{self._path}: another process is at the same result; wait for it or stop it") from exc

    def _write(self, data: bytes, at: int) -> None:
        rest = memoryview(data)
        try:
            while rest:
                count = os.pwrite(self._descriptor, rest, at)
                rest, at = rest[count:], at + count
        except OSError as exc:
            raise OutputError(f"{self._path}: cannot be written ({exc.strerror}); free some space, then go on") from exc

    def _end(self) -> int:
        if not self._records:
            return len(self._head)
        at, size, _ = self._records[-1]
        return at + size

    def _recover(self) -> list[tuple[int, int, int]]:
        """(position, length, CRC-32) of the whole records; anything after them is cut off."""
        found: list[tuple[int, int, int]] = []
        at = len(self._head)
        if os.pread(self._descriptor, at, 0) != self._head:
            os.ftruncate(self._descriptor, 0)
            self._write(self._head, 0)
            return found
        while len(head := os.pread(self._descriptor, _RECORD.size, at)) == _RECORD.size:
            size, check = _RECORD.unpack(head)
            start = at + _RECORD.size
            if start + size > os.fstat(self._descriptor).st_size:
                break
            if zlib.crc32(os.pread(self._descriptor, size, start)) != check:
                break
            found.append((start, size, check))
            at = start + size
        os.ftruncate(self._descriptor, at)
        return found
