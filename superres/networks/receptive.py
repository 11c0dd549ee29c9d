"""Receptive fields by arithmetic: which low-resolution pixels an output depends on.

The chain of layers is walked from the output back to the input, with the interval of pixels that matters at each
resolution.  Both axes behave alike, so one interval is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

__all__ = ["Reach"]


@dataclass(frozen=True)
class Reach:
    """Pixels ``low .. high`` (both included) on one axis that the outputs of low-resolution pixel 0 depend on.

    Positions are counted at the resolution that the walk has come to, from the first pixel that lies in
    low-resolution pixel 0.

    >>> Reach.of_outputs(4).shuffled(4).convolved(3, times=5).halo  # five 3x3 convolutions, then a pixel shuffle
    5
    """

    low: int
    high: int

    @classmethod
    def of_outputs(cls, scale: int) -> Self:
        """The ``scale`` output pixels of one low-resolution pixel: where the walk starts."""
        return cls(0, scale - 1)

    def convolved(self, size: int, *, dilation: int = 1, times: int = 1) -> Reach:
        """Before ``times`` centred convolutions or poolings of odd ``size``."""
        radius = times * dilation * (size // 2)
        return Reach(self.low - radius, self.high + radius)

    def shuffled(self, scale: int) -> Reach:
        """Before a pixel shuffle (or nearest-neighbour enlargement) by ``scale``."""
        return Reach(self.low // scale, self.high // scale)

    def transposed(self, size: int, scale: int, padding: int) -> Reach:
        """Before a transposed convolution with stride ``scale``: input h touches h*scale - padding + 0 .. size - 1."""
        return Reach(-(-(self.low + padding - size + 1) // scale), (self.high + padding) // scale)

    def enlarged(self, scale: int) -> Reach:
        """Before a bicubic enlargement: each output reads 4 pixels, or 1 where it falls on a pixel's centre."""
        lows, highs = [], []
        for position in range(self.low, self.high + 1):
            cell, phase = divmod(position, scale)
            side = (2 * phase > scale - 1) - (2 * phase < scale - 1)  # left, on, or right of the pixel's centre
            before, after = {-1: (2, 1), 0: (0, 0), 1: (1, 2)}[side]
            lows.append(cell - before)
            highs.append(cell + after)
        return Reach(min(lows), max(highs))

    @property
    def halo(self) -> int:
        """Pixels around pixel 0, when the walk has come to low resolution."""
        return max(-self.low, self.high, 0)
