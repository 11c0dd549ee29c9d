"""What is done to a pair of patches after it was cut: symmetries, exchanged or decorrelated colours, mixing.

References:
    B. Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops 2017 (flips and
    quarter turns).
    H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    J. Yoo, N. Ahn, K.-A. Sohn, "Rethinking Data Augmentation for Image Super-resolution", CVPR 2020 (CutBlur, and
    exchanged colours).
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

__all__ = ["cutblur", "decorrelated", "exchanged", "mixed", "turned"]

Bytes = npt.NDArray[np.uint8]

#: Parameter of the Beta distribution of mixup's share, as in Yoo et al.
_MIXUP = 1.2

_ORDERS = tuple(itertools.permutations(range(3)))


def turned(patch: Bytes, turn: int) -> Bytes:
    """One of the eight symmetries of the square: bits 0 and 1 flip, bit 2 transposes.  A view."""
    if turn & 1:
        patch = patch[::-1]
    if turn & 2:
        patch = patch[:, ::-1]
    return patch.swapaxes(0, 1) if turn & 4 else patch


def exchanged(low: Bytes, high: Bytes, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """Both with their colour channels in one other order.

    Every degradation here treats channels alike or nearly so; brightness and contrast, which would clip, stay.
    """
    order = list(_ORDERS[1 + int(random.integers(len(_ORDERS) - 1))])
    return low[:, :, order], high[:, :, order]


def decorrelated(low: Bytes, high: Bytes, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """Both with each channel turned, and maybe inverted, on its own: colours and edges that photographs do not have.

    In photographs the channels agree in nearly every edge, and few colours are saturated; a network that saw nothing
    else answers with blocks where a red thing stands before a green one.
    """
    ways = [(int(random.integers(8)), np.uint8(255 * (random.random() < 0.5))) for _ in range(low.shape[2])]

    def apart(side: Bytes) -> Bytes:
        return np.stack([turned(side[:, :, k], turn) ^ flipped for k, (turn, flipped) in enumerate(ways)], axis=2)

    return apart(low), apart(high)


def mixed(
    low: Bytes, high: Bytes, other_low: Bytes, other_high: Bytes, random: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """Mixup: both pairs averaged with one share, Beta(1.2, 1.2); rounded to 8 bits."""
    share = np.float32(random.beta(_MIXUP, _MIXUP))
    return _average(low, other_low, share), _average(high, other_high, share)


def cutblur(low: Bytes, clean: Bytes, random: np.random.Generator) -> Bytes:
    """The input with a rectangle, or all but a rectangle, of the clean reduction: where and how much to restore.

    Args:
        low: degraded, uint8 (H, W, C).
        clean: the truth, only reduced, of the same shape.
        random: decides the rectangle.
    """
    inside = np.zeros(low.shape[:2], bool)
    height, width = (max(1, round(length * random.uniform(0.2, 0.8))) for length in low.shape[:2])
    top = int(random.integers(low.shape[0] - height + 1))
    left = int(random.integers(low.shape[1] - width + 1))
    inside[top : top + height, left : left + width] = True
    if random.random() < 0.5:
        inside = ~inside
    return np.where(inside[:, :, None], clean, low)


def _average(one: Bytes, other: Bytes, share: np.float32) -> Bytes:
    mean = one * share + other * (1 - share)
    return (mean + np.float32(0.5)).astype(np.uint8)
