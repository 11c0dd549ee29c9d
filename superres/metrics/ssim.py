"""Structural similarity.

Reference:
    Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE TIP 13(4), 2004.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.metrics.psnr import check_shapes

__all__ = ["WINDOW", "similarity_and_contrast", "ssim"]

#: Side of the Gaussian window, in samples.
WINDOW = 11

_SIGMA, _K1, _K2 = 1.5, 0.01, 0.03


def ssim(result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0) -> float:
    """Mean SSIM over windows that lie wholly inside (Gaussian 11 x 11, sigma 1.5, K 0.01 / 0.03); 1 when equal.

    Args:
        result, reference: (H, W) of one shape, H and W at least 11.
        data_range: span of the samples, 255 for 8 bit.

    Raises:
        OptionError: different shapes, not two-dimensional, or smaller than the window.

    >>> ssim(np.eye(16) * 255, np.eye(16) * 255)
    1.0
    """
    return similarity_and_contrast(result, reference, data_range)[0]


def similarity_and_contrast(
    result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0
) -> tuple[float, float]:
    """Mean SSIM, and the mean of its contrast-structure part, which leaves the luminance term out.

    Arguments and errors are those of :func:`ssim`.
    """
    check_shapes(result, reference)
    if result.ndim != 2 or min(result.shape) < WINDOW:
        raise OptionError(f"SSIM needs one channel of at least {WINDOW} x {WINDOW} samples, got {result.shape}")
    x, y = result.astype(np.float64), reference.astype(np.float64)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    contrast = (2 * covariance + c2) / (variance_x + variance_y + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float(np.mean(luminance * contrast)), float(np.mean(contrast))


def _blur(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Gaussian window mean, valid positions only: (H, W) -> (H - 10, W - 10)."""
    offsets = np.arange(WINDOW) - (WINDOW - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    height, width = plane.shape[0] - WINDOW + 1, plane.shape[1] - WINDOW + 1
    rows = sum(w * plane[k : k + height] for k, w in enumerate(weights))
    return np.asarray(sum(w * rows[:, k : k + width] for k, w in enumerate(weights)))
