"""Relative global error of pictures with several bands (*erreur relative globale adimensionnelle de synthèse*).

Reference:
    L. Wald, "Quality of high resolution synthesised images: is there a simple criterion?", Fusion of Earth Data, 2000.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.metrics.psnr import check_shapes

__all__ = ["ergas"]


def ergas(
    result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0, *, scale: float = 4
) -> float:
    """``100 / scale * sqrt(mean over bands of (RMSE / mean of the reference)^2)``; 0 when equal.

    A band of the reference whose mean is 0 counts as 0 where the result is equal, otherwise the whole is infinite.

    Args:
        result, reference: (H, W, C) of one shape.
        data_range: span of the samples; a relative error does not depend on it.
        scale: enlargement factor, Wald's l/h.

    Raises:
        OptionError: different shapes, not three-dimensional, or a scale that is not positive.

    >>> ergas(np.full((2, 2, 3), 11.0), np.full((2, 2, 3), 10.0), scale=2)
    5.0
    """
    check_shapes(result, reference)
    if result.ndim != 3 or not scale > 0:
        raise OptionError(
            f"ERGAS needs (height, width, bands) and a positive scale, got {result.shape} and scale {scale}"
        )
    x, y = result.astype(np.float64), reference.astype(np.float64)
    squared_error, mean = ((x - y) ** 2).mean(axis=(0, 1)), y.mean(axis=(0, 1))
    if np.any((mean == 0) & (squared_error > 0)):
        return math.inf
    relative = squared_error / np.where(mean == 0, 1.0, mean) ** 2
    return 100 / scale * math.sqrt(float(relative.mean()))
