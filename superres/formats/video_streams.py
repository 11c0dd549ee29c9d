"""Everything of a video's file but its pictures: which streams go along, and whether a container can hold them."""

from __future__ import annotations

import functools
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from superres.errors import OptionError, OutputError
from superres.formats.video import VideoInfo
from superres.formats.video_av import encoding as encoding_errors
from superres.formats.video_av import pyav
from superres.formats.video_encode import CODECS, Encoding, configure

__all__ = [
    "CONTAINERS",
    "COVER",
    "Cut",
    "Multiplexer",
    "check_container",
    "container_of",
    "copied_streams",
    "cut_chapters",
]

#: Suffix of a result -> FFmpeg's multiplexer.
CONTAINERS: Mapping[str, str] = MappingProxyType(
    {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm"}
)
# Which codecs of ours each takes; FFmpeg's own answer for QuickTime is wrong.
_HELD = {"matroska": frozenset(CODECS), "mp4": frozenset(CODECS), "mov": {"h264", "hevc"}, "webm": {"vp9", "av1"}}
# Of the file that was, not of its content; or counted anew by the multiplexer.
_FILE_TAGS = re.compile(r"major_brand|minor_version|compatible_brands|encoder", re.IGNORECASE)
_VIDEO_TAGS = re.compile(r"(encoder|duration|bps|number_of_(frames|bytes)|_statistics_.*)(-\w+)?", re.IGNORECASE)
# What MP4's own tag list can name; with others beside them all go into its list of free names.
_MP4_TAGS = re.compile(
    "(title|artist|album_artist|composer|album|date|encoder|comment|genre|copyright|grouping|lyrics|description|synopsis|"
    "show|episode_id|network|keywords|season_number|episode_sort|track|disc|media_type|hd_video|gapless_playback|"
    r"compilation|creation_time|location|language|timecode)(-\w+)?"
)
_LARGEST_TIMESCALE = 2**31 - 1
#: Disposition of a cover picture.
COVER = 1 << 10


@dataclass(frozen=True)
class Cut:
    """A part of a video, in seconds on its file's own clock.

    Attributes:
        start: where it begins, which becomes 0; None for the beginning, and then every time stays as it is.
        stop: where it ends; None for the end.
    """

    start: Fraction | None = None
    stop: Fraction | None = None

    def units(self, seconds: Fraction, time_base: Fraction) -> int:
        """``seconds`` in units of a stream."""
        return round(seconds / time_base)


def container_of(target: Path) -> str:
    """The multiplexer for a target's suffix.

    Raises:
        OptionError: no video goes into such a file.
    """
    container = CONTAINERS.get(target.suffix.lower())
    if container is None:
        raise OptionError(f"{target}: a video goes into one of {', '.join(CONTAINERS)}: name such a file with -o")
    return container


def check_container(source: Any, target: Path, info: VideoInfo, encoding: Encoding, name: str) -> None:
    """Refuse, before any work, a container that cannot hold the result: nothing is dropped silently.

    Args:
        source: the open input container.
        target: the result's file.
        info: of the source.
        encoding: of the result's pictures.
        name: what messages call the source.

    Raises:
        OptionError: it cannot; the message names the stream and the remedy.
    """
    container = container_of(target)
    if encoding.codec not in _HELD[container]:
        fitting = [key for key in CODECS if key in _HELD[container]]
        raise OptionError(
            f"{target}: cannot hold {encoding.codec}: use --codec {' or '.join(fitting)}, or an .mkv file"
        )
    if container in ("matroska", "webm") and info.aspect not in (None, 1) and encoding.codec in ("vp9", "av1"):
        # PyAV cannot set the container's aspect ratio, and these codecs have none of their own.
        raise OptionError(
            f"{target}: would lose the pixels' aspect ratio {info.aspect} with {encoding.codec}: use --codec h264 or "
            "hevc, or an .mp4 file"
        )
    streams = copied_streams(source, info)
    for stream in streams:
        if not _holds(container, stream, source):
            fitting = [s for s, c in CONTAINERS.items() if s != ".m4v" and all(_holds(c, t, source) for t in streams)]
            remedy = (
                f"use -o with {' or '.join(fitting)}"
                if fitting
                else f"take it out first:  ffmpeg -i IN -map 0 -map -0:{stream.index} -c copy OUT"
            )
            raise OptionError(f"{target}: cannot hold stream {stream.index} of {name} ({_described(stream)}): {remedy}")
    try:
        with encoding_errors(str(target)), Multiplexer(io.BytesIO(), source, container, info, encoding, Cut()) as trial:
            trial.begin()
    except OutputError as exc:
        other = ".mp4" if container == "matroska" else ".mkv"
        raise OptionError(
            f"{target}: its container refuses the streams of {name}: use -o with {other} ({exc})"
        ) from exc


def copied_streams(source: Any, info: VideoInfo) -> list[Any]:
    """All streams but the one that is enlarged, and but QuickTime's chapter titles, which are written from chapters."""
    chapters = bool(source.chapters()) and "mov" in source.format.name
    return [
        stream
        for stream in source.streams
        if stream.index != info.stream and not (chapters and stream.type == "data" and stream.name == "bin_data")
    ]


class Multiplexer:
    """A result's container in the making.  A context manager; without :meth:`finish` the file is left unfinished.

    Args:
        file: open for writing, and seekable.
        source: the open input container.
        container: FFmpeg's name.
        info: of the source.
        encoding: of the pictures.
        cut: the part that is made.

    Attributes:
        video: the output stream of the pictures.
        copies: index of a source stream -> its output stream.
    """

    def __init__(
        self, file: BinaryIO, source: Any, container: str, info: VideoInfo, encoding: Encoding, cut: Cut
    ) -> None:
        self._file, self._info, self._encoding, self._cut = file, info, encoding, cut
        self._finished = False
        tags = {key: value for key, value in source.metadata.items() if not _FILE_TAGS.fullmatch(key)}
        streams = copied_streams(source, info)
        options = _container_options(container, tags, [info.time_base, *(s.time_base for s in streams)])
        self._output = pyav().open(
            file, "w", format=container, container_options=options, metadata_errors="surrogateescape"
        )
        self.copies: dict[int, Any] = {}
        for stream in source.streams:
            if stream.index == info.stream:
                self.video = self._add_video(stream)
            elif stream in streams:
                self.copies[stream.index] = self._add_copy(stream)
        self._output.metadata.update(tags)
        self._output.set_chapters(cut_chapters(source.chapters(), cut))

    def __enter__(self) -> Multiplexer:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._finished:
            # PyAV would still write the container's end when it lets go of it, unless the file is closed.
            self._file.close()

    def _add_video(self, stream: Any) -> Any:
        video = self._output.add_stream(CODECS[self._encoding.codec].encoder)
        configure(video.codec_context, self._encoding)
        video.time_base = self._info.time_base
        video.disposition = stream.disposition
        video.metadata.update({k: v for k, v in stream.metadata.items() if not _VIDEO_TAGS.fullmatch(k)})
        if self._info.matrix is not None:
            video.set_display_matrix(_scaled_matrix(self._info, self._encoding.size))
        return video

    def _add_copy(self, stream: Any) -> Any:
        # "Opaque" copies what the stream says of itself, also of video, such as a cover picture.
        copy = self._output.add_stream_from_template(stream, opaque=True)
        copy.time_base = stream.time_base
        copy.disposition = stream.disposition
        whole = self._cut == Cut()
        copy.metadata.update({k: v for k, v in stream.metadata.items() if whole or not _VIDEO_TAGS.fullmatch(k)})
        if stream.type == "video" and stream.average_rate:
            copy.codec_context.framerate = stream.average_rate
        return copy

    def begin(self) -> bytes:
        """Write the container's header; the encoder's own header, as it went in."""
        self._output.start_encoding()
        return self.video.codec_context.extradata or b""

    def write(self, packet: Any) -> None:
        """The next packet, already of one of the output streams."""
        self._output.mux_one(packet)

    def finish(self) -> None:
        """Write the container's end."""
        self._output.close()
        self._finished = True


def _container_options(container: str, tags: Mapping[str, str], time_bases: Sequence[Fraction]) -> dict[str, str]:
    """Times and tags that MP4 and QuickTime would otherwise round and drop."""
    if container not in ("mp4", "mov"):
        return {}
    # When a stream begins is written in units of the movie, by default milliseconds.
    scale = math.lcm(*(base.denominator for base in time_bases))
    options = {"movie_timescale": str(scale)} if scale <= _LARGEST_TIMESCALE else {}
    free = any(not _MP4_TAGS.fullmatch(key) for key in tags)
    return {**options, "movflags": "+use_metadata_tags"} if free else options


def _scaled_matrix(info: VideoInfo, size: tuple[int, int]) -> tuple[int, ...]:
    """The display matrix for the larger picture: only its shift, in pixels, grows."""
    a = list(info.matrix or ())
    a[6] = round(a[6] * size[0] / info.width)
    a[7] = round(a[7] * size[1] / info.height)
    return tuple(a)


def cut_chapters(chapters: Sequence[Mapping[str, Any]], cut: Cut) -> list[dict[str, Any]]:
    """Chapters that lie in the part, on its clock."""
    found = []
    for chapter in chapters:
        base = chapter["time_base"]
        first = 0 if cut.start is None else cut.units(cut.start, base)
        last = chapter["end"] if cut.stop is None else min(chapter["end"], cut.units(cut.stop, base))
        start, end = chapter["start"], last
        if cut.start is not None:
            start, end = max(start, first) - first, end - first
        if end > start or cut == Cut():
            found.append({**chapter, "start": start, "end": end})
    return found


def _holds(container: str, stream: Any, source: Any) -> bool:
    if stream.type == "attachment":
        return container == "matroska"
    if stream.type == "data":
        # Timecode and the like know no other home.
        return container in ("mp4", "mov") and "mov" in source.format.name
    if stream.codec_context is None:
        return False
    if container in ("mp4", "mov") and int(stream.disposition) & COVER:
        return stream.codec_context.codec.canonical_name in ("mjpeg", "png", "bmp")
    return stream.codec_context.codec.name in _supported(container)


@functools.cache
def _supported(container: str) -> frozenset[str]:
    """Names of all codecs that a container holds."""
    with pyav().open(io.BytesIO(), "w", format=container) as output:
        return frozenset(output.supported_codecs)


def _described(stream: Any) -> str:
    name = getattr(stream, "name", None) or (stream.codec_context.codec.name if stream.codec_context else None)
    return f"{stream.type}, {name or 'unknown'}"
