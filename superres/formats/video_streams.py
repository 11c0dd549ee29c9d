"""Everything of a video's file but its pictures: what a result is put into, and what goes along."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from superres.errors import OptionError
from superres.formats.video import VideoInfo

__all__ = [
    "CONTAINERS",
    "COVER",
    "Cut",
    "container_of",
    "copied_streams",
    "cut_chapters",
    "lost_timecodes",
    "moved_timecode",
    "timecode_tags",
]

#: Suffix of a result -> FFmpeg's multiplexer.
CONTAINERS: Mapping[str, str] = MappingProxyType(
    {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm"}
)
#: Disposition of a cover picture.
COVER = 1 << 10

_TIMECODE = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)([:;.])(\d\d)")
# Of more pictures a second a timecode may count each or every other one, and its text does not say which.
_MOST_COUNTED = 30
# Drop-frame timecode passes over two numbers each minute but every tenth (SMPTE ST 12-1), so that 30000/1001 pictures a
# second keep up with the clock: pictures of ten minutes, and of a minute that lacks two.
_TEN_MINUTES, _SHORT_MINUTE = 17982, 1798


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


def copied_streams(source: Any, info: VideoInfo) -> list[Any]:
    """All streams but the one that is enlarged, and timecode and QuickTime's chapter titles, which are written anew."""
    chapters = bool(source.chapters()) and "mov" in source.format.name
    return [
        stream
        for stream in source.streams
        if stream.index != info.stream
        and not _is_timecode(stream)
        and not (chapters and stream.type == "data" and stream.name == "bin_data")
    ]


def _is_timecode(stream: Any) -> bool:
    return stream.type == "data" and "timecode" in stream.metadata


def timecode_tags(source: Any) -> dict[str, str]:
    """What QuickTime's first timecode track says, as tags of a video: multiplexers write such a track from them."""
    track = next((stream for stream in source.streams if _is_timecode(stream)), None)
    return {} if track is None else {k: v for k, v in track.metadata.items() if k in ("timecode", "reel_name")}


def lost_timecodes(source: Any) -> list[str]:
    """Those of QuickTime's timecode tracks that belong to no video, beside another: a video has one."""
    found = [stream.metadata["timecode"] for stream in source.streams if _is_timecode(stream)]
    videos = [stream.metadata.get("timecode") for stream in source.streams if stream.type == "video"]
    kept = found[:1] if videos[:1] == [None] else []
    return [timecode for timecode in found if timecode not in kept and timecode not in videos]


def moved_timecode(timecode: str, pictures: int, rate: Fraction) -> str | None:
    """The timecode of a later picture; None where that cannot be told.

    Args:
        timecode: such as ``01:00:00:00``, with ``;`` or ``.`` before the last number for drop-frame.
        pictures: how many lie between.
        rate: pictures per second, constant.

    >>> moved_timecode("00:00:59;29", 1, Fraction(30000, 1001))
    '00:01:00;02'
    """
    match, counted = _TIMECODE.fullmatch(timecode), round(rate)
    if match is None or counted > _MOST_COUNTED:
        return None
    hours, minutes, seconds, frame = (int(match[group]) for group in (1, 2, 3, 5))
    mark, drop = match[4], match[4] != ":"
    minutes += 60 * hours
    if frame >= counted or (drop and (counted != _MOST_COUNTED or (minutes % 10 and seconds == 0 and frame < 2))):
        return None  # no such timecode
    number = (60 * minutes + seconds) * counted + frame + pictures
    if drop:
        tens, rest = divmod(number - 2 * (minutes - minutes // 10), _TEN_MINUTES)
        number = tens * (_TEN_MINUTES + 18) + rest + 2 * max(0, (rest - 2) // _SHORT_MINUTE)
    seconds, frame = divmod(number, counted)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{frame:02d}"


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
