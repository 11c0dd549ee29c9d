"""Whether integer samples are labels, such as a segmentation's, rather than intensities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["are_labels"]

Array = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]

#: Nobody's intensities have so few steps.
_FEW = 16
#: More values than any atlas has regions.
_MANY = 4096
#: Of a label's voxels, the share whose neighbour has the same label: above 0.75 in parcellations down to a thousand
#: regions of 200 voxels, below 0.06 in 8- and 16-bit MR volumes.
_EQUAL_NEIGHBOURS = 0.5


def are_labels(planes: Iterable[Array]) -> bool:
    """Tell label maps from intensities: few values, each in connected regions.

    Up to 16 different values are labels.  Up to 4096 are when, for most of the values, more than half of the
    neighbours of its samples share it: a label fills regions, an intensity between its neighbours does not.  Saturated
    or empty areas hold one value and so do not decide.

    Args:
        planes: (H, W) integer samples, one after the other; reading stops once they have too many values.
    """
    known, pairs, equal = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
    for plane in planes:
        values, places = np.unique(plane, return_inverse=True)
        merged = np.union1d(known, values)
        if merged.size > _MANY:
            return False
        here_pairs, here_equal = _neighbours(places.reshape(plane.shape), values.size)
        pairs = _spread(known, merged, pairs) + _spread(values, merged, here_pairs)
        equal = _spread(known, merged, equal) + _spread(values, merged, here_equal)
        known = merged
    if known.size <= _FEW:
        return True
    compared = pairs > 0
    return bool(np.median(equal[compared] / pairs[compared]) > _EQUAL_NEIGHBOURS) if compared.any() else False


def _neighbours(places: Counts, values: int) -> tuple[Counts, Counts]:
    """Per value: how many of its samples have a neighbour above or to the left, and how many of those are equal."""
    pairs, equal = np.zeros(values, np.int64), np.zeros(values, np.int64)
    for here, before in ((places[1:], places[:-1]), (places[:, 1:], places[:, :-1])):
        pairs += np.bincount(here.ravel(), minlength=values)
        equal += np.bincount(here[here == before], minlength=values)
    return pairs, equal


def _spread(values: Array, merged: Array, counts: Counts) -> Counts:
    """Counts of ``values`` in the places that these have among ``merged``; both are sorted."""
    result = np.zeros(merged.size, np.int64)
    result[np.searchsorted(merged, values)] = counts
    return result
