"""Samples of any kind as float32 planes that a network can take, and back.

Integer and float, grey and RGB, with and without alpha, with and without gaps (NaN, infinity): pure functions on rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.image import PictureInfo

__all__ = ["FILL_DEPTH", "carried_planes", "filled", "finished", "prepared", "without_gaps"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

#: Rows and columns over which a gap is filled from its surroundings where no network says how far it sees: as far as
#: the shipped ones do, so that no value beside a gap depends on what lies deeper in it.
FILL_DEPTH = 12


def carried_planes(info: PictureInfo) -> int:
    """How many planes carry gaps (NaN, infinity): one per channel of float pictures, none of integer ones."""
    return info.channels if info.dtype == np.float32 else 0


def prepared(samples: Array, info: PictureInfo) -> Floats:
    """Samples (h, w, C) -> planes (h, w, P) float32: colours times alpha, alpha, then what fills gaps later.

    Values are divided by their range.  Gaps of float pictures (NaN, infinity) become NaN in the first planes, and
    stand as they are in as many planes after them, which are 0 elsewhere.
    """
    values = samples.astype(np.float32)
    gaps = None
    if info.dtype == np.float32:
        finite = np.isfinite(values)
        gaps = np.where(finite, np.float32(0), values)
        values = np.where(finite, values, np.float32(np.nan))
    values /= _ranges(info)
    if info.alpha:
        values[:, :, :-1] *= values[:, :, -1:]
    return values if gaps is None else np.concatenate([values, gaps], axis=2)


def _ranges(info: PictureInfo) -> Floats:
    """Of each channel: that of the samples; opacity of floats ends at 1 whatever the colours reach."""
    ranges = np.full(info.channels, info.sample_range, np.float32)
    if info.alpha and info.dtype == np.float32:
        ranges[-1] = 1
    return ranges


def finished(planes: Floats, info: PictureInfo) -> Array:
    """Planes (h, w, P) -> samples (h, w, C) of the picture's dtype: the inverse of :func:`prepared`."""
    values = planes[:, :, : info.channels]
    if info.alpha:
        opacity = values[:, :, -1:]
        # Below half a step of 8 bits nothing can be seen, and dividing would only magnify noise.  Divided by opacity
        # before it is clipped: where a network overshoots beside an edge, it does so in both.
        shown = opacity > 1 / 512
        colours = np.where(shown, values[:, :, :-1] / np.where(shown, opacity, 1), 0)
        values = np.concatenate([colours, np.clip(opacity, 0, 1)], axis=2)
    values = values * _ranges(info)
    if info.dtype == np.float32:
        gaps = planes[:, :, info.channels :]
        return np.where(np.isfinite(gaps), values, gaps).astype(np.float32, copy=False)
    samples: Array = np.clip(np.floor(values + 0.5), 0, info.sample_range).astype(info.dtype)
    return samples


def filled(values: Floats, depth: int = FILL_DEPTH) -> Floats:
    """Fill NaN (h, w, C) from the surroundings: the mean of known neighbours, ``depth`` pixels deep, then 0."""
    known = ~np.isnan(values)
    if known.all():
        return values
    filled = np.where(known, values, 0)
    known = known.astype(np.float32)
    for _ in range(depth):
        total, count = _neighbours(filled), _neighbours(known)
        new = (known == 0) & (count > 0)
        filled = np.where(new, total / np.maximum(count, 1), filled)
        known = np.where(new, 1, known)
    return filled


def without_gaps(plane: Floats) -> Floats:
    """A plane (h, w) with its gaps (NaN, infinity) filled as by :func:`filled`."""
    finite = np.isfinite(plane)
    if finite.all():
        return plane
    return filled(np.where(finite, plane, np.float32(np.nan))[:, :, None])[:, :, 0]


def _neighbours(planes: Floats) -> Floats:
    """Sum over the 3 x 3 neighbourhood, nothing outside the window."""
    padded = np.pad(planes, ((1, 1), (1, 1), (0, 0)))
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])
