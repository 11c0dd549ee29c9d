"""Fixed degradations for measurement: soft, noisy and compressed low resolution that anyone can make again."""

from __future__ import annotations

import numpy as np

from superres.degrade.applying import apply_steps
from superres.degrade.pictures import Bytes
from superres.degrade.steps import Blur, Codec, Noise, Resize, Step
from superres.errors import OptionError

__all__ = ["measurement_set", "measurement_steps"]

#: Ranges of blur (low-resolution pixels), noise (8-bit steps) and JPEG quality.
_BLUR, _NOISE, _QUALITY = (0.0, 1.0), (0.0, 15.0), (30, 90)
_SEED = 20_001


def measurement_steps(index: int) -> tuple[Step, ...]:
    """What is done to picture ``index`` of a set: round blur, bicubic reduction, noise, JPEG with 4:2:0 colour.

    The three strengths follow a sequence of low discrepancy, so that any number of pictures covers all combinations
    evenly.

    Args:
        index: 0 or more.

    References:
        M. Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences", 2018: the additive recurrence of the
        root of x^4 = x + 1.
    """
    if index < 0:
        raise OptionError(f"index {index} of a test picture: expected 0 or more")
    root = 1.2207440846057596
    parts = [(0.5 + (index + 1) * root**-power) % 1 for power in (1, 2, 3)]
    blur, noise, quality = (
        low + part * (high - low) for part, (low, high) in zip(parts, (_BLUR, _NOISE, _QUALITY), strict=True)
    )
    return Blur("gaussian", (blur, blur)), Resize(), Noise("gaussian", noise), Codec("jpeg", round(quality))


def measurement_set(picture: Bytes, scale: int, index: int) -> Bytes:
    """Degrade picture ``index`` of a test set.

    Args:
        picture: uint8 (H, W, C), C 1 or 3, H and W multiples of ``scale``.
        scale: 1 to 16.
        index: its place in the sorted set; decides strengths and noise.

    Returns:
        uint8 (H/scale, W/scale, C): the same for the same arguments.

    Raises:
        OptionError: a scale out of range or that does not divide the sides, or a negative index.
    """
    height, width = picture.shape[:2]
    if not 1 <= scale <= 16 or height % scale or width % scale:
        raise OptionError(
            f"cannot reduce {width} x {height} pixels by {scale}: expected a scale of 1 to 16 that divides both sides"
        )
    steps = measurement_steps(index)
    return apply_steps(picture, steps, (height // scale, width // scale), np.random.default_rng((_SEED, index)))
