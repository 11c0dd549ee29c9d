"""Blur by any kernel, ringing included."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.degrade.linear import filter_and_resize
from superres.degrade.pictures import Pictures, check_pictures, like
from superres.errors import OptionError

__all__ = ["blur"]


def blur(pictures: Pictures, kernel: npt.NDArray[Any], *, tolerance: float = 0.25 / 255) -> Pictures:
    """Correlate with a kernel; borders are mirrored with the edge sample repeated.

    Args:
        pictures: (H, W, C) or (N, H, W, C), uint8 or float32 in [0, 1].
        kernel: (k, k), k odd, sum 1; see :mod:`superres.degrade.kernels`.
        tolerance: the kernel is taken as a sum of separable ones, as many as keep every sample this near, in units of
            the full range.

    Returns:
        The same shape and dtype, clipped to the range.

    Raises:
        OptionError: a picture or kernel of another form.
    """
    side = kernel.shape[0] if kernel.ndim else 0
    if kernel.shape != (side, side) or side % 2 == 0 or not np.isclose(kernel.sum(), 1, atol=1e-6):
        raise OptionError(f"blur kernel {kernel.shape} of sum {kernel.sum():g}: expected (k, k), k odd, sum 1")
    check_pictures(pictures)
    height, width = pictures.shape[-3:-1]
    return like(filter_and_resize(pictures, kernel, (height, width), "bicubic", tolerance), pictures)
