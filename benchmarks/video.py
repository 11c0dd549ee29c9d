"""Video end to end, 640 x 360 to 1280 x 720: frames per second beside decoder, networks and encoder alone.

    python benchmarks/video.py --part parts --models realtime standard --presets h264:medium hevc:fast
    python benchmarks/video.py --part reuse --models realtime

Everything is measured in one run on one clip, which is made here, so that ratios travel between machines: "of the
slowest" is the time end to end over that of the slowest of the three alone.  The second table has a still camera, where
a small square moves before a background that stays: with and without ``--reuse``.

``--clock processor`` counts processor seconds instead, for a machine that does other work beside: rates are then those
of one core, and the last column is the whole over the sum of the three.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from superres.formats import Limits
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_decode import Wanted, read_frames
from superres.formats.video_encode import choose_encoding, encode_group
from superres.formats.video_faults import Faults
from superres.formats.video_pixels import plane
from superres.formats.video_scale import FrameScaler
from superres.options import VideoOptions
from superres.pipeline import Options, Upscaler
from superres.workflows.video import GROUP_FRAMES
from superres.workflows.video_luma import LumaEnlarger
from superres.workflows.video_samples import luma_picture
from superres.workflows.video_temporal import TemporalEnlarger, temporal_frames

_SMALL, _LARGE = (640, 360), (1280, 720)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the tables that were asked for; the exit code."""
    options = _parser().parse_args(arguments)
    unit = "second" if options.clock == "wall" else "processor second"
    with tempfile.TemporaryDirectory() as folder:
        print(f"{options.frames} frames, {_SMALL[0]} x {_SMALL[1]} to {_LARGE[0]} x {_LARGE[1]}, frames per {unit}\n")
        if options.part in ("parts", "all"):
            _print_parts(_clip(Path(folder) / "moving.mp4", options.frames, _camera), options)
        if options.part in ("reuse", "all"):
            _print_reuse(_clip(Path(folder) / "still.mp4", options.frames, _surveillance), options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=("parts", "reuse", "all"), default="all")
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--models", nargs="+", default=["video", "restore", "standard", "realtime"])
    parser.add_argument("--presets", nargs="+", metavar="CODEC:PRESET", default=["h264:ultrafast", "h264:medium"])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall")
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    return parser


def _print_parts(clip: Path, options: argparse.Namespace) -> None:
    """A row per model and preset: each part alone, then all together."""
    info, seconds = probe_video(clip, clip.name, Limits()), _clock(options)
    wall = options.clock == "wall"
    share: Callable[[Sequence[float]], float] = max if wall else sum
    frames: list[Any] = []
    # Alone means with all cores, as in the whole, where it has to share them.
    decode = seconds(lambda: frames.extend(read_frames(clip, clip.name, info, Wanted(), Faults())))
    last = "of the slowest" if wall else "of the sum"
    print(f"| model | encoder | decode | networks | encode | end to end | {last} |\n|-|-|-:|-:|-:|-:|-:|")
    encode: dict[str, float] = {}
    for model in options.models:
        with Upscaler(_options(options, model)) as upscaler:
            large = list(_planes(upscaler, info, frames[:2]))  # the first calls load, and plan for this size
            large.clear()
            networks = seconds(lambda: large.extend(_planes(upscaler, info, frames)))  # noqa: B023  (called at once)
            scaler = FrameScaler(info, _LARGE)
            made = [scaler.enlarged(frame, luma) for frame, luma in zip(frames, large, strict=True)]
            for setting in options.presets:
                upscaler.options = _options(options, model, setting)
                if setting not in encode:
                    encode[setting] = seconds(lambda: _encode(info, made, setting, options.threads))  # noqa: B023
                whole = seconds(lambda: upscaler.file(clip, clip.with_name("result.mp4")))
                clip.with_name("result.mp4").unlink()
                alone = (decode, networks, encode[setting])
                rates = " | ".join(f"{len(frames) / value:.1f}" for value in (*alone, whole))
                print(f"| {model} | {setting} | {rates} | {whole / share(alone):.2f} |", flush=True)


