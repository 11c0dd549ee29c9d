from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from superres.atomic import replace_file, temporary_beside
from superres.errors import OutputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_target_appears_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with replace_file(target) as stream:
        stream.write(b"new")
        stream.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replace_file(target) as stream:
        stream.write(b"new")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"), replace_file(tmp_path / "a.bin") as stream:
        stream.write(b"new")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_really_full_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("superres.atomic.temporary_beside", lambda target: _Full(target.with_name("part")))
    with pytest.raises(OutputError, match="disk is full"), replace_file(tmp_path / "a.bin") as stream:
        stream.write(b"new")
    assert names(tmp_path) == []


class _Full(type(Path())):  # type: ignore[misc]
    """A path whose file is /dev/full."""

    def open(self, *_: object, **__: object) -> object:
        return Path("/dev/full").open("wb")


@pytest.mark.parametrize("below", ["missing/a.bin", "file/a.bin"])
def test_a_folder_that_is_none(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"a\.bin: cannot be written"), replace_file(tmp_path / below):
        pass
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127])
def test_the_longest_name(tmp_path: Path, name: str) -> None:
    with replace_file(tmp_path / name) as stream:
        stream.write(b"new")
    assert (tmp_path / name).read_bytes() == b"new"


def test_temporary_names_differ_and_are_hidden(tmp_path: Path) -> None:
    first, second = (temporary_beside(tmp_path / "a.bin") for _ in range(2))
    assert first != second
    assert first.name.startswith(".")
    assert first.parent == tmp_path
