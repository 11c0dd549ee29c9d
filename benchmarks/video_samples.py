"""Whole clips through ``superres upscale``, and what ffprobe says of each before and after.

    python benchmarks/video_samples.py CLIP... [--model video]

Compared are the number of frames, every frame's time, the duration of the file and of its pictures, the list of
streams, every packet of the copied ones (time, hash), chapters, rotation, the shape of pixels, colour tags and bit
depth.  What the source leaves unsaid of its colours the result may state.  Without ``--model`` pixels are repeated
instead of computed, which takes seconds a clip.  Interlaced clips are made with ``--deinterlace``.  The exit code is 1
when a single thing differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from superres.backends import Backend, Precision, open_backend
from superres.backends.base import Bytes, Floats
from superres.errors import InferenceError
from superres.formats import Limits
from superres.formats.video import probe_video
from superres.options import VideoOptions
from superres.pipeline import Options, Upscaler

_SHOWN = "-show_streams -show_format -show_chapters -show_packets -show_frames -show_data_hash md5 -of json"
#: Without a better reason containers count no finer: a millisecond, and ffprobe's rounding.
_TICK = 0.0011


class _Repeating:
    """Stands in for a network of pictures: each pixel four times."""

    precision: Precision = "fp32"
    lanes = 1

    def run(self, batch: Floats) -> Floats:
        return np.repeat(np.repeat(batch, 2, axis=2), 2, axis=3)

    def run_bytes(self, batch: Bytes) -> Bytes:
        raise InferenceError("a stand-in in fp32: use run")

    def step(self, frames: Floats, state: Floats | None) -> tuple[Floats, Floats]:
        raise InferenceError("a stand-in for pictures: use run")

    def close(self) -> None:
        """Nothing is held."""


def _open_repeating(name: str, model: bytes, *, precision: Precision = "fp32", threads: int = 0) -> Backend:
    return _Repeating()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one row per clip; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--model", default="", help="a family; without it pixels are repeated")
    options = parser.parse_args(arguments)
    differences = 0
    print("| clip | frames | seconds | streams | chapters | differs |\n|-|-:|-:|-|-:|-|")
    with tempfile.TemporaryDirectory() as folder:
        for clip in options.clips:
            target = _enlarged(clip, Path(folder), options.model)
            before, after = _told(clip), _told(target)
            found = list(_differences(before, after, chained=clip.suffix != target.suffix))
            target.unlink()
            differences += len(found)
            kinds = ", ".join(stream["codec_type"] for stream in before["streams"])
            frames, seconds = len(_of(before, "frame", "pts_time")), before["format"]["duration"]
            row = (clip.name, frames, seconds, kinds, len(before["chapters"]), "; ".join(found) or "nothing")
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
    return 1 if differences else 0


def _enlarged(clip: Path, folder: Path, model: str) -> Path:
    info = probe_video(clip, clip.name, Limits())
    target = folder / f"result{'.mp4' if clip.suffix == '.ts' else clip.suffix}"
    preset = "12" if clip.suffix == ".webm" and info.pixels.bits > 8 else "8" if clip.suffix == ".webm" else "ultrafast"
    video = VideoOptions(preset=preset, deinterlace=info.interlaced)
    chosen = Options(scale=2, model=model or "realtime", precision="auto" if model else "fp32", video=video)
    opener: Callable[..., Backend] = open_backend if model else _open_repeating
    with Upscaler(chosen, opener=opener) as upscaler:
        result = upscaler.file(clip, target)
    for warning in result.warnings:
        print(f"{clip.name}: {warning}", file=sys.stderr)
    return target


def _told(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", *_SHOWN.split(), str(path)]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told


def _of(told: dict[str, Any], kind: str, *names: str, stream: int = 0) -> list[Any]:
    """What ffprobe told of every packet or frame of a stream."""
    found = [item for item in told["packets_and_frames"] if item["type"] == kind and item["stream_index"] == stream]
    return [tuple(item.get(name) for name in names) for item in found]


def _differences(before: dict[str, Any], after: dict[str, Any], *, chained: bool) -> list[str]:
    """What is not as it was, in words; ``chained``: the container is another one."""
    found = []
    times = [_of(told, "frame", "pts_time") for told in (before, after)]
    if len(times[0]) != len(times[1]):
        found.append(f"{len(times[0])} frames, now {len(times[1])}")
    elif any(abs(float(a) - float(b)) > 1e-6 for (a,), (b,) in zip(*times, strict=True)):
        found.append("times of frames")
    found += _numbers("seconds", *({"duration": _seconds(told)} for told in (before, after)))
    kinds = [[stream["codec_type"] for stream in told["streams"]] for told in (before, after)]
    if kinds[0] != kinds[1]:
        return [*found, f"streams {kinds[0]}, now {kinds[1]}"]
    for index, (one, other) in enumerate(zip(before["streams"], after["streams"], strict=True)):
        found += _numbers(f"seconds of stream {index}", one, other)
        if index:
            names = ("codec_name", "channels", "sample_rate", "width", *(() if chained else ("disposition",)))
            found += [f"{name} of stream {index}" for name in names if one.get(name) != other.get(name)]
            told = ("pts_time", "data_hash") if not chained else ("data_hash",)
            if _of(before, "packet", *told, stream=index) != _of(after, "packet", *told, stream=index):
                found.append(f"packets of stream {index}")
    titles = [[(c["start_time"], c["end_time"], c.get("tags")) for c in told["chapters"]] for told in (before, after)]
    return [*found, *(["chapters"] if titles[0] != titles[1] else []), *_pictures(before, after)]


def _seconds(told: dict[str, Any]) -> float:
    """From the first stream's beginning to the last one's end; what the file says where streams say nothing."""
    streams = [(float(s["start_time"]), float(s["duration"])) for s in told["streams"] if "duration" in s]
    if not streams:
        return float(told["format"]["duration"])
    return max(begin + length for begin, length in streams) - min(begin for begin, _ in streams)


def _numbers(what: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A duration that both tell, where it is another one."""
    one, other = before.get("duration"), after.get("duration")
    if one is None or other is None or abs(float(one) - float(other)) <= _TICK:
        return []
    return [f"{what} {one}, now {other}"]


def _pictures(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Of the enlarged stream: size, depth, shape of pixels, rotation, colours."""
    one, other = before["streams"][0], after["streams"][0]
    found = [] if (other["width"], other["height"]) == (2 * one["width"], 2 * one["height"]) else ["size"]
    found += [name for name in ("pix_fmt", "sample_aspect_ratio") if one.get(name, "1:1") != other.get(name, "1:1")]
    turned = [[d for d in s.get("side_data_list", ()) if d["side_data_type"] == "Display Matrix"] for s in (one, other)]
    if [d.get("rotation") for d in turned[0]] != [d.get("rotation") for d in turned[1]]:
        found.append("rotation")
    for name in ("color_range", "color_space", "color_primaries", "color_transfer"):
        if one.get(name, "unknown") not in ("unknown", other.get(name)):
            found.append(f"{name} {one[name]}, now {other.get(name)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
