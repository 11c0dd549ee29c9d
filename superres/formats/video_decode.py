"""Frames of a video, in order of their time, with what went wrong on the way written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from superres.formats.video import VideoInfo, main_stream
from superres.formats.video_av import open_video, pyav, seconds_text
from superres.formats.video_faults import ANEW, ONE_CLOCK, Faults, FaultsFrom
from superres.formats.video_pixels import standard_frame

__all__ = ["Wanted", "read_frames"]

# Decoding starts this much before the first frame wanted, and has warmed up after so many frames: the filter that
# makes frames of fields looks at its neighbours, and nothing that a key frame left behind may be missing.
_MARGIN = Fraction(1)
_WARM_FRAMES = 3


@dataclass(frozen=True)
class Wanted:
    """Which frames, by timestamps in units of the stream's time base.

    Attributes:
        first: the first frame is at or after it; None for the stream's beginning.
        stop: the last frame is before it; None for the stream's end.
    """

    first: int | None = None
    stop: int | None = None


def read_frames(
    source: Path, name: str, info: VideoInfo, wanted: Wanted, faults: Faults, *, deinterlace: bool = False
) -> Iterator[Any]:
    """Decode frames as they are wanted, in order of time; each with its own timestamp.

    Frames that cannot be decoded are left out; decoding ends where the file can be read no further, where the picture
    changes its size or format, or where the clock begins anew, as in transport streams put one behind the other.
    All of it is told to ``faults``.  With ``wanted.first`` it begins near there when the file allows to, otherwise at
    the file's beginning: frames are the same either way.

    Args:
        source: the file.
        name: what messages call it.
        info: what :func:`superres.formats.video.probe_video` told.
        wanted: which part.
        faults: what went wrong goes there.
        deinterlace: turn the two fields of each interlaced frame into one frame (BWDIF), one for one.

    Yields:
        PyAV video frames in ``info.pixels`` with ``pts`` in units of ``info.time_base``, strictly increasing.

    Raises:
        InputError: the file cannot be opened.
    """
    for seek in (True, False):
        with open_video(source, name) as container:
            stream = main_stream(container, name)
            start = wanted.first - round(_MARGIN / info.time_base) if wanted.first is not None else None
            sought = seek and start is not None and _seek(container, stream, start)
            # What lies before the part that is wanted may lack what it refers to: no fault of the file.
            told = FaultsFrom(faults, wanted.first)
            frames = _checked(_decoded(container, stream, told), info, told, deinterlace=deinterlace)
            if deinterlace:
                frames = _deinterlaced(frames, info)
            early = 0
            complete = True
            for frame in _in_order(frames, faults, info):
                if wanted.first is not None and frame.pts < wanted.first:
                    early += 1
                    continue
                if sought and early < _WARM_FRAMES:
                    complete = False  # landed too late: once more, from the beginning
                    break
                if wanted.stop is not None and frame.pts >= wanted.stop:
                    return
                # From here on nothing is begun anew.
                early = _WARM_FRAMES
                yield frame
            if complete:
                return


def _seek(container: Any, stream: Any, position: int) -> bool:
    """Go to the key frame before ``position``; False where files have no index that could be trusted."""
    if "mpegts" in container.format.name:
        return False
    av = pyav()
    try:
        container.seek(position, stream=stream, backward=True)
    except av.FFmpegError:
        return False
    return True


def _decoded(container: Any, stream: Any, told: FaultsFrom) -> Iterator[Any]:
    """Every frame that can be decoded."""
    av = pyav()
    stream.thread_type = "AUTO"
    packets = container.demux(stream)
    pts: int | None = None
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as exc:
            told.add(f"cannot be read past {_time(pts, stream)} ({exc.strerror or type(exc).__name__})", None)
            packet = None
        if packet is None:
            break
        pts = packet.pts if packet.pts is not None else pts
        if packet.is_corrupt:
            told.add(f"the data at {_time(pts, stream)} is incomplete", pts)
        yield from _frames_of(stream, packet, pts, told)
    # The demultiplexer flushes the decoder itself, unless it ended in an error.
    if stream.codec_context.is_open:
        yield from _frames_of(stream, None, pts, told)


def _frames_of(stream: Any, packet: Any, pts: int | None, told: FaultsFrom) -> Iterator[Any]:
    av = pyav()
    try:
        yield from stream.decode(packet)
    except av.EOFError:
        return  # flushed before
    except av.FFmpegError:
        told.add(f"the picture at {_time(pts, stream)} is damaged and was left out", pts)


def _time(pts: int | None, stream: Any) -> str:
    return "the beginning" if pts is None else seconds_text(float(pts * stream.time_base))


def _checked(frames: Iterator[Any], info: VideoInfo, told: FaultsFrom, *, deinterlace: bool) -> Iterator[Any]:
    """Frames as long as they are of one kind, under the standard name of their format."""
    for frame in frames:
        plain, time = standard_frame(frame), seconds_text(frame.time or 0)
        size = (plain.width, plain.height, plain.format.name)
        if size != (info.width, info.height, info.pixels.name):
            told.add(f"the picture becomes {size[0]} x {size[1]} {size[2]} at {time}; the rest was left out", None)
            return
        if frame.is_corrupt:
            told.add(f"the picture at {time} is damaged; what the decoder made of it stands", frame.pts)
        if frame.interlaced_frame and not deinterlace:
            told.add("some pictures are interlaced, not the first ones: --deinterlace makes whole ones of them", None)
        yield plain


def _in_order(frames: Iterator[Any], faults: Faults, info: VideoInfo) -> Iterator[Any]:
    """Frames with strictly increasing timestamps: players and containers know no others."""
    last: int | None = None
    for frame in frames:
        pts = frame.pts if frame.pts is not None else frame.dts
        if pts is not None and last is not None and (last - pts) * info.time_base > ANEW:
            at = seconds_text(float(last * info.time_base))
            faults.add(f"the clock begins anew after {at}; the rest was left out: {ONE_CLOCK}")
            return
        if pts is None or (last is not None and pts <= last):
            pts = 0 if last is None else last + 1
            faults.add(f"a picture near {seconds_text(float(pts * info.time_base))} has no time of its own")
        frame.pts = last = pts
        yield frame


def _deinterlaced(frames: Iterator[Any], info: VideoInfo) -> Iterator[Any]:
    """One whole frame for each interlaced one, at its time; others as they are (all, when none said it was)."""
    av = pyav()
    graph = av.filter.Graph()
    which = "interlaced" if info.interlaced else "all"
    colours = info.colours
    source = graph.add(
        "buffer",
        video_size=f"{info.width}x{info.height}",
        pix_fmt=info.pixels.name,
        time_base=str(info.time_base),
        pixel_aspect="1/1",
        colorspace=str(colours.matrix),
        range=str(colours.range_code),
    )
    graph.link_nodes(
        source, graph.add("bwdif", f"mode=send_frame:parity=auto:deint={which}"), graph.add("buffersink")
    ).configure()

    def ready() -> Iterator[Any]:
        while True:
            try:
                frame = graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            # The filter counts in finer units.
            finer = frame.time_base / info.time_base
            frame.pts, frame.duration = int(frame.pts * finer), int(frame.duration * finer)
            frame.time_base = info.time_base
            yield frame

    for frame in frames:
        frame.colorspace, frame.color_range = colours.matrix, colours.range_code
        graph.vpush(frame)
        yield from ready()
    graph.vpush(None)
    yield from ready()
