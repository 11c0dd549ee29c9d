"""Consistency: does the result, made small again, give the picture that it was made from?"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from superres.errors import OptionError
from superres.metrics.psnr import psnr
from superres.resize import resize

__all__ = ["consistency"]


def consistency(result: npt.NDArray[Any], low: npt.NDArray[Any], data_range: float = 255.0) -> float:
    """PSNR in dB between the result, reduced by MATLAB bicubic, and the input; infinity when they are equal.

    The reduction is that of the published protocol, rounded to the input's integer type as the input was, so that the
    ground truth itself scores infinity.  Low values tell of detail that contradicts the input.  Of an input with noise
    or compression, or one that was reduced in another way, a good result *should* differ; the figure then says by how
    much, not how well.

    Args:
        result: (H, W) or (H, W, C), H and W the same whole multiple of the input's.
        low: the input, of the same dtype.
        data_range: span of the samples, 255 for 8 bit.

    Raises:
        OptionError: sizes that are not the same multiple on both axes, or different channels or dtypes.
    """
    factor = result.shape[0] // max(1, low.shape[0])
    expected = (low.shape[0] * factor, low.shape[1] * factor, *low.shape[2:])
    if factor < 1 or result.shape != expected or result.dtype != low.dtype:
        raise OptionError(
            f"a result of {result.dtype} {result.shape} is no enlargement of an input of {low.dtype} {low.shape}: "
            "expected one dtype and one whole factor on both axes"
        )
    return psnr(resize(result, low.shape[:2]), low, data_range)
