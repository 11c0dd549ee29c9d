"""Natural scene statistics of a picture: what NIQE compares.

Reference:
    A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'completely blind' image quality analyzer", IEEE SPL 20(3),
    2013.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.resize import resize

__all__ = ["FEATURES", "PATCH", "patch_features"]

Floats = npt.NDArray[np.float64]

#: Side of a patch in samples, and what describes one: 18 numbers at each of two scales.
PATCH, FEATURES = 96, 36

_RADIUS, _SIGMA = 3, 7 / 6
# Neighbours to the right, below, and on both diagonals, as in the authors' program.
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


def patch_features(plane: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Describe every 96 x 96 patch of a picture, side by side from the top left; what is left over is not seen.

    Args:
        plane: (H, W), samples over 0 to 255, H and W at least 96.

    Returns:
        float64 (patches, 36) features, and float64 (patches,) sharpness: the mean local deviation of each patch.

    Raises:
        OptionError: not two-dimensional, or too small.
    """
    if plane.ndim != 2 or min(plane.shape) < PATCH:
        raise OptionError(f"NIQE needs one channel of at least {PATCH} x {PATCH} samples, got {plane.shape}")
    height, width = (length // PATCH * PATCH for length in plane.shape)
    full = plane[:height, :width].astype(np.float64)
    normalised, deviation = _normalised(full)
    sharpness = _patches(deviation, PATCH).mean(axis=(1, 2))
    coarse, _ = _normalised(resize(full, (height // 2, width // 2)))
    both = [_described(_patches(normalised, PATCH)), _described(_patches(coarse, PATCH // 2))]
    return np.concatenate(both, axis=1), sharpness


def _normalised(plane: Floats) -> tuple[Floats, Floats]:
    """Samples less their local mean, over their local deviation + 1; and that deviation.  All (H, W)."""
    mean = _blur(plane)
    deviation = np.sqrt(np.abs(_blur(plane * plane) - mean * mean))
    return (plane - mean) / (deviation + 1), deviation


def _blur(plane: Floats) -> Floats:
    """Gaussian 7 x 7 mean, sigma 7/6, edge samples repeated."""
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    for axis in (0, 1):
        length = plane.shape[axis]
        padded = np.pad(plane, [(_RADIUS, _RADIUS) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        plane = sum((w * padded.take(range(k, k + length), axis) for k, w in enumerate(weights)), np.zeros(1))
    return plane


def _patches(plane: Floats, side: int) -> Floats:
    """(H, W) -> (patches, side, side), row by row."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    return plane.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _described(patches: Floats) -> Floats:
    """(patches, side, side) -> (patches, 18): the shape of the values, and of their products with four neighbours."""
    shape, left, right = _fitted(patches)
    columns = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = _fitted(patches * np.roll(patches, shift, axis=(1, 2)))
        columns += [shape, (right - left) * _gamma_ratio(shape), left, right]
    return np.stack(columns, axis=1)


def _fitted(patches: Floats) -> tuple[Floats, Floats, Floats]:
    """Shape and left and right scale of the asymmetric generalised Gaussian of each patch, by matching moments.

    Not a number for a patch without values on both sides of 0: a flat one.
    """
    values = patches.reshape(len(patches), -1)
    left, right = (_root_mean_square(values, side) for side in (values < 0, values > 0))
    with np.errstate(invalid="ignore"):
        ratio = left / right
        moments = np.abs(values).mean(axis=1) ** 2 / (values**2).mean(axis=1)
    wanted = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, known = _moment_table()
    # The table rises: the nearest entry is one of the two beside the place to insert.
    place = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    nearer = np.where(np.abs(known[place - 1] - wanted) <= np.abs(known[place] - wanted), place - 1, place)
    shape = np.where(np.isfinite(wanted), shapes[nearer], np.nan)
    widening = np.sqrt(_gamma(1 / shape) / _gamma(3 / shape))
    return shape, left * widening, right * widening


def _root_mean_square(values: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Of the chosen values of each row; not a number where none is chosen."""
    count = chosen.sum(axis=1)
    total = np.where(chosen, values, 0.0) ** 2
    return np.asarray(np.sqrt(total.sum(axis=1) / np.where(count > 0, count, np.nan)))


def _gamma_ratio(shape: Floats) -> Floats:
    return _gamma(2 / shape) / _gamma(1 / shape)


def _gamma(values: Floats) -> Floats:
    return np.array([math.gamma(v) for v in values])


@functools.cache
def _moment_table() -> tuple[Floats, Floats]:
    """Shapes from 0.2 to 10 in steps of 0.001, and the ratio of moments that belongs to each, which rises."""
    shapes = np.arange(200, 10001) / 1000
    return shapes, _gamma(2 / shapes) ** 2 / (_gamma(1 / shapes) * _gamma(3 / shapes))
