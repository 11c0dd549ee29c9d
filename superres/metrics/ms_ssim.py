"""Structural similarity at several scales.

Reference:
    Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multi-scale structural similarity for image quality assessment",
    Asilomar Conference on Signals, Systems and Computers, 2003.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.metrics.psnr import check_shapes
from superres.metrics.ssim import WINDOW, similarity_and_contrast

__all__ = ["ms_ssim"]

# Exponents of the five scales, the finest first (table 1 of the paper).
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SMALLEST = WINDOW * 2 ** (len(_WEIGHTS) - 1)


def ms_ssim(result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0) -> float:
    """Product of the weighted contrast-structure terms of five scales and the luminance of the coarsest; 1 when equal.

    Each scale is half the one before: means of 2 x 2 samples, an odd last row or column left out.  Windows are those
    of :func:`superres.metrics.ssim.ssim`.  A negative mean, which a power cannot take, counts as 0.

    Args:
        result, reference: (H, W) of one shape, H and W at least 176, so that the window fits the coarsest scale.
        data_range: span of the samples, 255 for 8 bit.

    Raises:
        OptionError: different shapes, not two-dimensional, or too small.
    """
    check_shapes(result, reference)
    if result.ndim != 2 or min(result.shape) < _SMALLEST:
        raise OptionError(
            f"MS-SSIM needs one channel of at least {_SMALLEST} x {_SMALLEST} samples, got {result.shape}"
        )
    x, y = result.astype(np.float64), reference.astype(np.float64)
    product = 1.0
    for weight in _WEIGHTS[:-1]:
        product *= max(similarity_and_contrast(x, y, data_range)[1], 0.0) ** weight
        x, y = _halved(x), _halved(y)
    return float(product * max(similarity_and_contrast(x, y, data_range)[0], 0.0) ** _WEIGHTS[-1])


def _halved(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means of 2 x 2 samples: (H, W) -> (H // 2, W // 2)."""
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    return np.asarray(plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3)))
