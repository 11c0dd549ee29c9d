"""Tiny clips for tests, made with PyAV, and what a second reader (ffprobe) says of a file."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

Planes = list[npt.NDArray[Any]]

#: Wide enough for every encoder: x265 4.1 spoils memory below 64 columns.
SIZE = (64, 48)
#: x265 writes beyond its memory below 64 pixels a side.
X265_SIZE = (128, 96)
#: Variable frame rate, with a gap: in units of 1/600 s.
VARIABLE = [0, 20, 40, 61, 80, 200, 220, 245, 260, 283, 300, 320]


@dataclass
class Clip:
    """What to make.

    Attributes:
        times: of the frames, in units of ``time_base``.
        picture: frame number -> planes; by default a drifting pattern.
        colours: (range, primaries, transfer, matrix) in H.273 codes; 2 (range 0) is unspecified.
        timecode: of the first picture, which QuickTime and MP4 keep in a track of its own.
        sound: packets of a fiftieth of a second in each audio stream.
        extras: streams beside the picture: any of ``audio``, ``second audio``, ``subtitles``, ``font``, ``cover``.
    """

    times: Sequence[int] = tuple(range(0, 240, 20))
    time_base: Fraction = Fraction(1, 600)
    size: tuple[int, int] = SIZE
    encoder: str = "libx264"
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=lambda: {"crf": "10", "preset": "ultrafast"})
    colours: tuple[int, int, int, int] = (0, 2, 2, 2)
    aspect: Fraction | None = None
    rotation: tuple[int, bool] | None = None
    chapters: Sequence[tuple[int, int, str]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    extras: Sequence[str] = ()
    picture: Callable[[int], Planes] | None = None
    flags: str = ""
    timecode: str = ""
    sound: int = 20


def drifting(number: int, size: tuple[int, int], pixels: str) -> Planes:
    """Planes of a pattern that moves by a pixel per frame, all samples within the limited range."""
    peak = 876 if "10" in pixels else 219
    floor = 64 if "10" in pixels else 16
    across, down = (1, 1) if "444" in pixels else (2, 1) if "422" in pixels else (2, 2)
    planes = []
    for index in range(3):
        width, height = (size[0], size[1]) if index == 0 else (-(-size[0] // across), -(-size[1] // down))
        y, x = np.mgrid[:height, :width]
        wave = np.sin((x + number) / (3 + index)) * np.cos((y + 2 * index) / 5)
        planes.append((floor + peak * (0.5 + 0.4 * wave)).astype(np.uint16 if "10" in pixels else np.uint8))
    return planes


def fill(frame: Any, planes: Planes) -> None:
    """Write planes into a frame."""
    for target, samples in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(target, samples.dtype).reshape(target.height, target.line_size // samples.itemsize)
        rows[:, : target.width] = samples


def make_clip(path: Path, clip: Clip) -> Path:
    """Encode a clip; the suffix names the container."""
    container = {".mkv": "matroska", ".ts": "mpegts"}.get(path.suffix, path.suffix[1:])
    free = {"movflags": "use_metadata_tags"} if any("." in tag for tag in clip.tags) else {}
    with av.open(str(path), "w", format=container, container_options=free) as output:
        stream = output.add_stream(clip.encoder, options=dict(clip.options))
        stream.width, stream.height = clip.size
        stream.pix_fmt = clip.pixels
        stream.time_base = stream.codec_context.time_base = clip.time_base
        stream.codec_context.framerate = Fraction(30)
        context = stream.codec_context
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = clip.colours
        context.thread_count = 1
        if clip.flags:
            context.options = {**context.options, "flags": clip.flags}
        if clip.timecode:
            stream.metadata["timecode"] = clip.timecode
        if clip.aspect:
            context.sample_aspect_ratio = clip.aspect
        if clip.rotation:
            stream.set_display_rotation(clip.rotation[0], hflip=clip.rotation[1])
        extras = {name: _add_extra(output, name) for name in clip.extras}
        output.metadata.update(clip.tags)
        output.set_chapters(
            [
                {"id": i, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for i, (a, b, title) in enumerate(clip.chapters)
            ]
        )
        for number, time in enumerate(clip.times):
            frame = av.VideoFrame(*clip.size, clip.pixels)
            fill(frame, clip.picture(number) if clip.picture else drifting(number, clip.size, clip.pixels))
            frame.pts, frame.time_base = time, clip.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        for name, extra in extras.items():
            _fill_extra(output, name, extra, clip.sound)
    return path


def _add_extra(output: Any, name: str) -> Any:
    if name.endswith("audio"):
        stream = output.add_stream("libopus" if output.format.name == "webm" else "aac", rate=48000)
        stream.layout = "mono"
        stream.metadata["language"] = "eng" if name == "audio" else "ger"
        return stream
    if name == "subtitles":
        stream = output.add_mux_stream("subrip")
        stream.time_base = Fraction(1, 1000)
        stream.metadata["language"] = "fre"
        return stream
    if name == "font":
        return output.add_attachment("tiny.ttf", "application/x-truetype-font", bytes(range(100)))
    stream = output.add_stream("mjpeg")  # a cover picture
    stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
    stream.disposition = av.stream.Disposition.attached_pic
    return stream


def _fill_extra(output: Any, name: str, stream: Any, sound: int) -> None:
    if name.endswith("audio"):
        for i in range(sound):
            wave = np.sin(np.arange(i * 960, (i + 1) * 960) * (0.05 if name == "audio" else 0.02))[None]
            format = "s16" if stream.codec_context.name == "libopus" else "fltp"
            samples = (wave * 9000).astype(np.int16) if format == "s16" else wave.astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format, "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, i * 960, Fraction(1, 48000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    elif name == "subtitles":
        for start, text in ((50, b"first words"), (200, b"second words")):
            packet = av.Packet(text)
            packet.pts = packet.dts = start
            packet.duration, packet.time_base, packet.stream = 100, Fraction(1, 1000), stream
            output.mux(packet)
    elif name == "cover":
        output.mux(stream.encode(av.VideoFrame(16, 16, "yuvj420p")))


def decoded(path: Path) -> list[tuple[Fraction, str]]:
    """(time, hash of the samples) of every frame of the first video stream."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            digest = hashlib.sha256()
            for plane in samples(frame):
                digest.update(plane.tobytes())
            frames.append((frame.pts * frame.time_base, digest.hexdigest()))
    return frames


def samples(frame: Any) -> Planes:
    """The planes of a frame, without padding."""
    found = []
    for plane in frame.planes:
        dtype = np.dtype(np.uint8 if frame.format.components[0].bits == 8 else np.uint16)
        rows = np.frombuffer(plane, dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
        found.append(rows[:, : plane.width].copy())
    return found


def first_frame(path: Path) -> Any:
    """The first frame of a file."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def ffprobe(path: Path) -> dict[str, Any]:
    """Streams, format, chapters, packets and frames, as a second reader sees them."""
    if shutil.which("ffprobe") is None:
        pytest.skip("NO FFPROBE: it is absent, so results are not checked by a second reader; install ffmpeg")
    shown = "-show_streams -show_format -show_chapters -show_packets -show_frames -show_data_hash md5 -of json"
    command = ["ffprobe", "-v", "error", *shown.split(), str(path)]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told
