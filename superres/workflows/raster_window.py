"""Windows of a raster as the networks see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.formats.geotiff import Box, RasterSource
from superres.formats.geotiff_meaning import Raster
from superres.image import PictureInfo
from superres.workflows.bands import ValueRange, grown

__all__ = ["Window", "widened"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


class Window:
    """Rows of one window of some bands, normalised, gaps filled, 0 to 1: a :class:`superres.formats.Reader`."""

    def __init__(self, source: RasterSource, bands: Sequence[int], range: ValueRange, box: Box, depth: int) -> None:
        self._source, self._bands, self._range, self._box, self._depth = source, bands, range, box, depth
        self._info = PictureInfo(
            height=box[1] - box[0],
            width=box[3] - box[2],
            colour="rgb" if len(bands) == 3 else "grey",
            dtype=np.dtype(np.float32),
            sample_range=1.0,
            alpha=False,
            format="geotiff",
            lossy=False,
        )

    @property
    def info(self) -> PictureInfo:
        """Of the window."""
        return self._info

    def read(self, start: int, stop: int) -> Array:
        """Rows of the window as (n, width, bands) float32."""
        top, _, left, right = self._box
        values = self.values((top + start, top + stop, left, right))
        # Networks are trained on 0 to 1, and some answer values below 0 with ones in the hundreds.
        return np.clip(values, np.float32(0), np.float32(1), out=values)

    def values(self, box: Box) -> Floats:
        """Any window of the raster as (rows, columns, bands), normalised, gaps filled, whatever the range."""
        return np.stack([self._one(band, box) for band in self._bands], axis=2)

    def _one(self, band: int, box: Box) -> Floats:
        source, raster = self._source, self._source.raster
        if not source.has_gaps(band):
            return self._range.normalised(source.read(band, box))
        # Wider, so that a gap is filled the same from whatever window it is seen.
        wide = widened(box, 2 * self._depth, raster)
        samples = source.read(band, wide)
        gaps = source.gaps(band, wide, samples)
        values = self._range.normalised(samples)
        if gaps.any():
            values = grown(values, gaps, self._depth)
        return values[box[0] - wide[0] : box[1] - wide[0], box[2] - wide[2] : box[3] - wide[2]]

    def close(self) -> None:
        """Nothing to free."""


def widened(box: Box, by: int, raster: Raster) -> Box:
    """A window with ``by`` more samples on every side, within the raster."""
    top, bottom, left, right = box
    return max(0, top - by), min(raster.height, bottom + by), max(0, left - by), min(raster.width, right + by)
