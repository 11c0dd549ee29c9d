"""A sharp raster that guides the enlargement of another one: where it lies over it, and what it says of its bands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.chain import LARGEST_SCALE, NetworkChain
from superres.errors import InputError
from superres.formats.geotiff import Box, RasterSource
from superres.formats.geotiff_meaning import Raster
from superres.workflows.bands import ValueRange
from superres.workflows.guided import Mix, fitted_mix, sharpened
from superres.workflows.networks import Networks
from superres.workflows.raster_window import Window

__all__ = ["Alignment", "Guidance", "RasterGuide", "aligned"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# How far, in the guide's pixels, its grid may be from the result's: what rounding in a header amounts to, and no more.
_TOLERANCE = 0.05
# Windows per axis that a mix is fitted on, and their side, in pixels of the band.
_WINDOWS, _SIDE = 12, 64
# The same for trials of how far it is worth following.
_TRIALS, _TRIAL_SIDE = 3, 160


@dataclass(frozen=True)
class Alignment:
    """A guide over a raster.

    Attributes:
        factor: of the guide's pixels that lie on a pixel's side.
        row, column: of the guide, where the raster's first pixel begins.
    """

    factor: int
    row: int
    column: int

    def box(self, box: Box) -> Box:
        """A window of the raster as one of the guide."""
        top, bottom, left, right = (self.factor * edge for edge in box)
        return top + self.row, bottom + self.row, left + self.column, right + self.column


def aligned(raster: Raster, guide: Raster, name: str, guide_name: str) -> Alignment:
    """How a guide lies over a raster; where neither says where it lies, both begin at the same corner.

    Raises:
        InputError: another coordinate reference system, pixels that are no whole fraction of the raster's, edges that
            do not fall together, or a guide that does not cover the raster.
    """
    one, other = raster.place, guide.place
    if one.transform is None or other.transform is None:
        if one.transform is not other.transform:
            bare = name if one.transform is None else guide_name
            raise InputError(f"{guide_name}: cannot guide {name}: {bare} does not say where it lies")
        across, down, column, row = guide.width / raster.width, guide.height / raster.height, 0.0, 0.0
    else:
        if one.crs != other.crs:
            raise InputError(
                f"{guide_name}: cannot guide {name}: its coordinates are {other.crs}, expected {one.crs}; reproject it "
                "first, such as with gdalwarp -t_srs"
            )
        across, down, column, row = _between(one.transform, other.transform, name, guide_name)
    factor = round(across)
    size = max(raster.width, raster.height)
    if not 2 <= factor <= LARGEST_SCALE or max(abs(across - factor), abs(down - factor)) * size > _TOLERANCE:
        raise InputError(
            f"{guide_name}: cannot guide {name}: its pixels are smaller by {across:.6g} across and {down:.6g} down, "
            f"expected one whole number, 2 to {LARGEST_SCALE}; resample it to such a grid first, such as with gdalwarp"
        )
    if max(abs(column - round(column)), abs(row - round(row))) > _TOLERANCE:
        raise InputError(
            f"{guide_name}: cannot guide {name}: the edges of its pixels are off by {column - round(column):+.3f} "
            f"across and {row - round(row):+.3f} down, of one pixel; bring it to the grid first, such as with gdalwarp"
        )
    found = Alignment(factor, round(row), round(column))
    top, bottom, left, right = found.box((0, raster.height, 0, raster.width))
    if top < 0 or left < 0 or bottom > guide.height or right > guide.width:
        raise InputError(
            f"{guide_name}: does not cover {name}, which would lie at its rows {top} to {bottom} and columns {left} to "
            f"{right}, of {guide.height} and {guide.width}; crop one or extend the other"
        )
    return found


def _between(
    low: tuple[float, ...], high: tuple[float, ...], name: str, guide_name: str
) -> tuple[float, float, float, float]:
    """(across, down, column, row): how much smaller the guide's pixels are, and where the raster begins in it."""
    linear = np.array([[high[0], high[1]], [high[3], high[4]]])
    ours = np.array([[low[0], low[1]], [low[3], low[4]]])
    try:
        ratio = np.linalg.solve(linear, ours)
        column, row = np.linalg.solve(linear, np.array([low[2] - high[2], low[5] - high[5]]))
    except np.linalg.LinAlgError as error:
        raise InputError(f"{guide_name}: cannot guide {name}: its transform {high} has no area") from error
    if max(abs(ratio[0, 1]), abs(ratio[1, 0])) > 1e-6 * max(abs(ratio[0, 0]), abs(ratio[1, 1])):
        raise InputError(f"{guide_name}: cannot guide {name}: it is turned against it; bring it to the grid first")
    return float(ratio[0, 0]), float(ratio[1, 1]), float(column), float(row)


