"""What could not be read of a video: written down while the rest goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["ANEW", "ONE_CLOCK", "Faults", "FaultsFrom"]

#: A clock that goes back by more seconds begins anew; by less, single times are wrong: damage mixes up as many pictures
#: as are held back to be put in order, 16 at most.
ANEW = Fraction(1)
#: The remedy for it.
ONE_CLOCK = "give it one clock first, with  ffmpeg -i IN -map 0 -c copy OUT.mkv"


class Faults:
    """What could not be read.  Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, None] = {}

    def add(self, text: str) -> None:
        """Write a fault down, once."""
        with self._lock:
            self._seen[text] = None

    def all(self) -> tuple[str, ...]:
        """In order of their appearance."""
        with self._lock:
            return tuple(self._seen)


@dataclass(frozen=True)
class FaultsFrom:
    """Writes down what happens at or after a time; what is before it is not told.

    Attributes:
        faults: where it goes.
        first: timestamp, in units of the stream; None for everything.
    """

    faults: Faults
    first: int | None

    def add(self, text: str, pts: int | None) -> None:
        """Write a fault at ``pts`` down; one without a time always."""
        if self.first is None or pts is None or pts >= self.first:
            self.faults.add(text)
