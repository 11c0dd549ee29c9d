"""Pictures that are the frames of a video: how they are named, in which order they come, and when each is shown.

Beside the pictures lies :data:`TIMES_NAME`, a small TOML table.  It keeps what pictures cannot say: the time of every
frame, so that a variable rate stays one, the shape of the pixels, and what the numbers of the video meant.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from superres.errors import InputError
from superres.formats.table import FORMATS, picture_suffixes

__all__ = ["TIMES_NAME", "FramePattern", "FrameTimes", "frame_pattern", "listed_frames", "read_times"]

#: Name of the table beside the pictures.
TIMES_NAME = "times.toml"

_NUMBER = re.compile(r"%(0?)(\d?)d")


@dataclass(frozen=True)
class FramePattern:
    """A name with a place for the frame's number, such as ``%06d.png``; frames are counted from 1.

    Attributes:
        folder: of the pictures.
        name: with ``%d``, ``%4d`` or ``%06d`` in it, once.
    """

    folder: Path
    name: str

    def path(self, number: int) -> Path:
        """The picture of a frame.

        >>> FramePattern(Path("out"), "a_%04d.png").path(12).name
        'a_0012.png'
        """
        return self.folder / _NUMBER.sub(lambda match: f"{number:{match[1]}{match[2]}d}", self.name)

    @property
    def times(self) -> Path:
        """The table beside the pictures."""
        return self.folder / TIMES_NAME


def frame_pattern(target: Path) -> FramePattern | None:
    """The pattern that a target is, or None when it names one file.

    >>> frame_pattern(Path("out/%06d.png")) is None, frame_pattern(Path("100%.png")) is None
    (False, True)
    """
    found = len(_NUMBER.findall(target.name)) == 1 and target.name.count("%") == 1
    written = {suffix for entry in FORMATS.values() if entry.writer and entry.still for suffix in entry.suffixes}
    return FramePattern(target.parent, target.name) if found and target.suffix.lower() in written else None


def listed_frames(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of the numbers in their names; hidden files and subfolders are left out.

    Raises:
        InputError: the folder cannot be read, or has no pictures.
    """
    try:
        files = [file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file()]
    except OSError as exc:
        raise InputError(f"{folder}: cannot be read ({exc.strerror})") from exc
    pictures = [file for file in files if file.suffix.lower() in picture_suffixes()]
    if not pictures:
        raise InputError(f"{folder}: no pictures in this folder; name one that holds the frames of a video")
    return sorted(pictures, key=lambda file: _by_number(file.name))


def _by_number(name: str) -> list[tuple[int, str]]:
    """Frame 10 comes after frame 9, however they are written."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]


@dataclass(frozen=True)
class FrameTimes:
    """When the frames of a folder are shown, and what a video's numbers meant before they became pictures.

    Attributes:
        time_base: seconds per unit of ``times``.
        times: of the frames, in their order, strictly rising.
        lasting: units that the last one stays.
        primaries, transfer, matrix: H.273 codes.
        aspect: of a pixel, width to height; None when unknown.
    """

    time_base: Fraction
    times: tuple[int, ...]
    lasting: int
    primaries: int
    transfer: int
    matrix: int
    aspect: Fraction | None = None

    def text(self) -> str:
        """As the file holds it."""
        aspect = [] if self.aspect is None else [f'aspect = "{self.aspect}"']
        return "\n".join(
            [
                "# Of a video: when each of these pictures is shown, in units of time_base seconds; how long the",
                "# last one stays; primaries, transfer and matrix by ITU-T H.273; width of a pixel to its height.",
                f'time_base = "{self.time_base}"',
                f"lasting = {self.lasting}",
                f"primaries = {self.primaries}",
                f"transfer = {self.transfer}",
                f"matrix = {self.matrix}",
                *aspect,
                "times = [",
                *(f"  {time}," for time in self.times),
                "]",
                "",
            ]
        )


def read_times(folder: Path) -> FrameTimes | None:
    """The table of a folder, None when there is none.

    Raises:
        InputError: it cannot be read, or is not what this module writes.
    """
    path = folder / TIMES_NAME
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        found = FrameTimes(
            time_base=Fraction(table["time_base"]),
            times=tuple(table["times"]),
            lasting=table["lasting"],
            primaries=table["primaries"],
            transfer=table["transfer"],
            matrix=table["matrix"],
            aspect=Fraction(table["aspect"]) if "aspect" in table else None,
        )
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise InputError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as exc:
        raise InputError(f"{path}: is no table of times ({exc}); remove it and give --frame-rate") from exc
    _check(found, path)
    return found


def _check(table: FrameTimes, path: Path) -> None:
    numbers = (*table.times, table.lasting, table.primaries, table.transfer, table.matrix)
    if not all(isinstance(number, int) for number in numbers) or table.time_base <= 0 or table.lasting < 1:
        raise InputError(
            f"{path}: expected whole numbers, and time_base and lasting above 0; give --frame-rate instead"
        )
    if any(later <= time for time, later in zip(table.times, table.times[1:], strict=False)):
        raise InputError(f"{path}: expected times that rise from frame to frame; give --frame-rate instead")
    if table.aspect is not None and table.aspect <= 0:
        raise InputError(f"{path}: aspect {table.aspect}: expected more than 0; remove that line")
