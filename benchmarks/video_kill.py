"""Kill ``superres upscale`` at random moments, run it again, and compare the frames with those of an uninterrupted run.

    python benchmarks/video_kill.py CLIP --model video --scale 2 --kills 10

Every moment is a trial of its own: a run is killed there (SIGKILL, nothing can be tidied), the same command is given
again and ends, and every frame's samples and time are hashed.  Moments are uniform over the time of the uninterrupted
run; one that comes after a run's end is drawn again.  The exit code is 1 when a single frame differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av

from superres.formats.video_pixels import plane
from superres.formats.video_store import work_folder_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row per kill; the exit code."""
    options = _parser().parse_args(arguments)
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suffix = options.clip.suffix if options.clip.suffix in (".mp4", ".mov") else ".mkv"
        once, target = folder / f"once{suffix}", folder / f"result{suffix}"
        started = time.perf_counter()
        told = json.loads(_run(_command(once, options)))
        seconds = time.perf_counter() - started
        wanted = _hashes(once)
        print(f"{options.clip.name}: {len(wanted)} frames, {' + '.join(told['networks'])} ({told['precision']})\n")
        print("| killed after s | of | groups done | frames | same frames | same file |\n|-:|-:|-:|-:|-|-|")
        same = 0
        for _ in range(options.kills):
            moment = draw.uniform(0, seconds)
            while not _killed(_command(target, options), moment):
                target.unlink()
                moment = draw.uniform(0, seconds)
            groups = len(list(work_folder_of(target).glob("*.group")))
            _run(_command(target, options))
            found, equal = _hashes(target), target.read_bytes() == once.read_bytes()
            same += found == wanted
            texts = ("yes" if found == wanted else "NO", "yes" if equal else "no")
            print(f"| {moment:.1f} | {seconds:.1f} | {groups} | {len(found)} | {texts[0]} | {texts[1]} |", flush=True)
            target.unlink()
        print(f"\n{same} of {options.kills} runs gave the frames of the uninterrupted one")
    return 0 if same == options.kills else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", type=Path, help="of more than 120 frames, so that there is something to go on from")
    parser.add_argument("--model", default="video")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--seconds", type=float, help="of the clip, from its beginning; by default all")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    return parser


def _command(target: Path, options: argparse.Namespace) -> list[str]:
    chosen = ["--model", options.model, "--scale", options.scale, "--preset", options.preset]
    words = [sys.executable, "-m", "superres", "upscale", options.clip, "-o", target, *chosen, "--codec", "h264"]
    words += ["--end", options.seconds] if options.seconds else []
    return [str(word) for word in [*words, "--threads", options.threads, "--json"]]


def _run(command: list[str]) -> str:
    """Its last line of output; other lines are progress."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]


def _killed(command: list[str], seconds: float) -> bool:
    """Run a command and kill it after so long; whether it was still at work."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.returncode == -signal.SIGKILL


def _hashes(path: Path) -> list[tuple[int | None, str]]:
    """(time, hash of the samples) of every frame."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            digest = hashlib.sha256()
            for index in range(len(frame.planes)):
                digest.update(plane(frame, index).tobytes())
            found.append((frame.pts, digest.hexdigest()))
    return found


if __name__ == "__main__":
    sys.exit(main())
