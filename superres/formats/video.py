"""What a video is: probed from its headers and first frames, before anything is enlarged."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from superres.errors import CorruptInputError, InputError, UnsupportedFormatError
from superres.formats.base import Limits
from superres.formats.video_av import open_video, pyav
from superres.formats.video_colour import Colours, resolved_colours
from superres.formats.video_hdr import Mastering, light_levels, mastering_display
from superres.formats.video_pixels import Pixels, chroma_siting, pixels_of

__all__ = ["VideoInfo", "main_stream", "probe_video", "side_data"]

#: Decoders that a file may reach, by FFmpeg's codec names.
_CODECS = (
    "h264 hevc av1 vp8 vp9 mpeg1video mpeg2video mpeg4 prores dnxhd ffv1".split()  # noqa: SIM905  (one line reads best)
)
_PROBED_FRAMES = 16
_ATTACHED = 1 << 10 | 1 << 11  # dispositions: cover picture, timed thumbnails
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class VideoInfo:
    """A video's main stream, and what must be known of its file.

    Attributes:
        stream: index of the stream that is enlarged, in the file.
        codec: FFmpeg's name, such as ``h264``.
        width, height: of the coded picture, before any rotation.
        pixels: the pixel format.
        colours: range, primaries, transfer, matrix, all explicit.
        siting: where chroma samples lie: ``left``, ``center``, ``topleft``, ``top``, ``bottomleft`` or ``bottom``.
        aspect: sample aspect ratio, None when the file states none.
        matrix: the display matrix (rotation, mirroring) as 9 integers of FFmpeg, None when there is none.
        time_base: seconds per unit of the stream's timestamps.
        rate: frames per second, roughly.
        frames: how many, roughly; 0 when unknown.
        begin: seconds at which the file's earliest stream begins.
        end: when the last frame has been shown, by the container, in units of the time base; None when it is silent.
        interlaced: whether any of the first frames is.
        mastering, light: HDR10 metadata, None when absent.
        captions: whether closed captions lie inside the frames.
        dynamic: whether HDR10+ metadata lies inside the frames.
        lossless: whether nothing was lost in compression, as far as the codec says.
    """

    stream: int
    codec: str
    width: int
    height: int
    pixels: Pixels
    colours: Colours
    siting: str
    aspect: Fraction | None
    matrix: tuple[int, ...] | None
    time_base: Fraction
    rate: Fraction
    frames: int
    begin: Fraction
    end: int | None
    interlaced: bool
    mastering: Mastering | None
    light: tuple[int, int] | None
    captions: bool
    dynamic: bool
    lossless: bool = False


def probe_video(source: Path, name: str, limits: Limits) -> VideoInfo:
    """Look at a video's headers and decode its first frames.

    Args:
        source: the file.
        name: what messages call it.
        limits: the largest *frame* accepted, in pixels; a video may have any number of frames, as they stream through.

    Raises:
        InputError: as :func:`superres.formats.video_av.open_video`; no video stream, or nothing that can be decoded.
        UnsupportedFormatError: a codec or pixel format that is not taken, transparency, Dolby Vision.
        LimitError: frames larger than the limit; nothing has been decoded by us.
    """
    with open_video(source, name) as container:
        stream = main_stream(container, name)
        context = stream.codec_context
        if min(context.width, context.height) < 1:
            raise CorruptInputError(f"{name}: declares {context.width} x {context.height} pixels; get the file again")
        limits.check_input(name, context.width, context.height)
        # A stream may announce small frames and hold large ones.
        context.options = {"max_pixels": str(limits.input_pixels)}
        if stream.metadata.get("alpha_mode") == "1":
            raise UnsupportedFormatError(f"{name}: has transparency, which no encoder here keeps; flatten it first")
        first, frames = _first_frames(container, stream)
        if first is None or not frames:
            raise CorruptInputError(f"{name}: none of its first pictures can be decoded; get the file again")
        data = [side_data(frame) for frame in frames]
        if any(key.startswith("DOVI") for found in data for key in found):
            raise UnsupportedFormatError(
                f"{name}: is Dolby Vision, whose dynamic layer cannot be enlarged; take it out first with\n"
                "  ffmpeg -i IN -map 0 -c copy -bsf:v dovi_rpu=strip OUT"
            )
        siting = chroma_siting(stream, first)
        return _info(container, stream, frames, data, siting, name)


def main_stream(container: Any, name: str) -> Any:
    """The stream that is enlarged: the first video stream that is no cover picture.

    Raises:
        InputError: there is none.
        UnsupportedFormatError: its codec is not on the allow-list.
    """
    streams = [s for s in container.streams.video if not int(s.disposition) & _ATTACHED]
    if not streams:
        raise InputError(f"{name}: has no video stream")
    stream = streams[0]
    codec = stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"
    if codec not in _CODECS:
        raise UnsupportedFormatError(
            f"{name}: its video is {codec}; expected one of {', '.join(_CODECS)}: convert it first, for example with  "
            "ffmpeg -i IN -c:v ffv1 -c:a copy OUT.mkv"
        )
    return stream


def side_data(frame: Any) -> dict[str, bytes]:
    """A frame's side data by PyAV's names; empty when it holds a kind that PyAV does not know."""
    try:
        return {item.type.name: bytes(item) for item in frame.side_data}
    except ValueError:
        return {}


def _first_frames(container: Any, stream: Any) -> tuple[Any, list[Any]]:
    """The first packet and up to :data:`_PROBED_FRAMES` frames; damaged packets are passed over."""
    av = pyav()
    first: Any = None
    frames: list[Any] = []
    packets = container.demux(stream)
    while len(frames) < _PROBED_FRAMES:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            first = packet if first is None else first
            frames += packet.decode()
        except av.InvalidDataError:
            continue
        except av.FFmpegError:
            break
    return first, frames


def _info(
    container: Any, stream: Any, frames: list[Any], data: list[dict[str, bytes]], siting: str, name: str
) -> VideoInfo:
    context, frame = stream.codec_context, frames[0]
    colours = resolved_colours(
        int(frame.color_range),
        int(frame.color_primaries),
        int(frame.color_trc),
        int(frame.colorspace),
        frame.width,
        frame.height,
        full=frame.format.name.startswith("yuvj"),
    )
    # Of a variable rate the average may be anything; FFmpeg's guess is the rate that frames keep to where they do.
    rate, average = stream.guessed_rate or stream.average_rate or Fraction(25), stream.average_rate
    rate = average if average and abs(average / rate - 1) < Fraction(1, 100) else rate
    length = Fraction(container.duration or 0) * _MICROSECOND
    pixels = pixels_of(frame.format.name, name)
    merged = {key: value for found in reversed(data) for key, value in found.items()}
    turn = merged.get("DISPLAYMATRIX", b"")
    return VideoInfo(
        stream=stream.index,
        codec=context.codec.canonical_name,
        width=frame.width,
        height=frame.height,
        pixels=pixels,
        colours=colours,
        siting=siting,
        aspect=stream.sample_aspect_ratio or None,
        matrix=struct.unpack("=9i", turn) if len(turn) == 36 else None,
        time_base=stream.time_base,
        rate=rate,
        frames=stream.frames or round(length * rate),
        begin=Fraction(container.start_time or 0) * _MICROSECOND,
        end=stream.start_time + stream.duration if stream.duration and stream.start_time is not None else None,
        interlaced=any(found.interlaced_frame for found in frames),
        mastering=mastering_display(merged),
        light=light_levels(merged),
        captions="A53_CC" in merged,
        dynamic="DYNAMIC_HDR_PLUS" in merged,
        lossless=context.codec.canonical_name == "ffv1",
    )
