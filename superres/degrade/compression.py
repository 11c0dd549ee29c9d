"""Video compression in memory: H.264 and HEVC, there and back, through the encoders that people use."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import MissingExtraError, OptionError, near_match

__all__ = ["ENCODERS", "compress"]

Bytes = npt.NDArray[np.uint8]

#: Name -> FFmpeg's encoder, and the largest constant rate factor.
ENCODERS: dict[str, tuple[str, int]] = {"h264": ("libx264", 51), "hevc": ("libx265", 51)}

#: x265 4.1 spoils memory below this many columns.
_SMALLEST = 64


def compress(clip: Bytes, encoder: str, crf: int, *, preset: str = "veryfast", interval: int = 250) -> Bytes:
    """Compress a clip of luma planes and decode it again.

    Args:
        clip: uint8 (T, H, W), H and W even, and at least 64 for ``hevc``; goes through as 4:2:0 with quiet chroma.
        encoder: a key of :data:`ENCODERS`.
        crf: constant rate factor, 0 to 51: larger is worse.
        preset: of the encoder.
        interval: frames from key frame to key frame.

    Returns:
        The decoded clip, of the same shape.

    Raises:
        OptionError: an unknown encoder, another rate factor, or a clip of another form.
        MissingExtraError: PyAV is not installed.
    """
    if encoder not in ENCODERS:
        hint = near_match(encoder, ENCODERS)
        raise OptionError(f"encoder {encoder!r} is unknown: expected one of {sorted(ENCODERS)}{hint}")
    name, worst = ENCODERS[encoder]
    if not 0 <= crf <= worst:
        raise OptionError(f"crf {crf}: expected 0 to {worst}")
    if clip.dtype != np.uint8 or clip.ndim != 3 or any(side % 2 for side in clip.shape[1:]):
        raise OptionError(f"cannot compress an array {clip.dtype} {clip.shape}: expected uint8 (T, H, W), even sides")
    if encoder == "hevc" and min(clip.shape[1:]) < _SMALLEST:
        raise OptionError(f"hevc: {clip.shape[2]} x {clip.shape[1]} pixels, expected at least {_SMALLEST} a side")
    options = {"crf": str(crf), "preset": preset, "g": str(interval)}
    if encoder == "hevc":
        # One thread, as everything here that is done beside a training; and no chatter.
        options["x265-params"] = "log-level=none:pools=none:frame-threads=1"
    return _decoded(_encoded(clip, name, options), len(clip))


def _encoded(clip: Bytes, encoder: str, options: dict[str, str]) -> bytes:
    av = _pyav()
    _, height, width = clip.shape
    contents = io.BytesIO()
    with av.open(contents, "w", format="matroska") as output:
        stream = output.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for number, plane in enumerate(clip):
            frame = av.VideoFrame(width, height, "yuv420p")
            for target, values in zip(frame.planes, (plane, 128, 128), strict=True):
                rows = np.frombuffer(target, np.uint8).reshape(target.height, target.line_size)
                rows[:, : target.width] = values
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return contents.getvalue()


def _decoded(contents: bytes, count: int) -> Bytes:
    av = _pyav()
    planes = []
    with av.open(io.BytesIO(contents), format="matroska") as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            planes.append(rows[:, : plane.width].copy())
    if len(planes) != count:
        raise RuntimeError(f"the decoder gave {len(planes)} of {count} pictures")
    return np.stack(planes)


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", "video") from error
    return av
