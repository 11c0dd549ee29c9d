from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from superres.errors import OutputError
from superres.formats.mapped import map_file, mapped_array, nameless_file


def test_an_array_without_a_name(tmp_path: Path) -> None:
    array = mapped_array(tmp_path, np.dtype(np.float32), (5, 4, 3))
    assert list(tmp_path.iterdir()) == []
    assert array.shape == (5, 4, 3) and not array.any() and array.flags.f_contiguous
    array[2, 3, 1] = 7
    assert array.sum() == 7


def test_a_window_of_a_file(tmp_path: Path) -> None:
    values = np.arange(24, dtype=">i2")
    with nameless_file(tmp_path) as file:
        file.write(b"head" + values.tobytes())
        file.flush()
        made = map_file(file, np.dtype(">i2"), (4, 3, 2), 4)
    np.testing.assert_array_equal(made, values.reshape((4, 3, 2), order="F"))
    with pytest.raises(ValueError, match="read-only"):
        made[0, 0, 0] = 1


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="absent"):
        mapped_array(tmp_path / "absent", np.dtype(np.float32), (2, 2))


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match="disk is full"):
        mapped_array(tmp_path, np.dtype(np.float32), (2, 2))
