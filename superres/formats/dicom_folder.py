"""A folder that appears whole or not at all: filled under a hidden name beside its target, then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from superres.atomic import temporary_beside
from superres.errors import OutputError
from superres.formats.dicom_sniff import dicom_files
from superres.formats.vips import output_error

__all__ = ["placed_folder"]


@contextlib.contextmanager
def placed_folder(target: Path, source: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A new, hidden folder; on leaving without error it becomes ``target``, else it is removed.

    With ``overwrite`` an earlier result is moved aside first and removed last: a folder, unlike a file, cannot be
    replaced in one step.

    Args:
        target: where the result goes.
        source: the folder that is read.

    Raises:
        OutputError: the target exists and may not be replaced, holds the source, or its folder is not writable.
    """
    real = Path(os.path.realpath(target))
    _check(target, real, Path(os.path.realpath(source)), overwrite)
    hidden, aside = temporary_beside(real), temporary_beside(real)
    try:
        hidden.mkdir()
        yield hidden
        _flush(hidden)
        if overwrite and real.exists():
            real.rename(aside)
        hidden.rename(real)
        _flush(real.parent)
    except OSError as error:
        raise output_error(str(target), error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        if aside.exists() and not real.exists():
            aside.rename(real)  # the new one did not get there: the earlier result comes back
        shutil.rmtree(aside, ignore_errors=True)


def _check(target: Path, real: Path, source: Path, overwrite: bool) -> None:
    if not real.parent.is_dir():
        raise OutputError(f"{target}: the folder {real.parent} does not exist; create it first")
    if real == source or real in source.parents or source in real.parents:
        raise OutputError(f"{target}: lies within the input or holds it; choose another name with -o")
    if not real.exists():
        return
    if not real.is_dir():
        raise OutputError(f"{target}: is a file; a series becomes a folder: choose another name with -o")
    if not overwrite:
        raise OutputError(f"{target}: exists already; replace it with --overwrite or choose another name with -o")
    if {path.name for path in real.iterdir()} != {path.name for path in dicom_files(real)}:
        raise OutputError(f"{target}: holds more than DICOM files, which would be lost; choose another name with -o")


def _flush(folder: Path) -> None:
    """Make names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
