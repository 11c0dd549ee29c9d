"""Which bands of a raster go through the networks together, and on which range of values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from superres.formats.geotiff import Box, RasterSource
from superres.formats.geotiff_meaning import Raster
from superres.workflows.bands import ValueRange
from superres.workflows.raster_grid import boxes

__all__ = ["Group", "plan_groups", "sampled", "values_in"]

Array = npt.NDArray[Any]

# Samples of a band that its range is taken from, at most, and below how many a closer look is taken.
_SAMPLES, _FEWEST = 4_000_000, 10_000
# As many different values as classes have, and fewer than intensities have among so many samples.
_CLASSES, _ENOUGH = 16, 1024
# Windows per axis, and their side.
_WINDOWS, _SIDE = 16, 128


@dataclass(frozen=True)
class Group:
    """Bands that go through the networks together.

    Attributes:
        places: of the bands in the result, from 0: three for ``rgb``, one otherwise.
        kind: ``rgb``: one colour picture; ``grey``: one band alone; ``nearest``: no network.
        range: of the samples.
    """

    places: tuple[int, ...]
    kind: Literal["rgb", "grey", "nearest"]
    range: ValueRange = field(default_factory=lambda: ValueRange(0.0, 1.0))


def plan_groups(source: RasterSource, raster: Raster, *, apart: bool = False) -> list[Group]:
    """Which bands go together.

    Red, green and blue of an 8-bit raster are one colour picture, on the scale that pictures have.  Alpha, colour
    tables, single bits, integers that the source declares to be classes, and integers of 16 different values or fewer
    are no quantities: they take the nearest sample.  Every other band goes alone, on a range of its own: three of them
    are no colours.

    Args:
        source: read from.
        raster: its bands that are wanted.
        apart: leave colours apart too.
    """
    names = [band.interpretation for band in raster.bands]
    groups: list[Group] = []
    colours = ("red", "green", "blue")
    whole = raster.dtype == np.uint8 and not raster.layout.bits
    triple = tuple(names.index(colour) for colour in colours) if all(names.count(c) == 1 for c in colours) else ()
    if triple and whole and not apart:
        groups.append(Group(triple, "rgb", ValueRange(0.0, 255.0)))
    for place, band in enumerate(raster.bands):
        if groups and groups[0].kind == "rgb" and place in triple:
            continue
        classes = band.classes and raster.dtype.kind in "iu"
        if classes or band.interpretation in ("alpha", "palette") or raster.layout.bits == 1:
            groups.append(Group((place,), "nearest"))
            continue
        found = sampled(source, band.source)
        if _are_classes(found, raster):
            groups.append(Group((place,), "nearest"))
        else:
            groups.append(Group((place,), "grey", ValueRange.robust(found)))
    return groups


def _are_classes(found: Array, raster: Raster) -> bool:
    """Whether integers have so few different values that they are classes or flags, of quality or land cover."""
    integers = raster.dtype.kind in "iu" and not raster.layout.bits
    return integers and found.size >= _ENOUGH and np.unique(found).size <= _CLASSES


def sampled(source: RasterSource, band: int) -> Array:
    """Some values of a band, gaps left out: all of a small raster, windows spread evenly over a large one.

    Where these hold hardly any value, or hardly any but one, as in a raster that is nearly empty, all of it is looked
    through.
    """
    raster = source.raster
    rows, columns = (_spread(length) for length in (raster.height, raster.width))
    few = [values_in(source, band, (top, bottom, left, right)) for top, bottom in rows for left, right in columns]
    found = np.concatenate(few)
    if len(few) == 1 or (found.size >= _FEWEST and np.ptp(np.percentile(found, (1, 99))) > 0):
        return found
    block = raster.layout.block_height, raster.layout.block_width
    step = max(1, raster.width * raster.height // _SAMPLES)
    all_boxes = boxes(raster.width, raster.height, block, _SAMPLES)
    return np.concatenate([values_in(source, band, box, step) for box in all_boxes])


def _spread(length: int) -> list[tuple[int, int]]:
    """Windows on an axis, evenly; the whole axis where that is no longer than they are."""
    if length <= _WINDOWS * _SIDE:
        return [(0, length)]
    return [(int(start), int(start) + _SIDE) for start in np.linspace(0, length - _SIDE, _WINDOWS)]


def values_in(source: RasterSource, band: int, box: Box, step: int = 1) -> Array:
    """Every ``step``-th value of a band in a window, gaps left out, as one row."""
    samples = source.read(band, box)
    values = samples[~source.gaps(band, box, samples)] if source.has_gaps(band) else samples.ravel()
    # Copied: a view of a few values would keep all of them in memory.
    return values if step == 1 else values[::step].copy()
