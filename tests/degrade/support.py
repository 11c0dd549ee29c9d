"""Pictures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def textured(height: int, width: int, seed: int = 0, channels: int = 3) -> Bytes:
    """Smooth random shapes and fine detail, as in a photograph."""
    random = np.random.default_rng(seed)
    layers = [
        ndimage.gaussian_filter(random.standard_normal((height, width, channels)), (sigma, sigma, 0), mode="wrap")
        * sigma
        for sigma in (1.0, 3.0, 9.0)
    ]
    total = np.sum(layers, axis=0)
    return np.clip(128 + 45 * (total - total.mean()) / total.std(), 0, 255).astype(np.uint8)


def blob(height: int, width: int, centre: Sequence[float], sigma: float, channels: int = 3) -> Bytes:
    """A Gaussian spot; ``centre`` (row, column) in sample positions."""
    y, x = np.mgrid[0:height, 0:width]
    spot = np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * sigma**2))
    return np.rint(20 + 200 * spot).astype(np.uint8)[:, :, None].repeat(channels, axis=2)


def centroid(picture: Bytes, background: float = 20) -> npt.NDArray[np.float64]:
    """(row, column) of what is brighter than the background, over all channels."""
    weight = np.clip(picture.astype(float).sum(axis=2) - background * picture.shape[2], 0, None)
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    return np.array([(weight * y).sum(), (weight * x).sum()]) / weight.sum()
