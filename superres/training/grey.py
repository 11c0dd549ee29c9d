"""Pairs of one plane for networks of grey data: luminance or any mix of the colours, of any contrast and polarity.

Scans, bands and heights are no luminances: bright may mean near, hot or empty, values may fill a part of their range,
and detectors are noisy.  What is drawn here says so to a network that is trained on photographs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.resize import resize

__all__ = ["grey_pair", "random_mix"]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

#: ITU-R BT.601: the luminance that published figures are of.
_LUMINANCE = (0.299, 0.587, 0.114)
#: Shares of the patches that are luminance and one colour alone; the others are random means of the three.
_PLAIN, _SINGLE = 0.5, 0.2
#: Shares of the patches that are inverted, that have less contrast, and that are noisy.
_INVERTED, _FAINT, _NOISY = 0.3, 0.35, 0.2
#: Least contrast, and most noise in 8-bit steps: beyond them rounding to bytes, or noise, is all that is left.
_CONTRAST, _NOISE = 0.4, 8.0


def grey_pair(low: Bytes, high: Bytes, scale: int, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """One plane of a pair.

    Noise is part of the truth: the input holds what reduction leaves of it, as a reduced scan would.

    Args:
        low: uint8 (h, w, 3).
        high: uint8 (scale*h, scale*w, 3).
        scale: enlargement factor.
        random: decides mix, polarity, contrast and noise.

    Returns:
        uint8 (h, w, 1) and (scale*h, scale*w, 1).
    """
    weights = random_mix(random)
    factor, offset = (-1.0, 255.0) if random.random() < _INVERTED else (1.0, 0.0)
    if random.random() < _FAINT:
        contrast = random.uniform(_CONTRAST, 1)
        factor, offset = factor * contrast, offset * contrast + random.uniform(0, 255 * (1 - contrast))
    planes = [_mixed(side, weights) * np.float32(factor) + np.float32(offset) for side in (low, high)]
    if random.random() < _NOISY:
        noise = random.standard_normal(planes[1].shape, np.float32) * np.float32(random.uniform(0, _NOISE))
        planes = [planes[0] + (resize(noise, scale=1 / scale) if scale > 1 else noise), planes[1] + noise]
    return _bytes(planes[0]), _bytes(planes[1])


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


def _bytes(values: npt.NDArray[Any]) -> Bytes:
    return np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8)