def _planes(upscaler: Upscaler, info: VideoInfo, frames: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
    """Luma planes of the result, in the groups that a run has."""
    stopped = threading.Event()
    if upscaler.choice(luma_picture(info), _LARGE[0] / _SMALL[0]).cards[0].kind == "video":
        temporal = TemporalEnlarger(upscaler, info, _LARGE, stopped)
        for _, luma in temporal_frames(frames, temporal, 0, GROUP_FRAMES, stopped):
            yield luma
        return
    enlarger = LumaEnlarger(upscaler, info, _LARGE, None, stopped)
    for number, frame in enumerate(frames):
        if number % GROUP_FRAMES == 0:
            enlarger.forget()
        yield enlarger.enlarge(plane(frame, 0))


def _print_reuse(clip: Path, options: argparse.Namespace) -> None:
    """A row per model and preset: all of every frame, and only what changes."""
    print("\nStill camera:\n\n| model | encoder | all computed | --reuse 0 | times as fast |\n|-|-|-:|-:|-:|")
    seconds = _clock(options)
    for model in options.models:
        if model == "video":
            continue  # it remembers every frame, and computes it
        for setting in options.presets:
            times = []
            for reuse in (None, 0):
                with Upscaler(_options(options, model, setting, reuse)) as upscaler:
                    times.append(seconds(lambda: upscaler.file(clip, clip.with_name("result.mp4"))))
                clip.with_name("result.mp4").unlink()
            rates = " | ".join(f"{options.frames / value:.1f}" for value in times)
            print(f"| {model} | {setting} | {rates} | {times[0] / times[1]:.2f} |", flush=True)


def _options(options: argparse.Namespace, model: str, setting: str = "", reuse: int | None = None) -> Options:
    codec, _, preset = setting.partition(":")
    return Options(
        scale=2,
        model=model,
        precision=options.precision,
        threads=options.threads,
        video=VideoOptions(codec, preset, reuse=reuse),
    )


def _clock(options: argparse.Namespace) -> Callable[[Callable[[], object]], float]:
    """What tells the seconds that something takes."""
    clock = time.perf_counter if options.clock == "wall" else time.process_time

    def seconds(work: Callable[[], object]) -> float:
        started = clock()
        work()
        return clock() - started

    return seconds


def _exhaust(items: Iterator[Any]) -> None:
    for _ in items:
        pass


def _encode(info: VideoInfo, frames: Sequence[Any], setting: str, threads: int) -> None:
    codec, preset = setting.split(":")
    encoding = choose_encoding(info, _LARGE, "mp4", GROUP_FRAMES, codec=codec, preset=preset, threads=threads)
    for first in range(0, len(frames), GROUP_FRAMES):
        _exhaust(encode_group(encoding, frames[first : first + GROUP_FRAMES]))


def _clip(path: Path, frames: int, picture: Callable[[int], npt.NDArray[np.uint8]]) -> Path:
    """Encode grey pictures with a quiet chroma, losslessly, so that what stays in them stays in the decoded ones."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height = _SMALL
        for number in range(frames):
            frame = av.VideoFrame(*_SMALL, "yuv420p")
            for index, value in ((1, 120), (2, 136)):
                plane(frame, index)[...] = value
            plane(frame, 0)[...] = picture(number)
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _camera(number: int) -> npt.NDArray[np.uint8]:
    """A pattern with detail that moves as a whole."""
    y, x = np.mgrid[: _SMALL[1], : _SMALL[0]].astype(np.float32)
    wave = np.sin((x + 2 * number) / 5) * np.cos((y + number) / 7) + 0.5 * np.sin((x - y + number) / 2.3)
    return (126 + 60 * wave).astype(np.uint8)


def _surveillance(number: int) -> npt.NDArray[np.uint8]:
    """A square of 40 pixels before what a camera on a wall sees."""
    scene = _camera(0)
    left = 3 * number % (_SMALL[0] - 40)
    scene[160:200, left : left + 40] = 220
    return scene


if __name__ == "__main__":
    sys.exit(main())
