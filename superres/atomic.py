"""Files that appear whole or not at all: written beside the target, fsynced, renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from superres.errors import OutputError

__all__ = ["make_folder", "replace_file", "temporary_beside"]


def make_folder(folder: Path, what: str) -> None:
    """Make a folder, and those that it lies in, unless it is there.

    Args:
        folder: of results.
        what: it is for, as the message begins.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{what} {folder}: cannot be made: {error.strerror}; choose another folder") from error


def temporary_beside(target: Path) -> Path:
    """A new hidden name in the folder of ``target``, on the same file system, so that a rename is atomic."""
    # File systems allow 255 bytes per name: a long one is cut, in bytes, to leave room for what is added.
    name = os.fsdecode(os.fsencode(target.name)[:100])
    return target.with_name(f".{name}.{os.getpid()}-{secrets.token_hex(4)}.part")


@contextlib.contextmanager
def replace_file(target: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``target``; on leaving without error fsync it and rename it over ``target``.

    Raises:
        OutputError: the file cannot be written (disk full, read-only...); ``target`` is as it was.
    """
    temporary = temporary_beside(target)
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise OutputError(f"{target}: cannot be written: {reason}; the file is as it was") from error
    finally:
        # When it could not be made (its folder is a file...), removing it fails too and must not hide the reason.
        with contextlib.suppress(OSError):
            temporary.unlink()
