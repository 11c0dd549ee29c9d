"""A run that is killed goes on where it was, and makes the same file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_models import NearestBackend
from video_support import Clip, decoded, make_clip

from superres.backends import Backend
from superres.errors import OutputError
from superres.formats import video_mux
from superres.formats.video_store import work_folder_of
from superres.options import VideoOptions
from superres.pipeline import Options, Result, Upscaler
from superres.workflows import video

FRAMES, GROUP = 23, 5

#: Enlarges sys.argv[1] to [2] with the model folder [3], and kills itself at the moment [4]: a kind and a number.
DRIVER = f"""
import os, signal, sys
from pathlib import Path
from superres import atomic
from superres.formats import video_mux
from superres.options import VideoOptions
from superres.pipeline import Options, Upscaler
from superres.workflows import video

video.GROUP_FRAMES = {GROUP}
source, target, folder, moment = sys.argv[1:]
kind, number = moment.split(":")
counts = {{}}

def reached(what):
    counts[what] = counts.get(what, 0) + 1
    if what == kind and counts[what] == int(number):
        os.kill(os.getpid(), signal.SIGKILL)

class Repeating:
    precision, lanes = "fp32", 1
    def run(self, batch):
        reached("network")
        return batch.repeat(2, axis=2).repeat(2, axis=3)
    def close(self):
        pass

def at(what, function):
    def run(*args):
        reached(what)
        return function(*args)
    return run

atomic.os.fsync = at("sync", os.fsync)
video_mux.Multiplexer.write = at("packet", video_mux.Multiplexer.write)
video_mux.Multiplexer.finish = at("finish", video_mux.Multiplexer.finish)
options = Options(scale=2, model="nearest", threads=2, video=VideoOptions(preset="ultrafast"))
with Upscaler(options, folder=Path(folder), opener=lambda *_, **__: Repeating()) as upscaler:
    upscaler.file(source, target, report=lambda *_: reached("frame"))
print(counts["network"])
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    times = [20 * t + (t % 3) for t in range(FRAMES)]
    options = {"crf": "20", "preset": "medium", "g": "8"}
    return make_clip(tmp_path / "a.mp4", Clip(times=times, options=options, extras=["audio"]))


def run(source: Path, target: Path, folder: Path, moment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DRIVER, str(source), str(target), str(folder), moment]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_killed_run_goes_on_and_makes_the_same_file(source: Path, tmp_path: Path, tiny_folder: Path) -> None:
    """Killed before anything is finished, within groups, between them, while parts are joined, at the very end."""
    once = tmp_path / "once.mp4"
    done = run(source, once, tiny_folder, "none:0")
    assert (done.stdout.strip(), done.stderr) == (str(FRAMES), "")
    target = tmp_path / "b.mp4"
    for moment in ("frame:2", "network:9", "sync:2", "network:14", "packet:3", "finish:1"):
        killed = run(source, target, tiny_folder, moment)
        assert killed.returncode == -signal.SIGKILL, (moment, killed.stderr)
        assert not target.exists()
        assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "once.mp4", ".b.mp4.superres"}
    done = run(source, target, tiny_folder, "none:0")
    assert done.returncode == 1  # KeyError: no network ran, everything was there
    assert "network" in done.stderr
    assert target.read_bytes() == once.read_bytes()
    assert len(decoded(target)) == FRAMES
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "once.mp4", "b.mp4"}