class RasterGuide:
    """An open guide over a raster.

    Args:
        source: of the guide.
        bands: of it that are used, from 1.
        alignment: see :func:`aligned`.
    """

    def __init__(self, source: RasterSource, bands: Sequence[int], alignment: Alignment) -> None:
        self.source, self.alignment = source, alignment
        self._bands = tuple(bands)

    def planes(self, box: Box, depth: int) -> Floats:
        """(rows, columns, bands) over a window of the raster, in the guide's own numbers; gaps filled from around."""
        there = self.alignment.box(box)
        window = Window(self.source, self._bands, ValueRange(0.0, 1.0), there, depth)
        return window.values(there)

    def mix(self, raster: RasterSource, band: int) -> Mix:
        """What the guide says of a band: fitted on windows spread over the raster, gaps of either left out."""
        whole, factor = raster.raster, self.alignment.factor
        plane, guides = [], []
        for top, bottom in _spread(whole.height, _WINDOWS, _SIDE):
            for left, right in _spread(whole.width, _WINDOWS, _SIDE):
                box = (top, bottom, left, right)
                samples, there = raster.read(band, box), self.alignment.box(box)
                valid = ~raster.gaps(band, box, samples)
                reduced = []
                for number in self._bands:
                    sharp = self.source.read(number, there)
                    holes = self.source.gaps(number, there, sharp)
                    blocks = (len(samples), factor, samples.shape[1], factor)
                    valid &= ~holes.reshape(blocks).any(axis=(1, 3))
                    with np.errstate(over="ignore", invalid="ignore"):  # gaps, which may hold anything
                        reduced.append(sharp.astype(np.float64).reshape(blocks).mean(axis=(1, 3)))
                plane.append(samples[valid])
                guides.append(np.stack([one[valid] for one in reduced], axis=1))
        return fitted_mix(np.concatenate(plane), np.concatenate(guides))

    def trials(self, raster: RasterSource, band: int, range: ValueRange, mix: Mix) -> Iterator[tuple[Floats, Floats]]:
        """Windows of a band without gaps in either, normalised, and the guide reduced to their pixels."""
        whole, factor = raster.raster, self.alignment.factor
        for top, bottom in _spread(whole.height, _TRIALS, _TRIAL_SIDE):
            for left, right in _spread(whole.width, _TRIALS, _TRIAL_SIDE):
                box = (top, bottom, left, right)
                samples, there = raster.read(band, box), self.alignment.box(box)
                sharp = [self.source.read(number, there) for number in self._bands]
                gaps = [self.source.gaps(number, there, one) for number, one in zip(self._bands, sharp, strict=True)]
                if raster.gaps(band, box, samples).any() or any(one.any() for one in gaps):
                    continue
                blocks = (len(samples), factor, samples.shape[1], factor)
                reduced = mix.of([one.astype(np.float64).reshape(blocks).mean(axis=(1, 3)) for one in sharp])
                yield np.clip(range.normalised(samples), 0, 1), range.normalised(reduced)


class Guidance:
    """Sharpens windows of a raster's bands by a guide.

    Attributes:
        networks: those that it runs, and those without a guide where these have a share.
        warnings: what must be said of the guide.

    Args:
        guide: the sharp raster.
        mixes: band of the raster, from 1 -> what the guide says of it.
        shares: band of the raster, from 1 -> share of the guided result in the whole.
        chains: the networks, one each.
        networks, warnings: as above.
    """

    def __init__(
        self,
        guide: RasterGuide,
        mixes: Mapping[int, Mix],
        shares: Mapping[int, float],
        chains: Sequence[NetworkChain],
        networks: Networks,
        warnings: tuple[str, ...],
    ) -> None:
        self._guide, self._mixes, self._shares, self._chains = guide, mixes, shares, chains
        self.networks, self.warnings = networks, warnings

    def share(self, band: int) -> float:
        """Of the guided result in the whole, 0 to 1; the rest is that of networks without a guide."""
        return self._shares[band]

    def enlarge(self, band: int, range: ValueRange, plane: Floats, box: Box) -> Floats:
        """A window of a band, normalised, enlarged by the networks' scale; not clipped.

        Args:
            band: of the raster, from 1.
            range: by which it was normalised.
            plane: (rows, columns) of the window ``box``, 0 to 1.
            box: a window of the raster.

        Raises:
            InferenceError: a network failed.
            CorruptInputError: the guide is damaged.
        """
        planes = self._guide.planes(box, sum(chain.halo for chain in self._chains))
        mixed = self._mixes[band].of(list(planes.transpose(2, 0, 1)))
        return sharpened(plane, range.normalised(mixed), self._chains)


def _spread(length: int, count: int, side: int) -> list[tuple[int, int]]:
    """Windows on an axis, evenly; the whole axis where that is no longer than they are."""
    if length <= count * side:
        return [(0, length)]
    return [(int(start), int(start) + side) for start in np.linspace(0, length - side, count)]
