"""Noise: Gaussian, Poisson (shot) and speckle.

All three take one strength, ``sigma``: the standard deviation that white (255) gets, in steps of 8 bits.  Gaussian
noise is as strong everywhere; shot noise falls with the square root of the brightness, as photons do; speckle falls
with the brightness itself.
"""

from __future__ import annotations

import numpy as np

from superres.degrade.pictures import Floats, Pictures, check_sigma, like, to_float

__all__ = ["gaussian_noise", "poisson_noise", "speckle_noise"]


def gaussian_noise(pictures: Pictures, sigma: float, random: np.random.Generator, *, grey: bool = False) -> Pictures:
    """Add normal noise.

    Args:
        pictures: (H, W, C) or (N, H, W, C), uint8 or float32 in [0, 1].
        sigma: standard deviation in 8-bit steps, 0 or more; 0 gives the picture back.
        random: where the noise comes from.
        grey: the same noise in all channels, otherwise each has its own.

    Returns:
        The same shape and dtype, clipped to the range.

    Raises:
        OptionError: a negative sigma, or a picture of another form.
    """
    check_sigma("noise sigma", sigma)
    values = to_float(pictures)
    if sigma == 0:
        return pictures.copy()
    return like(values + _normal(values, random, grey) * np.float32(sigma / 255), pictures)


def poisson_noise(pictures: Pictures, sigma: float, random: np.random.Generator, *, grey: bool = False) -> Pictures:
    """Count photons: white is ``(255 / sigma)^2`` of them, every sample a Poisson number with the right mean.

    Arguments, result and errors as :func:`gaussian_noise`; ``grey`` counts the channels' mean and spreads its error.
    """
    check_sigma("noise sigma", sigma)
    values = to_float(pictures)
    if sigma == 0:
        return pictures.copy()
    photons = (255 / sigma) ** 2
    # Shot noise is defined for light: what an overshooting filter left below 0 counts as none.
    light = np.maximum(values.mean(axis=-1, keepdims=True) if grey else values, 0)
    # Beyond 1e9 expected photons the noise is far below a 16-bit step, and the generator nears its limit.
    if photons > 1e9:
        return pictures.copy()
    counted = random.poisson(light * photons).astype(np.float32) * np.float32(1 / photons)
    return like(values + (counted - light), pictures)


def speckle_noise(pictures: Pictures, sigma: float, random: np.random.Generator, *, grey: bool = False) -> Pictures:
    """Multiply by ``1 + n``, n normal: noise in proportion to the brightness.

    Arguments, result and errors as :func:`gaussian_noise`.
    """
    check_sigma("noise sigma", sigma)
    values = to_float(pictures)
    if sigma == 0:
        return pictures.copy()
    return like(values * (1 + _normal(values, random, grey) * np.float32(sigma / 255)), pictures)


def _normal(values: Floats, random: np.random.Generator, grey: bool) -> Floats:
    shape = (*values.shape[:-1], 1) if grey else values.shape
    return random.standard_normal(shape, dtype=np.float32)
