"""Which windows a raster is enlarged in: integers only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from superres.formats.geotiff import Box
from superres.resize import AxisResampler, axis_resampler
from superres.workflows.raster_means import Reach, reach_of

__all__ = ["Axis", "boxes", "pieces"]

# Beyond this a window only takes memory: its halo costs little already.
_LONGEST_SIDE = 4096
# Samples over which what is clipped is given to others: about as wide as networks overshoot.
_FARTHEST = 4


@dataclass(frozen=True)
class Axis:
    """One axis of an enlargement: source samples, what the networks make of them, and the result.

    Attributes:
        length: source samples.
        scale: of the networks.
        result: samples of the result, at most ``length * scale``.
        resampler: from the networks' samples to the result's; None where they are the same.
        up, down: from source samples to the networks' and back, by bicubic resizing alone.
    """

    length: int
    scale: int
    result: int
    resampler: AxisResampler | None
    up: AxisResampler
    down: AxisResampler

    @classmethod
    def of(cls, length: int, scale: int, result: int) -> Axis:
        """Antialiased bicubic where ``result`` is not the networks' own length."""
        large = length * scale
        fitting = None if large == result else axis_resampler(large, result)
        return cls(length, scale, result, fitting, axis_resampler(length, large), axis_resampler(large, length))

    def large(self, start: int, stop: int) -> tuple[int, int]:
        """The networks' samples that results ``start .. stop - 1`` are made of."""
        return (start, stop) if self.resampler is None else self.resampler.source_window(start, stop)

    def reach(self, start: int, stop: int) -> Reach:
        """What results ``start .. stop - 1`` need."""
        return reach_of(self.large(start, stop), min(self.scale, _FARTHEST), self.up, self.down)

    def window(self, start: int, stop: int, halo: int) -> tuple[int, int]:
        """The source samples that the networks' samples ``start .. stop - 1`` depend on, within the axis."""
        first, last = start // self.scale - halo, -(-stop // self.scale) + halo
        return max(0, first), min(self.length, last)

    def fitted(self, values: npt.NDArray[np.float32], axis: int, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Results ``start .. stop - 1`` from the networks' samples ``large(start, stop)`` along an array's ``axis``."""
        if self.resampler is None:
            return values
        return self.resampler.apply(values, axis, start=start, stop=stop, offset=self.large(start, stop)[0])

    def nearest(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """For results ``start .. stop - 1`` the source sample that each lies in."""
        return (2 * np.arange(start, stop) + 1) * self.length // (2 * self.result)


def boxes(width: int, height: int, block: tuple[int, int], pixels: int) -> list[Box]:
    """Cut a result into windows of whole blocks, row by row.

    Args:
        width, height: of the result.
        block: (height, width) of its blocks.
        pixels: how many a window may have, one block at least.
    """
    high, wide = block
    side = min(_LONGEST_SIDE, math.isqrt(pixels))
    if wide >= width:  # strips of whole rows
        columns, rows = width, min(_LONGEST_SIDE, pixels // width)
    else:
        columns, rows = max(1, side // wide) * wide, side
    rows = max(1, rows // high) * high
    return list(_cut(0, height, 0, width, rows, columns))


def pieces(box: Box, rows: int, columns: int) -> Iterator[Box]:
    """Cut a window into smaller ones, row by row."""
    return _cut(*box, rows, columns)


def _cut(top: int, bottom: int, left: int, right: int, rows: int, columns: int) -> Iterator[Box]:
    for row in range(top, bottom, rows):
        for column in range(left, right, columns):
            yield row, min(row + rows, bottom), column, min(column + columns, right)
