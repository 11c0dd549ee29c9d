"""What could not be read of a video: written down while the rest goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass

__all__ = ["Faults", "FaultsFrom"]


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
