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

from superres.degrade.codec import jpeg
from superres.degrade.kernels import gaussian_kernel
from superres.degrade.linear import filter_and_resize
from superres.resize import resize

__all__ = ["averaged", "cutblur", "decorrelated", "exchanged", "mixed", "roughened", "rounded", "turned"]

Bytes = npt.NDArray[np.uint8]

#: Parameter of the Beta distribution of mixup's share, as in Yoo et al.
_MIXUP = 1.2

# Of what makes an input rough: how likely each is, the strongest noise (standard deviation, of 255), sharpening (times
# what a blur of this many pixels takes away), and the worst and best compression.
_SAMPLED, _SHARPENED, _COMPRESSED, _NOISY = 0.4, 0.5, 0.6, 0.3
_NOISE, _AMOUNT, _BLUR, _QUALITIES = 50.0, 2.5, 1.0, (15, 90)

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
    return averaged(low, other_low, share), averaged(high, other_high, share)


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


def roughened(low: Bytes, high: Bytes, scale: int, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """An input as no reduction leaves it: sampled point by point, sharpened, compressed, noisy, or several of these.

    A network that saw reduced photographs alone may answer to a sharpened or compressed text with anything.  The truth
    holds what was done to the input, interpolated: such a network stays faithful, and learns to leave that as it is.

    Args:
        low: uint8 (h, w, 3).
        high: uint8 (scale*h, scale*w, 3).
        scale: enlargement factor.
        random: decides what is done, and how strongly.

    Returns:
        Both sides, of the same shapes.
    """
    sampled, sharpened, compressed, noisy = random.random(4) < (_SAMPLED, _SHARPENED, _COMPRESSED, _NOISY)
    rough = low.astype(np.float32)
    if sampled:
        row, column = random.integers(scale, size=2)
        rough = high[row::scale, column::scale].astype(np.float32)
    if sharpened:
        soft = filter_and_resize(rough, gaussian_kernel(_BLUR), rough.shape[:2], "bicubic", 0.5)
        rough = rough + np.float32(random.uniform(0.3, _AMOUNT)) * (rough - soft)
    if noisy:
        planes = 3 if random.random() < 0.5 else 1
        sigma = random.uniform(1, _NOISE)
        rough = rough + random.normal(0, sigma, (*rough.shape[:2], planes)).astype(np.float32)
    made = rounded(rough)
    if compressed:
        made = jpeg(made, int(random.integers(*_QUALITIES)), subsampled=bool(random.random() < 0.5))
    change = made.astype(np.float32) - low
    added = resize(change, scale=scale).astype(np.float32)
    return made, rounded(high.astype(np.float32) + added)


def rounded(values: npt.NDArray[np.float32]) -> Bytes:
    """Values in 0 .. 255 as uint8, rounded half up; what lies beyond is clipped."""
    return np.asarray(np.clip(values + np.float32(0.5), 0, 255), np.uint8)


def averaged(one: Bytes, other: Bytes, share: float | np.float32) -> Bytes:
    """``share`` of ``one`` and the rest of ``other``, uint8 of one shape, rounded half up.

    >>> averaged(np.uint8([10, 100]), np.uint8([0, 100]), 0.75).tolist()
    [8, 100]
    """
    return rounded(one * np.float32(share) + other * np.float32(1 - share))
