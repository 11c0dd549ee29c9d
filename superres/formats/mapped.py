"""Arrays in files without a name: larger than memory, and gone whatever ends the process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from superres.formats.vips import output_error

__all__ = ["map_file", "mapped_array", "nameless_file", "reserve"]

Array = npt.NDArray[Any]


def nameless_file(folder: Path) -> BinaryIO:
    """An empty file in ``folder`` for reading and writing that has no name, so that nothing is ever left behind.

    Raises:
        OutputError: the folder is missing or not writable.
    """
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))
    except OSError as exc:
        raise output_error(str(folder), exc) from exc


def reserve(descriptor: int, size: int, name: str) -> None:
    """Give a file ``size`` bytes on the disk: a full disk must show here, writing to a map would end the process.

    Raises:
        OutputError: there is no room; ``name`` is what the message calls the file.
    """
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as exc:
        raise output_error(name, exc) from exc


def map_file(
    file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int = 0, *, write: bool = False
) -> Array:
    """A file's bytes from ``offset`` as an array, first axis fastest; closing the file leaves the array usable."""
    return np.memmap(file, dtype, "r+" if write else "r", offset, shape, order="F")


def mapped_array(folder: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """An array of zeros that lies in a nameless file in ``folder``; the file goes with the array.

    Raises:
        OutputError: there is no room, or the folder is not writable.
    """
    with nameless_file(folder) as file:
        reserve(file.fileno(), int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, str(folder))
        return map_file(file, dtype, shape, write=True)
