"""What is told while work goes on: a bar on a terminal, lines of JSON for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Pace", "PictureProgress"]

# Seconds between two lines for programs.
_EVERY = 1.0


@dataclass(frozen=True)
class Pace:
    """How far a video is.

    Attributes:
        done, total: frames; ``total`` may be a guess of the container's.
        begun: frames that were there already when this run began.
        seconds: since then.
        written: bytes of the result so far, None when unknown.
    """

    done: int
    total: int
    begun: int
    seconds: float
    written: int | None

    @property
    def per_second(self) -> float:
        """Frames per second of this run."""
        return (self.done - self.begun) / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """Until the last frame, at this pace; None while there is no pace."""
        return (self.total - self.done) / self.per_second if self.done > self.begun else None

    @property
    def expected(self) -> int | None:
        """Bytes of the whole result, if it goes on like this."""
        return None if self.written is None else round(self.written * self.total / max(self.done, 1))

    def record(self) -> dict[str, Any]:
        """For programs."""
        record: dict[str, Any] = {
            "status": "working",
            "done": self.done,
            "total": self.total,
            "frames_per_second": round(self.per_second, 3),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
        }
        return record if self.written is None else {**record, "bytes": self.written, "expected_bytes": self.expected}

    def text(self) -> str:
        """For people.

        >>> Pace(30, 120, 0, 10.0, 2_000_000).text()
        '3.0 frames/s, about 8.0 MB'
        """
        size = "" if self.expected is None else f", about {self.expected / 1e6:.1f} MB"
        return f"{self.per_second:.1f} frames/s{size}"


class PictureProgress:
    """What is told of the input at hand.  A context manager.

    Args:
        pictures: how many inputs there are.
        hidden: no bar, whatever the terminal.
        json_lines: no bar either; of a video a line of JSON each second.
        clock: seconds that only grow; tests put their own here.
    """

    def __init__(
        self,
        pictures: int,
        *,
        hidden: bool = False,
        json_lines: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pictures, self._index, self._json, self._clock = pictures, 0, json_lines, clock
        self._bar: Any = None
        self._task: Any = None
        self._source: str | None = None
        self._written: Callable[[], int] | None = None
        self._begun: tuple[int, float] | None = None
        self._told = 0.0
        if not (hidden or json_lines) and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[pace]}"),
                console=Console(stderr=True),
                transient=True,
            )

    def __enter__(self) -> PictureProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, name: str) -> None:
        """Start the next input."""
        self._index += 1
        self._source, self._written, self._begun = None, None, None
        if self._bar is not None:
            count = f"{self._index}/{self._pictures} " if self._pictures > 1 else ""
            self._task = self._bar.add_task(count + name.replace("[", r"\["), total=None, pace="")

    def expect_frames(self, source: str, written: Callable[[], int] | None) -> None:
        """The input at hand is a video: its updates count frames.

        Args:
            source: what lines for programs call it.
            written: tells the bytes of the result so far; None when nobody knows.
        """
        self._source, self._written = source, written

    def update(self, done: int, total: int) -> None:
        """``done`` of ``total`` rows or frames are finished."""
        if self._source is not None:
            self._tell_pace(done, total)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)

    def _tell_pace(self, done: int, total: int) -> None:
        """Once a second: frames per second, time left, size of the result."""
        now = self._clock()
        if self._begun is None:
            self._begun, self._told = (done, now), now
        if now - self._told < _EVERY:
            return
        self._told = now
        begun, since = self._begun
        pace = Pace(done, total, begun, now - since, None if self._written is None else self._written())
        if self._json:
            print(json.dumps({"source": self._source, **pace.record()}), flush=True)
        elif self._bar is not None:
            self._bar.update(self._task, pace=pace.text())

    def end(self) -> None:
        """The input at hand is over."""
        if self._bar is not None:
            self._bar.remove_task(self._task)

    def say(self, line: str, *, error: bool) -> None:
        """A line above the bar: errors to standard error, others to standard output."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr if error else sys.stdout, flush=True)
