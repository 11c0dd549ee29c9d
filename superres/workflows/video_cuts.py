"""Scene cuts: where a frame no longer shows what the frame before it did."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["is_cut"]

# Frames are compared as thumbnails of about so many pixels a side: noise and small motion vanish there.
_THUMBNAIL = 32
_BINS = 32
# Of the range of samples: what thumbnails differ by on average.  Of the pixels: those that change their brightness
# class.  A pan changes the first and hardly the second, a flash or a fade the second; a cut changes both.
_LEAST_CHANGE, _LEAST_MOVED = 0.12, 0.18


def is_cut(before: npt.NDArray[Any], after: npt.NDArray[Any], peak: int) -> bool:
    """Whether a scene begins between two luma planes.

    A wrong answer costs quality for some frames and nothing else: the network starts anew, or remembers in vain.

    Args:
        before, after: (H, W) samples.
        peak: largest sample that the format has.
    """
    small = [_thumbnail(plane) / peak for plane in (before, after)]
    change = float(np.abs(small[1] - small[0]).mean())
    if change < _LEAST_CHANGE:
        return False
    counts = [np.histogram(plane, _BINS, (0, 1))[0] / plane.size for plane in small]
    return float(np.abs(counts[1] - counts[0]).sum()) / 2 > _LEAST_MOVED


def _thumbnail(plane: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Means of blocks; what is left over at the right and at the bottom does not count."""
    down, across = (max(1, length // _THUMBNAIL) for length in plane.shape)
    height, width = plane.shape[0] // down, plane.shape[1] // across
    blocks = plane[: height * down, : width * across].reshape(height, down, width, across)
    means: npt.NDArray[np.float64] = blocks.mean(axis=(1, 3), dtype=np.float64)
    return means