class Run:
    """Enlarges in this process, in groups of :data:`GROUP`, and counts what the network is asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.backends: list[NearestBackend] = []

    def __call__(self, source: Path, target: Path, report: Any = None, **options: Any) -> Result:
        self.backends.clear()
        chosen = {"scale": 2, "model": "nearest", "threads": 2, "video": VideoOptions(preset="ultrafast"), **options}
        with Upscaler(Options(**chosen), folder=self._folder, opener=self._open) as upscaler:
            return upscaler.file(source, target, report=report)

    def _open(self, name: str, model: bytes, **_: Any) -> Backend:
        self.backends.append(NearestBackend(model))
        return self.backends[-1]

    @property
    def computed(self) -> int:
        return sum(len(backend.shapes) for backend in self.backends)


@pytest.fixture
def enlarge(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(video, "GROUP_FRAMES", GROUP)
    return Run(tiny_folder)


def stop_at(frame: int) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if done == frame:
            raise KeyboardInterrupt

    return report


def test_an_interrupt_leaves_what_is_finished(source: Path, tmp_path: Path, enlarge: Run) -> None:
    once, target = tmp_path / "once.mp4", tmp_path / "b.mp4"
    enlarge(source, once)
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, target, report=stop_at(13))
    assert sorted(path.name for path in work_folder_of(target).iterdir()) == [
        "000000.group",
        "000001.group",
        "job.json",
        "lock",
    ]
    seen: list[int] = []
    enlarge(source, target, report=lambda done, total: seen.append(done))
    assert seen == list(range(2 * GROUP + 1, FRAMES + 1))
    assert enlarge.computed == FRAMES - 2 * GROUP
    assert target.read_bytes() == once.read_bytes()


def test_a_disk_that_is_full_at_the_end_is_told_and_nothing_is_lost(
    source: Path, tmp_path: Path, enlarge: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "b.mp4"

    def full(self: video_mux.Multiplexer, packet: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(video_mux.Multiplexer, "write", full)
        with pytest.raises(OutputError, match="disk is full.*same command again"):
            enlarge(source, target)
    assert not target.exists()
    assert not (work_folder_of(target) / "joined").exists()
    enlarge(source, target)
    assert enlarge.computed == 0
    assert len(decoded(target)) == FRAMES


def test_an_interrupt_before_anything_is_finished_leaves_nothing(source: Path, tmp_path: Path, enlarge: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, tmp_path / "b.mp4", report=stop_at(3))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    "change",
    [
        {"video": VideoOptions(preset="superfast")},
        {"video": VideoOptions(preset="ultrafast", reuse=1)},
        {"quality": 30},
        {"scale": 1.5},
        {"precision": "fp32"},
        {"threads": 1},
    ],
)
def test_other_options_begin_anew(change: dict[str, Any], source: Path, tmp_path: Path, enlarge: Run) -> None:
    once, target = tmp_path / "once.mp4", tmp_path / "b.mp4"
    before: dict[str, Any] = {"precision": "bf16"}  # what is chosen without a word depends on the processor
    after = {**before, **change}
    enlarge(source, once, **after)
    whole = enlarge.computed
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, target, report=stop_at(13), **before)
    enlarge(source, target, **after)
    assert enlarge.computed == whole
    assert target.read_bytes() == once.read_bytes()


def test_another_source_begins_anew(source: Path, tmp_path: Path, enlarge: Run) -> None:
    target = tmp_path / "b.mp4"
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, target, report=stop_at(13))
    make_clip(source, Clip(times=range(0, 240, 20)))
    enlarge(source, target)
    assert len(decoded(target)) == 12


@pytest.mark.parametrize("options", [VideoOptions(preset="ultrafast", reuse=2), VideoOptions(deinterlace=True)])
def test_what_looks_back_is_the_same_after_a_stop(
    options: VideoOptions, source: Path, tmp_path: Path, enlarge: Run
) -> None:
    """Reuse within a tolerance, and the deinterlacer, depend on frames before."""
    once, target = tmp_path / "once.mp4", tmp_path / "b.mp4"
    enlarge(source, once, video=options)
    with pytest.raises(KeyboardInterrupt):
        enlarge(source, target, video=options, report=stop_at(13))
    enlarge(source, target, video=options)
    assert target.read_bytes() == once.read_bytes()


def test_ctrl_c_ends_the_command_soon_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", Clip(times=range(0, 4000, 20), size=(320, 240)))
    target = tmp_path / "b.mkv"
    command = [sys.executable, "-m", "superres", "upscale", str(source), "-o", str(target), "--model", "standard"]
    command += ["--threads", "1", "--preset", "ultrafast"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300  # a busy machine is no reason to fail
    while not list(work_folder_of(target).glob(".000000*")) and time.monotonic() < deadline:
        time.sleep(0.02)  # until the first group is being written
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
