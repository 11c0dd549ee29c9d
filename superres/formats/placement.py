"""Where a result goes: written under a hidden name beside its target, then renamed over it in one step."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, Protocol

from superres.atomic import temporary_beside
from superres.errors import OutputError
from superres.formats.vips import output_error

__all__ = ["FilePlacement", "Placement", "StreamPlacement", "write_at"]

# Hidden files not yet renamed or removed: cleared at exit, should a caller forget.
_pending: set[str] = set()


class Placement(Protocol):
    """A file that becomes the result on :meth:`commit`."""

    @property
    def path(self) -> Path | None:
        """The target, or None for a stream."""

    @property
    def descriptor(self) -> int:
        """Open for reading and writing; positions and sizes start at 0."""

    def commit(self) -> None:
        """Make the file the result.  Raises OutputError; then nothing is left behind."""

    def discard(self) -> None:
        """Remove the file.  May be called at any time."""


class FilePlacement:
    """A hidden file in the target's folder, because only within one file system is a rename atomic.

    Args:
        target: where the result goes; a symbolic link is followed, not replaced.
        overwrite: whether an existing target may be replaced.
        source: the input file, which must not be the target.

    Raises:
        OutputError: the target exists, is a folder or the source, or its folder is missing or not writable.
    """

    def __init__(self, target: Path, *, overwrite: bool = False, source: Path | None = None) -> None:
        self._path = target
        self._overwrite = overwrite
        self._real = Path(os.path.realpath(target))
        mode = self._check(source)
        self._hidden = str(temporary_beside(self._real))
        try:
            self._descriptor = os.open(self._hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            _pending.add(self._hidden)
            if mode is not None:
                os.fchmod(self._descriptor, mode)
        except OSError as exc:
            self.discard()
            raise OutputError(f"{target}: its folder is not writable ({exc.strerror}); choose another with -o") from exc

    def _check(self, source: Path | None) -> int | None:
        """Refuse a target that must not be written; the access mode of the one that is replaced, if any."""
        target, real = self._path, self._real
        if not real.parent.is_dir():
            raise OutputError(f"{target}: the folder {real.parent} does not exist; create it first")
        if real.is_dir():
            raise OutputError(f"{target}: is a folder; name a file in it")
        if not real.exists():
            return None
        if source is not None and source.exists() and real.samefile(source):
            raise OutputError(f"{target}: is the input itself; choose another name with -o")
        if not self._overwrite:
            raise OutputError(f"{target}: exists already; replace it with --overwrite or choose another name with -o")
        if not os.access(real, os.W_OK):
            raise OutputError(f"{target}: is read-only; make it writable or choose another name with -o")
        return stat.S_IMODE(real.stat().st_mode)

    @property
    def path(self) -> Path | None:
        """The target."""
        return self._path

    @property
    def descriptor(self) -> int:
        """Of the hidden file."""
        return self._descriptor

    def commit(self) -> None:
        """Flush to the disk, rename over the target, flush the folder.

        Raises:
            OutputError: the disk is full or the target has appeared meanwhile; nothing is left behind.
        """
        try:
            os.fsync(self._descriptor)
            if not self._overwrite and os.path.lexists(self._real):
                raise OutputError(f"{self._path}: has appeared meanwhile; replace it with --overwrite")
            Path(self._hidden).replace(self._real)
            _pending.discard(self._hidden)
            folder = os.open(self._real.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as exc:
            raise output_error(str(self._path), exc) from exc
        finally:
            self.discard()

    def discard(self) -> None:
        """Close and remove the hidden file, if it is still there."""
        descriptor, self._descriptor = getattr(self, "_descriptor", -1), -1
        if descriptor >= 0:
            os.close(descriptor)
        _remove(self._hidden)


class StreamPlacement:
    """A nameless temporary file, copied to a stream once it is complete: encoders need to seek, pipes cannot."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by commit or discard)

    @property
    def path(self) -> Path | None:
        """None: there is no name."""
        return None

    @property
    def descriptor(self) -> int:
        """Of the temporary file."""
        return self._file.fileno()

    def commit(self) -> None:
        """Copy everything to the stream and flush it.  Raises OutputError."""
        try:
            self._file.seek(0)
            shutil.copyfileobj(self._file, self._stream, 2**20)
            self._stream.flush()
        except OSError as exc:
            raise output_error("<stream>", exc) from exc
        finally:
            self.discard()

    def discard(self) -> None:
        """Drop the temporary file."""
        self._file.close()


def write_at(descriptor: int, data: bytes, at: int) -> None:
    """Write all of ``data`` into a file at ``at``; on a full disk a bare ``pwrite`` would stop short, in silence.

    Raises:
        OSError: it cannot be written.
    """
    with os.fdopen(os.dup(descriptor), "r+b") as file:
        file.seek(at)
        file.write(data)


def _remove(hidden: str) -> None:
    if hidden in _pending:
        _pending.discard(hidden)
        Path(hidden).unlink(missing_ok=True)


@atexit.register
def _remove_pending() -> None:
    for hidden in list(_pending):
        _remove(hidden)
