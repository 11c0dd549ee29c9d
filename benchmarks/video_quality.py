"""Compressed video brought back to its size: PSNR, SSIM, XPSNR and flicker of each model beside bicubic.

    python benchmarks/video_quality.py CLIP... --models video standard restore --crf 28 32

Every clip is reduced to at most 960 x 540 pixels, which is the truth; reduced once more by the scale; compressed with
x264; decoded, and enlarged by each model as ``superres upscale`` would, all of it on luma planes.  Clips must be none
that a model was trained on.  VMAF is in no FFmpeg that PyAV brings; XPSNR, which is, stands in for it: errors are
weighted by how much of them is seen in detail and in motion (C. R. Helmrich et al., "XPSNR: A low-complexity extension
of the perceptually weighted peak signal-to-noise ratio for high-resolution video quality assessment", ICASSP 2020).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from superres.formats import Limits
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_decode import Wanted, read_frames
from superres.formats.video_faults import Faults
from superres.formats.video_pixels import plane
from superres.metrics.psnr import psnr
from superres.metrics.ssim import ssim
from superres.metrics.temporal import Motion, clip_motion, temporal_difference, warping_error
from superres.pipeline import Options, Upscaler
from superres.resize import resize
from superres.workflows.video import GROUP_FRAMES
from superres.workflows.video_luma import LumaEnlarger
from superres.workflows.video_samples import luma_picture
from superres.workflows.video_temporal import TemporalEnlarger, temporal_frames

Clip = npt.NDArray[np.uint8]

_LARGEST = 540  # rows of the truth
_INNER = slice(8, -8)  # what is measured, down and across
_SSIM_EVERY = 5


@dataclass(frozen=True)
class _Scores:
    """Of one clip and model; dB, index, and 1/255 of the sample range."""

    psnr: float
    ssim: float
    xpsnr: float
    difference: float
    warping: float

    def cells(self) -> str:
        return f"{self.psnr:.2f} | {self.ssim:.4f} | {self.xpsnr:.2f} | {self.difference:.3f} | {self.warping:.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one row per clip, quality and model; the exit code."""
    options = _parser().parse_args(arguments)
    print("| clip | CRF | model | PSNR-Y | SSIM | XPSNR-Y | temporal difference | warping |\n|-|-:|-|-:|-:|-:|-:|-:|")
    means: dict[tuple[int, str], list[_Scores]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for clip in options.clips:
            frames = list(_reduced(clip, options))
            truth = np.stack([plane(frame, 0) for frame in frames])
            motion = clip_motion(truth[:, _INNER, _INNER])
            for crf in options.crf:
                small = _compressed(Path(folder) / "small.mp4", frames, crf, options)
                for model in ["bicubic", *options.models]:
                    scores = _scores(_enlarged(small, truth, model, options), truth, motion)
                    means.setdefault((crf, model), []).append(scores)
                    print(f"| {clip.name} | {crf} | {model} | {scores.cells()} |", flush=True)
    if len(options.clips) > 1:
        for (crf, model), several in means.items():
            values = np.mean([list(vars(scores).values()) for scores in several], axis=0)
            print(f"| mean | {crf} | {model} | {_Scores(*map(float, values)).cells()} |")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--models", nargs="+", default=["video", "standard"], help="families, or FOLDER/NAME")
    parser.add_argument("--crf", nargs="+", type=int, default=[28, 32])
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    return parser


def _reduced(clip: Path, options: argparse.Namespace) -> Iterator[Any]:
    """The clip's first frames at the truth's size, in 8 bits."""
    info = probe_video(clip, clip.name, Limits())
    shrink = -(-info.height // _LARGEST)
    width, height = (
        length // shrink // (2 * options.scale) * 2 * options.scale for length in (info.width, info.height)
    )
    for number, frame in enumerate(read_frames(clip, clip.name, info, Wanted(), Faults())):
        if number == options.frames:
            return
        # Without a reduction nothing is interpolated: what the division leaves over is cut off.
        if shrink == 1:
            yield _cropped(frame.reformat(format="yuv420p"), width, height)
        else:
            yield frame.reformat(width, height, "yuv420p", interpolation="AREA")


def _cropped(frame: Any, width: int, height: int) -> Any:
    cut = av.VideoFrame(width, height, "yuv420p")
    for index in range(3):
        target = plane(cut, index)
        target[...] = plane(frame, index)[: target.shape[0], : target.shape[1]]
    return cut


def _compressed(path: Path, frames: Sequence[Any], crf: int, options: argparse.Namespace) -> Path:
    """The clip, reduced by the scale, as a file."""
    width, height = frames[0].width // options.scale, frames[0].height // options.scale
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": options.preset})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, frame in enumerate(frames):
            small = frame.reformat(width, height, "yuv420p", interpolation="BICUBIC")
            small.pts, small.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(small))
        output.mux(stream.encode(None))
    return path


def _enlarged(small: Path, truth: Clip, model: str, options: argparse.Namespace) -> Clip:
    info = probe_video(small, small.name, Limits())
    frames = read_frames(small, small.name, info, Wanted(), Faults())
    size = truth.shape[2], truth.shape[1]
    if model == "bicubic":
        return np.stack([resize(plane(frame, 0)[:, :, None], truth.shape[1:])[:, :, 0] for frame in frames])
    chosen = Options(scale=options.scale, model=model, precision=options.precision, threads=options.threads)
    with Upscaler(chosen) as upscaler:
        return np.stack(list(_planes(upscaler, info, size, frames)))


def _planes(upscaler: Upscaler, info: VideoInfo, size: tuple[int, int], frames: Iterator[Any]) -> Iterator[Clip]:
    stopped = threading.Event()
    if upscaler.choice(luma_picture(info), size[0] / info.width).cards[0].kind == "video":
        enlarger = TemporalEnlarger(upscaler, info, size, stopped)
        for _, large in temporal_frames(frames, enlarger, 0, GROUP_FRAMES, stopped):
            yield large
        return
    luma = LumaEnlarger(upscaler, info, size, None, stopped)
    for frame in frames:
        yield luma.enlarge(plane(frame, 0))


def _scores(result: Clip, truth: Clip, motion: Sequence[Motion]) -> _Scores:
    result, truth = result[:, _INNER, _INNER], truth[:, _INNER, _INNER]
    return _Scores(
        float(np.mean([psnr(a, b) for a, b in zip(result, truth, strict=True)])),
        float(np.mean([ssim(a, b) for a, b in zip(result[::_SSIM_EVERY], truth[::_SSIM_EVERY], strict=True)])),
        _xpsnr(result, truth),
        temporal_difference(result, truth),
        warping_error(result, truth, motion=motion),
    )


def _xpsnr(result: Clip, truth: Clip) -> float:
    """XPSNR of all frames together, dB, as FFmpeg's filter tells it."""
    _, height, width = truth.shape
    graph = av.filter.Graph()
    size = {"video_size": f"{width}x{height}", "pix_fmt": "gray", "time_base": "1/25", "pixel_aspect": "1/1"}
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told"
        sources = [graph.add("buffer", **size) for _ in range(2)]
        compared, sink = graph.add("xpsnr", f"stats_file={told}"), graph.add("buffersink")
        for index, source in enumerate(sources):  # the truth first: its detail and motion give the weights
            source.link_to(compared, 0, index)
        compared.link_to(sink)
        graph.configure()
        for number, planes in enumerate(zip(truth, result, strict=True)):
            for source, samples in zip(sources, planes, strict=True):
                frame = av.VideoFrame(width, height, "gray")
                plane(frame, 0)[...] = samples
                frame.pts = number
                source.push(frame)
            sink.pull()
        for source in sources:
            source.push(None)
        del compared, sink, source, sources, graph  # the last line is written when the filter is freed
        return float(told.read_text().rpartition("y:")[2])


if __name__ == "__main__":
    sys.exit(main())
