"""Pairs of one plane for networks of grey data: luminance or any mix of the colours, of any contrast and polarity.

Scans, bands and heights are no luminances: bright may mean near, hot or empty, values may fill a part of their range
and follow another curve, detectors are noisy, and some interpolate what they measured.  What is drawn here says so to a
network that is trained on photographs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from superres.degrade.kernels import gaussian_kernel
from superres.degrade.linear import filter_and_resize
from superres.resize import resize
from superres.training.augment import rounded

__all__ = ["grey_pair", "random_mix", "row_pair"]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

#: ITU-R BT.601: the luminance that published figures are of.
_LUMINANCE = (0.299, 0.587, 0.114)
#: Shares of the patches that are luminance and one colour alone; the others are random means of the three.
_PLAIN, _SINGLE = 0.4, 0.2
#: Shares of the patches that are inverted, have another curve, have less contrast, are noisy, and are soft.
_INVERTED, _CURVED, _FAINT, _NOISY, _SOFT = 0.3, 0.2, 0.35, 0.3, 0.15
#: Largest power of the curve, as scanners have none and cameras do; its inverse is as likely.
_POWER = 2.2
#: Least contrast, and most noise in 8-bit steps: beyond them rounding to bytes, or noise, is all that is left.
_CONTRAST, _NOISE = 0.4, 24.0
#: Largest standard deviation of the softness, in pixels of the truth: many scanners interpolate what they measured.
_SOFTNESS = 1.0
#: Of the blur, of a range of 1: an eighth of an 8-bit step.
_TOLERANCE = 0.125 / 255


def grey_pair(low: Bytes, high: Bytes, scale: int, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """One plane of a pair.

    What is drawn is done to the truth, noise and softness too; the input is what reduction leaves of it, as a reduced
    scan would be, plus whatever else the input was degraded by.

    Args:
        low: uint8 (h, w, 3).
        high: uint8 (scale*h, scale*w, 3).
        scale: enlargement factor.
        random: decides mix, polarity, curve, contrast, noise and softness.

    Returns:
        uint8 (h, w, 1) and (scale*h, scale*w, 1).
    """
    weights = random_mix(random)
    plain = _mixed(high, weights)
    truth, slope = plain, 1.0
    if random.random() < _INVERTED:
        truth, slope = np.float32(255) - truth, -1.0
    if random.random() < _CURVED:
        power = _POWER ** random.uniform(-1, 1)
        # A mean of whites may round to a little more than white, whose inverse has no such power.
        truth = np.float32(255) * np.power(np.clip(truth / np.float32(255), 0, 1), np.float32(power))
    if random.random() < _FAINT:
        contrast = random.uniform(_CONTRAST, 1)
        truth = truth * np.float32(contrast) + np.float32(random.uniform(0, 255 * (1 - contrast)))
        slope *= contrast
    # Before it is made soft or after: noise of neighbours alike, or each on its own.
    softness = random.uniform(0, _SOFTNESS) if random.random() < _SOFT else 0.0
    late = random.random() < 0.5
    truth = truth if not late else _soft(truth, softness)
    if random.random() < _NOISY:
        truth = truth + random.standard_normal(truth.shape, np.float32) * np.float32(random.uniform(0, _NOISE))
    truth = np.clip(truth if late else _soft(truth, softness), 0, 255)
    besides = (_mixed(low, weights) - _reduced(plain, scale)) * np.float32(slope)
    return rounded(_reduced(truth, scale) + besides), rounded(truth)


def row_pair(low: Bytes, high: Bytes, scale: int, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """A plane across thick slices, and across thin ones: each row is the mean of ``scale`` rows of the truth.

    Arguments as of :func:`grey_pair`, which makes the truth; ``low`` only says how many columns there are to be.

    Returns:
        uint8 (h, w, 1) and (scale*h, w, 1).
    """
    height, width = low.shape[:2]
    plane = grey_pair(low, high, scale, random)[1]
    first = int(random.integers(plane.shape[1] - width + 1))
    thin = plane[:, first : first + width]
    thick = thin.reshape(height, scale, width, 1).mean(axis=1, dtype=np.float32)
    return rounded(thick), thin


def random_mix(random: np.random.Generator) -> Floats:
    """Weights of red, green and blue, float32 (3,), not negative, of sum 1."""
    kind = random.random()
    if kind < _PLAIN:
        return np.array(_LUMINANCE, np.float32)
    if kind < _PLAIN + _SINGLE:
        return np.asarray(np.eye(3)[random.integers(3)], np.float32)
    return random.dirichlet((1, 1, 1)).astype(np.float32)


def _mixed(side: Bytes, weights: Floats) -> Floats:
    """(h, w, 3) -> (h, w, 1)."""
    mixed: Floats = np.tensordot(side.astype(np.float32), weights, 1)
    return mixed[:, :, None]


def _reduced(plane: Floats, scale: int) -> Floats:
    return resize(plane, scale=1 / scale) if scale > 1 else plane


def _soft(plane: Floats, sigma: float) -> Floats:
    """(h, w, 1) blurred; a sigma of 0 leaves it as it is."""
    if sigma <= 0:
        return plane
    return filter_and_resize(plane, gaussian_kernel(sigma), plane.shape[:2], "bicubic", _TOLERANCE)
