"""The published protocol: 8-bit RGB -> BT.601 luma (16-235) -> border of ``scale`` pixels cut -> PSNR and SSIM.

:func:`measure` gives every other metric the same treatment: a border of ``scale`` pixels cut, luma or RGB as the
metric's entry says.  Only consistency, which compares with the input, sees the whole picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.metrics import find_metric, load_metric
from superres.metrics.psnr import psnr
from superres.metrics.ssim import ssim

__all__ = ["Score", "luma", "measure", "score", "shave", "smallest_side"]


@dataclass(frozen=True)
class Score:
    """PSNR in dB and SSIM of one picture, or their means over a set."""

    psnr: float
    ssim: float


def luma(picture: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """BT.601 studio-range luma of 8-bit samples, not rounded.

    Args:
        picture: uint8 (H, W, 3) RGB, or (H, W) / (H, W, 1) grey.

    Returns:
        float64 (H, W), 16 .. 235.

    Raises:
        OptionError: another dtype or channel count.
    """
    channels = picture.shape[2] if picture.ndim == 3 else 1
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or channels not in (1, 3):
        raise OptionError(f"the protocol takes uint8 grey or RGB pictures, got {picture.dtype} {picture.shape}")
    if channels == 3:
        return np.asarray(picture @ np.array([65.481, 128.553, 24.966]) / 255 + 16)
    grey = picture if picture.ndim == 2 else picture[:, :, 0]
    return grey * (219 / 255) + 16.0


def shave(plane: npt.NDArray[Any], border: int) -> npt.NDArray[Any]:
    """Cut ``border`` samples off every side of (H, W, ...)."""
    if min(plane.shape[:2]) <= 2 * border:
        raise OptionError(
            f"a picture of {plane.shape[1]} x {plane.shape[0]} has nothing left inside a border of {border}"
        )
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border]


def score(result: npt.NDArray[np.uint8], reference: npt.NDArray[np.uint8], scale: int) -> Score:
    """PSNR and SSIM of one enlarged picture in the published protocol.

    Args:
        result, reference: uint8 (H, W, 3) or grey, one shape.
        scale: the enlargement; that many border pixels are left out.

    Raises:
        OptionError: shapes that differ, or pictures too small for the border and SSIM's window.
    """
    x, y = shave(luma(result), scale), shave(luma(reference), scale)
    return Score(psnr(x, y), ssim(x, y))


def measure(
    metrics: Sequence[str],
    result: npt.NDArray[np.uint8],
    reference: npt.NDArray[np.uint8],
    low: npt.NDArray[np.uint8],
    scale: int,
) -> dict[str, float]:
    """Every metric of one enlarged picture.

    Args:
        metrics: names from :data:`superres.metrics.METRICS`.
        result, reference: uint8 (H, W, 3), one shape.
        low: uint8 (H / scale, W / scale, 3), what the result was made from.
        scale: the enlargement; that many border pixels are left out.

    Returns:
        Name -> value, in the order of ``metrics``.

    Raises:
        OptionError: an unknown metric, shapes that differ, or pictures too small for a metric.
        MissingExtraError: a learned metric whose package is absent.
    """
    inner = {"rgb": (shave(result, scale), shave(reference, scale))}
    inner["luma"] = luma(inner["rgb"][0]), luma(inner["rgb"][1])
    values = {}
    for name in metrics:
        entry, function = find_metric(name), load_metric(name)
        further = {"scale": scale} if entry.scaled else {}
        x, y = inner[entry.samples]
        if entry.kind == "full":
            values[name] = function(x, y, 255.0, **further)
        elif entry.kind == "none":
            values[name] = function(x, 255.0, **further)
        else:
            values[name] = function(result, low, 255.0, **further)
    return values


def smallest_side(metrics: Sequence[str]) -> int:
    """Pixels that each side of a picture must have for ``metrics``, within the border."""
    return max(find_metric(name).smallest for name in metrics)
