"""Pixel formats of video, and the planes of a frame as arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import UnsupportedFormatError
from superres.formats.video_av import pyav

__all__ = ["Pixels", "chroma_siting", "pixels_of", "plane", "standard_frame"]

# H.273 chroma_sample_loc_type, which H.264 and HEVC use, and AV1's chroma_sample_position.
_LOCATIONS = ("left", "center", "topleft", "top", "bottomleft", "bottom")
_AV1_POSITIONS = ("left", "left", "topleft")


@dataclass(frozen=True)
class Pixels:
    """A planar Y'CbCr or grey pixel format.

    Attributes:
        name: FFmpeg's, such as ``yuv420p10le``; never one of the ``yuvj`` names, which only mean full range.
        bits: per sample, 8, 10 or 12.
        chroma: (horizontal, vertical) subsampling factor, such as (2, 2) for 4:2:0; None for grey.
    """

    name: str
    bits: int
    chroma: tuple[int, int] | None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of one sample in memory."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def peak(self) -> int:
        """The largest sample."""
        return (1 << self.bits) - 1


def pixels_of(format_name: str | None, name: str) -> Pixels:
    """The pixel format with FFmpeg's name ``format_name``.

    Raises:
        UnsupportedFormatError: RGB, palettes, alpha, packed samples, or a depth other than 8, 10 and 12 bits.

    >>> pixels_of("yuvj420p", "clip"), pixels_of("yuv422p10le", "clip").peak
    (Pixels(name='yuv420p', bits=8, chroma=(2, 2)), 1023)
    """
    text = (format_name or "unknown").replace("yuvj", "yuv")
    match = re.fullmatch(r"(?:gray|yuv(4[24][0124])p)(?:(10|12)le)?", text)
    factors = {"420": (2, 2), "422": (2, 1), "440": (1, 2), "444": (1, 1)}
    if not match or (match[1] and match[1] not in factors):
        raise UnsupportedFormatError(
            f"{name}: its pixels are {text}; expected planar YUV or grey of 8, 10 or 12 bits without alpha: convert it "
            "first, for example with  ffmpeg -i IN -pix_fmt yuv420p -c:a copy OUT"
        )
    return Pixels(text, int(match[2] or 8), factors[match[1]] if match[1] else None)


def plane(frame: Any, index: int) -> npt.NDArray[Any]:
    """Plane ``index`` of a frame as (rows, columns): the frame's own memory, uint8 or uint16 (native order)."""
    source = frame.planes[index]
    dtype = np.dtype(np.uint8 if frame.format.components[index].bits == 8 else np.uint16)
    rows = np.frombuffer(source, dtype).reshape(source.height, source.line_size // dtype.itemsize)
    return rows[:, : source.width]


def standard_frame(frame: Any) -> Any:
    """The same samples under the standard name of their format: ``yuvj420p`` becomes ``yuv420p``, values kept."""
    if not frame.format.name.startswith("yuvj"):
        return frame
    # Stated as full range on both sides, so that nothing is converted.
    return frame.reformat(format=frame.format.name.replace("yuvj", "yuv"), src_color_range=2, dst_color_range=2)


def chroma_siting(stream: Any, packet: Any) -> str:
    """Where chroma samples lie, by the headers in a stream's first packet: ``left`` unless these say otherwise.

    ``left`` is what H.264 and HEVC prescribe where nothing is said, and what players assume of all others.

    Args:
        stream: the video stream.
        packet: its first one.
    """
    av = pyav()
    codec = stream.codec_context.codec.canonical_name
    if codec not in ("h264", "hevc", "av1"):
        return "left"
    # PyAV shows no chroma location.  FFmpeg's header tracer does, in its log.
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as lines:
            av.BitStreamFilterContext("trace_headers", in_stream=stream).filter(packet)
    except av.FFmpegError:
        return "left"  # headers that cannot be parsed say nothing
    finally:
        av.logging.set_level(level)
    pattern = re.compile(r"chroma_sample_(?:loc_type_top_field|position)\s+[01]+ = (\d+)")
    found = [int(match[1]) for line in lines if (match := pattern.search(line[2]))]
    names = _AV1_POSITIONS if codec == "av1" else _LOCATIONS
    return names[found[0]] if found and found[0] < len(names) else "left"
