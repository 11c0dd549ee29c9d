"""The progress bar: on a terminal, on standard error, only where there is something to wait for."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["PictureProgress"]


class PictureProgress:
    """A bar for the picture at hand.  A context manager.

    Args:
        pictures: how many there are.
        hidden: show nothing, whatever the terminal.
    """

    def __init__(self, pictures: int, *, hidden: bool) -> None:
        self._pictures, self._index = pictures, 0
        self._bar: Any = None
        self._task: Any = None
        if not hidden and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(),
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
        """Start the next picture."""
        self._index += 1
        if self._bar is not None:
            count = f"{self._index}/{self._pictures} " if self._pictures > 1 else ""
            self._task = self._bar.add_task(count + name.replace("[", r"\["), total=None)

    def update(self, done: int, total: int) -> None:
        """``done`` of ``total`` rows or frames are finished."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)

    def end(self) -> None:
        """The picture at hand is over."""
        if self._bar is not None:
            self._bar.remove_task(self._task)

    def say(self, line: str, *, error: bool) -> None:
        """A line above the bar: errors to standard error, others to standard output."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr if error else sys.stdout, flush=True)
