"""Pairs for networks with a guide: one plane is to be sharpened, another one of the same place is sharp already.

Both are made of the colours of photographs, which agree in most edges and differ in how bright things are.  What two
sensors disagree on is put in: objects that one of them does not see, guides of another place, soft and noisy ones.  A
network that has seen these does not believe every edge of its guide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.resize import resize

__all__ = ["folded", "guided_pair", "matched"]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

#: Shares of the patches: a target that is inverted; a guide that is; that has weights of either sign.
_INVERTED, _SIGNED = 0.3, 0.3
#: Shares of the patches whose guide has objects of its own; whose target has; whose guide shows another place; whose
#: guide is soft; noisy; a pixel off.
_GUIDE_ALONE, _TARGET_ALONE, _ELSEWHERE, _SOFT, _NOISY, _SHIFTED = 0.35, 0.25, 0.12, 0.15, 0.2, 0.1
#: Most noise of a guide, and how far its contrast may be from the one that fits this patch best: at work it is fitted
#: to the whole picture.
_NOISE, _CONTRAST = 0.03, 0.5


def guided_pair(low: Bytes, high: Bytes, scale: int, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """A plane and a guide of one patch.

    Args:
        low: uint8 (h, w, 3).
        high: uint8 (scale*h, scale*w, 3).
        scale: enlargement factor, at least 2.
        random: decides all.

    Returns:
        uint8 (h, w, 1 + scale^2), see :class:`superres.networks.guided.Guided`, and (scale*h, scale*w, 1).
    """
    weights = _colours(random)
    small, large = (side.astype(np.float32) @ weights / np.float32(255) for side in (low, high))
    guide = _guide(high, random)
    if random.random() < _INVERTED:
        small, large = 1 - small, 1 - large
    contrast = np.float32(random.uniform(0.4, 1))
    offset = np.float32(random.uniform(0, 1 - contrast))
    small, large = small * contrast + offset, large * contrast + offset
    if random.random() < _TARGET_ALONE:
        change = _elsewhere(large, random) - large
        change *= _blobs(large.shape, random)
        small, large = small + resize(change, scale=1 / scale), large + change
    if random.random() < _GUIDE_ALONE:
        guide += _blobs(guide.shape, random) * (_elsewhere(guide, random) - guide)
    factor, base = matched(resize(guide, scale=1 / scale), small)
    factor *= random.uniform(1 - _CONTRAST, 1 + _CONTRAST)
    base += random.normal(0, 0.05)
    middle = float(guide.mean())
    if random.random() < _ELSEWHERE:
        guide = _elsewhere(guide, random)
    planes = folded((guide - np.float32(middle)) * np.float32(factor) + np.float32(base), scale)
    return _bytes(np.concatenate([small[:, :, None], planes], axis=2)), _bytes(large[:, :, None])


def matched(guide: npt.NDArray[Any], plane: npt.NDArray[Any]) -> tuple[float, float]:
    """(slope, offset): ``slope * (guide - its mean) + offset`` is nearest to ``plane``, by least squares."""
    apart = guide - guide.mean(dtype=np.float64)
    spread = float((apart * apart).sum())
    slope = float((apart * plane).sum()) / spread if spread > 0 else 0.0
    return slope, float(plane.mean(dtype=np.float64))


def folded(guide: Floats, scale: int) -> Floats:
    """(scale*h, scale*w) -> (h, w, scale^2): the samples within each pixel, row by row."""
    height, width = guide.shape[0] // scale, guide.shape[1] // scale
    parts = guide.reshape(height, scale, width, scale).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(parts.reshape(height, width, scale * scale))


def _guide(high: Bytes, random: np.random.Generator) -> Floats:
    """Another plane of the patch, on a curve of its own, maybe soft, noisy or a pixel off; (H, W) around 0 to 1."""
    if random.random() < _SIGNED:
        weights = random.standard_normal(3, np.float32)
        weights /= np.abs(weights).sum()
    else:
        weights = _colours(random)
    values = high.astype(np.float32) @ weights / np.float32(255)
    values = np.clip(values - min(0.0, float(weights[weights < 0].sum())), 0, 1) ** np.float32(
        np.exp(random.uniform(-0.7, 0.7))
    )
    if random.random() < _SOFT:
        height, width = values.shape
        smaller = random.uniform(1.3, 2.5)
        values = resize(resize(values, (round(height / smaller), round(width / smaller))), (height, width))
    if random.random() < _SHIFTED:
        values = np.roll(values, tuple(random.integers(-1, 2, 2)), (0, 1))
    if random.random() < _NOISY:
        values = values + random.standard_normal(values.shape, np.float32) * np.float32(random.uniform(0, _NOISE))
    return np.asarray(values, np.float32)


def _colours(random: np.random.Generator) -> Floats:
    """Weights of red, green and blue, of sum 1: often nearly one of them alone."""
    return random.dirichlet((0.5, 0.5, 0.5)).astype(np.float32)


def _elsewhere(plane: Floats, random: np.random.Generator) -> Floats:
    """The same patch from another place: rolled by a third of its sides or more, maybe inverted."""
    height, width = plane.shape
    shift = int(random.integers(height // 3, 2 * height // 3 + 1)), int(random.integers(width // 3, 2 * width // 3 + 1))
    rolled = np.roll(plane, shift, (0, 1))
    return rolled.max() + rolled.min() - rolled if random.random() < 0.5 else rolled


def _blobs(shape: tuple[int, ...], random: np.random.Generator) -> Floats:
    """(H, W) of 0 and 1: objects of random form and size, some with straight sides."""
    height, width = shape
    if random.random() < 0.5:
        mask = np.zeros(shape, np.float32)
        for _ in range(int(random.integers(1, 5))):
            top, left = int(random.integers(height)), int(random.integers(width))
            high, wide = (max(1, int(side * random.uniform(0.02, 0.4))) for side in shape)
            mask[top : top + high, left : left + wide] = 1
        return mask
    cells = int(random.integers(3, 12))
    ground = resize(random.standard_normal((cells, cells)).astype(np.float32), (height, width))
    return np.asarray(ground > np.float32(random.uniform(0.3, 1.0)), np.float32)


def _bytes(values: npt.NDArray[Any]) -> Bytes:
    return np.asarray(np.clip(values * np.float32(255) + np.float32(0.5), 0, 255), np.uint8)
