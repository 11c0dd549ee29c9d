"""Everything of a video's file but its pictures: what a result is put into, and what goes along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from superres.errors import OptionError
from superres.formats.video import VideoInfo

__all__ = ["CONTAINERS", "COVER", "Cut", "container_of", "copied_streams", "cut_chapters"]

#: Suffix of a result -> FFmpeg's multiplexer.
CONTAINERS: Mapping[str, str] = MappingProxyType(
    {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm"}
)
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


def copied_streams(source: Any, info: VideoInfo) -> list[Any]:
    """All streams but the one that is enlarged, and but QuickTime's chapter titles, which are written from chapters."""
    chapters = bool(source.chapters()) and "mov" in source.format.name
    return [
        stream
        for stream in source.streams
        if stream.index != info.stream and not (chapters and stream.type == "data" and stream.name == "bin_data")
    ]


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
