"""The range of values that networks are shown as 0 to 1: of all, but for odd ones, which would squeeze all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["UsualRange", "split"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

#: What lies farther beyond the 1st or 99th percentile than so many times the distance between these two is odd.
_REACH = 4

# Values that percentiles are taken from, of each part: evenly spread.
_PER_PART = 4096

#: How far beyond 0 and 1 networks are shown what lies there: results of other networks overshoot a little.
_BEYOND = 0.25


class UsualRange:
    """Smallest and largest value of many parts, without odd ones."""

    def __init__(self) -> None:
        self._low, self._high = np.inf, -np.inf
        self._some: list[npt.NDArray[np.float64]] = []

    def add(self, values: Array) -> None:
        """Take in a flat array of finite numbers, which may be empty."""
        if values.size:
            self._low, self._high = min(self._low, float(values.min())), max(self._high, float(values.max()))
            self._some.append(values[:: max(1, -(-values.size // _PER_PART))].astype(np.float64))

    @property
    def whole(self) -> tuple[float, float] | None:
        """The smallest and the largest; None where nothing was added."""
        return (self._low, self._high) if self._some else None

    @property
    def usual(self) -> tuple[float, float] | None:
        """The same without odd values; the whole range where the two percentiles are equal."""
        if not self._some:
            return None
        some = np.concatenate(self._some)
        first, last = (float(value) for value in np.percentile(some, (1, 99)))
        reach = _REACH * (last - first)
        if reach <= 0:
            return self.whole
        # Where there are odd values the range ends with those of the others that were looked at.
        low = self._low if self._low >= first - reach else float(some[some >= first - reach].min())
        high = self._high if self._high <= last + reach else float(some[some <= last + reach].max())
        return low, high


def split(plane: Floats) -> tuple[Floats, Floats | None]:
    """What networks are to be shown of a plane, and what that leaves: odd values would spoil all around them.

    Args:
        plane: float32, 0 to 1 for the usual range; gaps (NaN, infinity) stay in the first part.

    Returns:
        The plane within -0.25 and 1.25, and the difference to it, or None where there is none.
    """
    finite = np.isfinite(plane)
    known = np.where(finite, plane, np.float32(0))
    inside = np.clip(known, -_BEYOND, 1 + _BEYOND)
    beyond: Floats = known - inside
    return np.where(finite, inside, plane), beyond if beyond.any() else None
