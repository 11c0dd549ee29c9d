"""Do what a list of steps says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from superres.degrade.codec import jpeg, webp
from superres.degrade.kernels import Kernel
from superres.degrade.linear import filter_and_resize
from superres.degrade.noise import gaussian_noise, poisson_noise, speckle_noise
from superres.degrade.pictures import Floats, Pictures, check_pictures, like
from superres.degrade.steps import Blur, Codec, Noise, Resize, Ringing, Step, describe
from superres.errors import OptionError

__all__ = ["apply_steps"]

# Of a blur, see separable_terms.  Kernels are drawn: one that differs by a fiftieth from the one drawn serves as well,
# and has fewer terms.
_TOLERANCE = 0.02
_NOISES = {"gaussian": gaussian_noise, "poisson": poisson_noise, "speckle": speckle_noise}


def apply_steps(
    pictures: Pictures, steps: Sequence[Step], size: tuple[int, int], random: np.random.Generator
) -> Pictures:
    """Do the steps in order.  A blur and the resize that follows it are one pass.

    Args:
        pictures: (H, W, C) or (N, H, W, C), uint8 or float32 in [0, 1]; every picture of a batch meets the same steps
            and noise of its own.  With a codec among the steps C is 1 or 3.
        steps: what to do; the last resize leads to ``relative`` 1 (without any, H and W are ``size`` already).
        size: (height, width) of the result.
        random: where noise comes from.

    Returns:
        (..., height, width, C) of the same dtype; rounded once, at the end (codecs work on 8 bits).

    Raises:
        OptionError: steps that end at another size, or with a value out of range.
    """
    check_pictures(pictures)
    values = pictures
    waiting: Kernel | None = None
    for step in steps:
        if isinstance(step, Blur | Ringing):
            values = _filtered(values, waiting, values.shape[-3:-1], "bicubic")
            waiting = step.kernel(values.shape[-2] / size[1])
        elif isinstance(step, Resize):
            goal = max(1, round(size[0] * step.relative)), max(1, round(size[1] * step.relative))
            values, waiting = _filtered(values, waiting, goal, step.kernel), None
        else:
            values, waiting = _filtered(values, waiting, values.shape[-3:-1], "bicubic"), None
            values = _spoiled(values, step, random)
    values = _filtered(values, waiting, values.shape[-3:-1], "bicubic")
    if values.shape[-3:-1] != size:
        raise OptionError(
            f"the steps [{describe(steps)}] end at {values.shape[-2]} x {values.shape[-3]} pixels, expected "
            f"{size[1]} x {size[0]}: the last resize must be to 1"
        )
    return like(values, pictures)


def _filtered(values: Pictures, kernel: Kernel | None, size: tuple[int, ...], resampling: str) -> Floats:
    return filter_and_resize(values, kernel, (size[0], size[1]), resampling, _TOLERANCE)


def _spoiled(values: Floats, step: Noise | Codec, random: np.random.Generator) -> Floats:
    if isinstance(step, Noise):
        return _NOISES[step.kind](values, step.sigma, random, grey=step.grey)
    if step.kind == "jpeg":
        return jpeg(values, step.quality, subsampled=step.subsampled)
    return webp(values, step.quality)
