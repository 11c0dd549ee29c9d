"""kill -9 of a network that remembers: what it had in mind is made again, and the file is the same."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import put, tiny_video_model
from video_support import Clip, decoded, make_clip

from superres.formats.video_store import work_folder_of
from superres.workflows.video_temporal import WARM_FRAMES

FRAMES, GROUP = 31, 5

#: Enlarges sys.argv[1] to [2] with the models in [3] and kills itself in the network's step number [4].
DRIVER = f"""
import os, signal, sys
from pathlib import Path
from superres.options import VideoOptions
from superres.pipeline import Options, Upscaler
from superres.workflows import video
from superres.workflows.video_temporal import TemporalEnlarger

video.GROUP_FRAMES = {GROUP}
source, target, folder, moment = sys.argv[1:]
steps = 0

def enlarge(self, before, present, after, real=TemporalEnlarger.enlarge):
    global steps
    steps += 1
    if steps == int(moment):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, before, present, after)

TemporalEnlarger.enlarge = enlarge
options = Options(scale=2, precision="fp32", threads=1, video=VideoOptions(preset="ultrafast"))
with Upscaler(options, folder=Path(folder)) as upscaler:
    print(*upscaler.file(source, target).networks)
print(steps)
"""


def drive(source: Path, target: Path, folder: Path, moment: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DRIVER, str(source), str(target), str(folder), str(moment)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = tmp_path / "zoo"
    folder.mkdir()
    put(tiny_video_model(2), folder)
    return folder


def test_a_killed_run_remembers_what_an_uninterrupted_one_does(tmp_path: Path, zoo: Path) -> None:
    times = [20 * t + (t % 3) for t in range(FRAMES)]
    source = make_clip(tmp_path / "a.mp4", Clip(times=times, options={"crf": "20", "preset": "medium", "g": "8"}))
    once, target = tmp_path / "once.mp4", tmp_path / "b.mp4"
    done = drive(source, once, zoo, 0)
    assert done.stderr == ""
    networks, steps = done.stdout.splitlines()
    # Each group after the first warms up: on all that is there, and no more than so many frames.
    assert networks == "video x2"
    assert int(steps) == FRAMES + sum(min(first, WARM_FRAMES) for first in range(0, FRAMES, GROUP))
    # In the first group, and then each time somewhere after the groups that are there: also while it warms up.
    draw = random.Random(6)
    for number, moment in enumerate((3, *(draw.randrange(1, 26) for _ in range(3)))):
        killed = drive(source, target, zoo, moment)
        assert killed.returncode == -signal.SIGKILL, (number, moment, killed.stdout, killed.stderr)
        assert work_folder_of(target).is_dir() and not target.exists()
    done = drive(source, target, zoo, 0)
    assert done.stderr == "" and int(done.stdout.splitlines()[1]) < int(steps)
    assert target.read_bytes() == once.read_bytes()
    assert len(decoded(target)) == FRAMES
