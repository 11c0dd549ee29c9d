"""Resize to any size, without a shift."""

from __future__ import annotations

from superres.degrade.linear import filter_and_resize
from superres.degrade.pictures import Pictures, check_pictures, like
from superres.errors import OptionError, near_match
from superres.resize import KERNELS

__all__ = ["resample"]


def resample(pictures: Pictures, size: tuple[int, int], kernel: str = "bicubic") -> Pictures:
    """Resize with antialiasing; both grids cover the same area (half-pixel centres), whatever the factor.

    Unlike :func:`superres.resize.resize` it takes batches and rounds once, at the end.

    Args:
        pictures: (H, W, C) or (N, H, W, C), uint8 or float32 in [0, 1].
        size: (height, width) of the result, at least 1 each.
        kernel: ``area``, ``bilinear``, ``bicubic`` or ``lanczos3``.

    Returns:
        The same dtype, (..., height, width, C), clipped to the range.

    Raises:
        OptionError: an unknown kernel, a size below 1, or a picture of another form.
    """
    if kernel not in KERNELS:
        raise OptionError(
            f"kernel {kernel!r} is unknown: expected one of {sorted(KERNELS)}{near_match(kernel, KERNELS)}"
        )
    if min(size) < 1:
        raise OptionError(f"size {size[1]} x {size[0]}: both must be at least 1")
    check_pictures(pictures)
    return like(filter_and_resize(pictures, None, size, kernel, 0), pictures)
