"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError

__all__ = ["check_shapes", "psnr"]


def check_shapes(result: npt.NDArray[Any], reference: npt.NDArray[Any]) -> None:
    """Raise OptionError unless both arrays have one shape with at least one sample."""
    if result.shape != reference.shape or result.size == 0:
        raise OptionError(f"cannot compare {result.shape} with {reference.shape}: both must have one, non-empty shape")


def psnr(result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0) -> float:
    """``10 log10(data_range^2 / mean((result - reference)^2))`` in dB; infinity when they are equal.

    Args:
        result, reference: one shape, any real dtype.
        data_range: span of the samples, 255 for 8 bit.

    Raises:
        OptionError: different or empty shapes.

    >>> round(psnr(np.full((4, 4), 10.0), np.full((4, 4), 11.0)), 4)
    48.1308
    """
    check_shapes(result, reference)
    error = float(np.mean((result.astype(np.float64) - reference.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)
