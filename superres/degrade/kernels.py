"""Blur kernels: anisotropic Gaussians, their generalised and plateau forms, and the ringing low-pass.

Every kernel is float64 (k, k), k odd, sums to 1, and is symmetric about its centre sample, so that it cannot shift a
picture.  With the squared distance ``q = u^2 / sigma_u^2 + v^2 / sigma_v^2`` in the turned axes (u, v):

- Gaussian ``exp(-q / 2)``, generalised Gaussian ``exp(-q^shape / 2)``, plateau ``1 / (1 + q^shape)``;
- sinc: the circular low-pass ``cutoff * J1(cutoff * r) / (2 * pi * r)``.

References:
    K. Zhang, J. Liang, L. Van Gool, R. Timofte, "Designing a Practical Degradation Model for Deep Blind Image
    Super-Resolution" (BSRGAN), ICCV 2021.
    X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
    Data", ICCVW 2021.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError

__all__ = [
    "Kernel",
    "gaussian_kernel",
    "generalised_gaussian_kernel",
    "plateau_kernel",
    "separable_terms",
    "sinc_kernel",
]

Kernel = npt.NDArray[np.float64]


def gaussian_kernel(sigma_u: float, sigma_v: float | None = None, angle: float = 0.0) -> Kernel:
    """An anisotropic Gaussian.

    Args:
        sigma_u: standard deviation along the first axis, in pixels, above 0.
        sigma_v: along the second; as ``sigma_u`` when None.
        angle: of the first axis against the rows' direction (x), in radians, turning from x towards y (down).

    Returns:
        (k, k), k = 2 * ceil(3 * the larger sigma) + 1.

    Raises:
        OptionError: a sigma that is not above 0 or above 100.
    """
    return generalised_gaussian_kernel(sigma_u, sigma_v, angle, shape=1.0)


def generalised_gaussian_kernel(
    sigma_u: float, sigma_v: float | None = None, angle: float = 0.0, *, shape: float
) -> Kernel:
    """``exp(-q^shape / 2)``: peaked below a shape of 1, Gaussian at 1, flat-topped above.

    Arguments, result and errors as :func:`gaussian_kernel`; OptionError too for a shape that is not above 0.
    """
    return _normalised(np.exp(-0.5 * _distance(sigma_u, sigma_v, angle, shape)))


def plateau_kernel(sigma_u: float, sigma_v: float | None = None, angle: float = 0.0, *, shape: float) -> Kernel:
    """``1 / (1 + q^shape)``: a flat top and long tails.

    Arguments, result and errors as :func:`generalised_gaussian_kernel`.
    """
    return _normalised(1 / (1 + _distance(sigma_u, sigma_v, angle, shape)))


def sinc_kernel(cutoff: float, radius: int) -> Kernel:
    """The ideal circular low-pass cut to a square: it rings at edges, as oversharpened and recompressed pictures do.

    Args:
        cutoff: in radians per pixel, above 0 up to pi.
        radius: the kernel reaches this many pixels from its centre, 1 to 64.

    Returns:
        (2 * radius + 1, 2 * radius + 1).

    Raises:
        OptionError: an argument out of range.
    """
    if not (0 < cutoff <= math.pi and 1 <= radius <= 64):
        raise OptionError(f"sinc of cutoff {cutoff} and radius {radius}: expected above 0 to pi, and 1 to 64")
    offsets = np.arange(-radius, radius + 1)
    squares, where = np.unique(offsets[:, None] ** 2 + offsets**2, return_inverse=True)
    distance = np.sqrt(np.maximum(squares, 1e-300))
    values = cutoff * _bessel_j1(cutoff * distance) / (2 * math.pi * distance)
    values[0] = cutoff**2 / (4 * math.pi)  # the limit at the centre
    return _normalised(values[where].reshape(len(offsets), len(offsets)))


def separable_terms(kernel: npt.NDArray[Any], tolerance: float) -> tuple[Kernel, Kernel]:
    """A kernel as a sum of few separable ones, by its singular values.

    Args:
        kernel: (k, k) that sums to 1.
        tolerance: what the absolute differences may add up to: the largest error on pictures in [0, 1], before the
            sum is set back to 1.

    Returns:
        ``columns`` and ``rows``, float64 (terms, k) each; the kernel is about ``sum_t outer(columns[t], rows[t])``,
        and that sum is 1 in total.
    """
    left, values, right = np.linalg.svd(kernel)
    for count in range(1, len(values) + 1):
        columns = (left[:, :count] * values[:count]).T
        rebuilt = columns.T @ right[:count]
        if np.abs(rebuilt - kernel).sum() <= tolerance:
            break
    return columns / rebuilt.sum(), right[:count]


def _distance(sigma_u: float, sigma_v: float | None, angle: float, shape: float) -> Kernel:
    """``q^shape`` on the kernel's grid."""
    sigma_v = sigma_u if sigma_v is None else sigma_v
    # 100 pixels, a kernel of 601 x 601, is far beyond any use: larger values are slips of unit.
    if not (0 < sigma_u <= 100 and 0 < sigma_v <= 100 and shape > 0 and math.isfinite(angle)):
        raise OptionError(
            f"blur of sigmas {sigma_u} and {sigma_v} pixels, angle {angle}, shape {shape}: expected sigmas above 0 "
            "up to 100, a finite angle and a shape above 0"
        )
    radius = math.ceil(3 * max(sigma_u, sigma_v))
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    y = x[:, None]
    u = x * math.cos(angle) + y * math.sin(angle)
    v = y * math.cos(angle) - x * math.sin(angle)
    # Far corners of a very flat kernel would overflow the power; there the kernel is 0 in any case.
    return np.minimum((u / sigma_u) ** 2 + (v / sigma_v) ** 2, 1e30) ** min(shape, 10.0)


def _normalised(kernel: Kernel) -> Kernel:
    return np.asarray(kernel / kernel.sum())


def _bessel_j1(x: Kernel) -> Kernel:
    """The Bessel function J1 by its integral; the mean over a period is exact to rounding for |x| below 300."""
    # 2 n samples of the period alias harmonics from 2 n - 1 on, which J is without when x is well below that.
    angles = (np.arange(256) + 0.5) * (math.pi / 256)
    return np.asarray(np.cos(angles - x[..., None] * np.sin(angles)).mean(axis=-1))
