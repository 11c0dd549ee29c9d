"""Faults while writing: the old file or the complete new one, never a part, and nothing left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from superres.errors import OutputError
from superres.formats import open_writer, read_image, write_image
from superres.formats.animation import open_animation_writer

from .support import picture, smooth

SUFFIXES = [".png", ".jpg", ".tif", ".webp", ".avif"]


def test_existing_target(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="--overwrite"):
        open_writer(path, picture(4, 4, 3).info)
    assert path.read_bytes() == b"old"
    path.chmod(0o640)
    write_image(picture(4, 4, 3), path, overwrite=True)
    assert read_image(path).info.width == 4 and path.stat().st_mode & 0o777 == 0o640


def test_target_that_appears_meanwhile(tmp_path: Path) -> None:
    image = picture(4, 4, 3)
    writer = open_writer(tmp_path / "a.png", image.info)
    writer.write(image.samples)
    (tmp_path / "a.png").write_bytes(b"theirs")
    with pytest.raises(OutputError, match="appeared"):
        writer.commit()
    assert (tmp_path / "a.png").read_bytes() == b"theirs" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_target_is_the_input(tmp_path: Path, link: str | None) -> None:
    path = tmp_path / "a.png"
    write_image(picture(4, 4, 3), path)
    target = path
    if link is not None:
        target = tmp_path / "b.png"
        getattr(target, link)(path)
    with pytest.raises(OutputError, match="input itself"):
        open_writer(target, picture(8, 8, 3).info, overwrite=True, source=path)


def test_missing_folder_and_folder_as_target(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        open_writer(tmp_path / "none" / "a.png", picture(4, 4, 3).info)
    (tmp_path / "b.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        open_writer(tmp_path / "b.png", picture(4, 4, 3).info, overwrite=True)


def test_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The super-user may write everywhere, so the refusal of the system is played.
    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(OutputError, match="not writable"):
            open_writer(tmp_path / "a.png", picture(4, 4, 3).info)
    (tmp_path / "b.png").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="read-only"):
        open_writer(tmp_path / "b.png", picture(4, 4, 3).info, overwrite=True)


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "real" / "a.png")
    write_image(picture(4, 4, 3), link)
    assert link.is_symlink() and (tmp_path / "real" / "a.png").is_file()
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_long_and_odd_names(tmp_path: Path) -> None:
    for name in ("ü" * 100 + ".png", "-rf .png", "a[strip=1].png", "b\n.png"):
        write_image(picture(4, 4, 3), tmp_path / name)
        assert read_image(tmp_path / name).info.width == 4


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_abort_and_missing_rows_leave_nothing(tmp_path: Path, suffix: str) -> None:
    image = picture(200, 100, 3)
    writer = open_writer(tmp_path / f"a{suffix}", image.info)
    assert [entry.name[0] for entry in tmp_path.iterdir()] == ["."]
    writer.write(image.samples[:150])
    writer.abort()
    writer.abort()
    assert not list(tmp_path.iterdir())
    writer = open_writer(tmp_path / f"a{suffix}", image.info)
    writer.write(image.samples[:150])
    with pytest.raises(OutputError, match="150 of 200 rows"):
        writer.commit()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip(f"NO SMALL DISK: cannot mount a tmpfs ({done.stderr.decode().strip()}), disk full is not tested")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_disk_full(small_disk: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    noise = picture(400, 400, 3)
    noise.samples[...] = rng.integers(0, 256, noise.samples.shape)
    with pytest.raises(OutputError, match="disk is full"):
        write_image(noise, small_disk / f"a{suffix}")
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_disk_that_is_full_at_the_very_end(small_disk: Path, suffix: str) -> None:
    """Whatever room is left, the result is complete or refused: also when only the last bytes do not fit."""
    image = picture(120, 120, 3)
    image.samples[...] = np.random.default_rng(0).integers(0, 256, image.samples.shape)
    write_image(image, small_disk / f"a{suffix}")
    size = (small_disk / f"a{suffix}").stat().st_size
    (small_disk / f"a{suffix}").unlink()
    outcomes = set()
    for slack in range(-2, 4):
        filler = small_disk / "filler"
        filler.write_bytes(bytes((256 * 1024 // 4096 - size // 4096 - slack) * 4096))
        try:
            write_image(image, small_disk / f"a{suffix}")
        except OutputError as exc:
            assert "disk is full" in str(exc)
            assert [entry.name for entry in small_disk.iterdir()] == ["filler"]
            outcomes.add("full")
        else:
            read_image(small_disk / f"a{suffix}")
            (small_disk / f"a{suffix}").unlink()
            outcomes.add("written")
        filler.unlink()
    assert outcomes == {"full", "written"}


def test_stream_that_is_full() -> None:
    image = picture(100, 100, 3)
    with Path("/dev/full").open("wb", buffering=0) as stream:
        writer = open_writer(None, image.info, format="png", stream=stream)
        writer.write(image.samples)
        with pytest.raises(OutputError, match="disk is full"):
            writer.commit()


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_disk_full_with_animation(small_disk: Path, suffix: str) -> None:
    info = picture(200, 200, 3).info
    rng = np.random.default_rng(0)
    (small_disk / "filler").write_bytes(bytes(200 * 1024))
    with pytest.raises(OutputError, match="disk is full"):
        writer = open_animation_writer(small_disk / f"a{suffix}", info, (50,) * 2, 0)
        for _ in range(2):
            writer.write_frame(rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
        writer.commit()
    assert [entry.name for entry in small_disk.iterdir()] == ["filler"]


def test_encoder_failure_reaches_write_without_deadlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from superres.formats import encode

    def fail(*_: object) -> None:
        raise RuntimeError("the encoder broke")

    monkeypatch.setattr(encode, "write_png", fail)
    image = picture(64, 4000, 3)
    writer = open_writer(tmp_path / "a.png", image.info)
    with pytest.raises(OutputError, match="the encoder broke"):
        for row in range(64):
            writer.write(image.samples[row : row + 1])
            time.sleep(0.01)
    assert not list(tmp_path.iterdir())


_SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np
from superres.formats import open_writer
from superres.image import PictureInfo
info = PictureInfo(600, 600, "rgb", np.dtype(np.uint8), 255.0, False, "png", False)
band = np.random.default_rng(0).integers(0, 256, (60, 600, 3), dtype=np.uint8)
print("ready", flush=True)
writer = open_writer(Path(sys.argv[1]), info, overwrite=True)
for _ in range(10):
    writer.write(band)
    time.sleep(0.01)
if sys.argv[2] == "forget":
    sys.exit()
writer.commit()
"""


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_kill_leaves_the_old_file_or_the_new(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(picture(5, 5, 3), path)
    rng = np.random.default_rng(1)
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", _SCRIPT, str(path), "commit"], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            time.sleep(float(rng.uniform(0, 0.5)))
            process.send_signal(signal.SIGKILL)
        assert read_image(path).info.width in (5, 600)


def test_exit_without_commit_removes_the_hidden_file_and_does_not_hang(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _SCRIPT, str(tmp_path / "a.png"), "forget"], check=True, timeout=20)
    assert not list(tmp_path.iterdir())


def test_interrupt_removes_the_hidden_file(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(tmp_path / "a.png"), "forget"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
    assert not list(tmp_path.iterdir())


def test_smooth_helper_differs_per_row() -> None:
    assert len(np.unique(smooth(9, 9, 1), axis=0)) == 9
