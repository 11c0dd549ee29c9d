"""Colours of generated pictures."""

from __future__ import annotations

import numpy as np

from superres.degrade.pictures import Floats

__all__ = ["blend", "ink_and_paper", "luminance", "palette"]


def palette(count: int, random: np.random.Generator) -> Floats:
    """``count`` related colours, float32 (count, 3): spread around a few hues, of any brightness, mostly muted."""
    hues = random.random(3)[random.integers(3, size=count)] + random.normal(0, 0.06, count)
    saturation = random.beta(1.2, 2.5, count)
    value = random.uniform(0.05, 1.0, count)
    # HSV to RGB: each channel is a trapezium of the hue, a third of the circle apart.
    angles = (hues[:, None] + np.array([0.0, 2 / 3, 1 / 3])) % 1 * 6
    ramps = np.clip(np.abs(angles - 3) - 1, 0, 1)
    return np.asarray(value[:, None] * (1 - saturation[:, None] * (1 - ramps)), np.float32)


def luminance(colours: Floats) -> Floats:
    """Rec. 601 luma of (..., 3)."""
    return np.asarray(colours @ np.array([0.299, 0.587, 0.114], np.float32))


def ink_and_paper(random: np.random.Generator) -> tuple[Floats, Floats]:
    """Two colours that can be told apart: half the time near black on near white, otherwise any."""
    if random.random() < 0.5:
        ink = np.full(3, random.uniform(0, 0.2), np.float32) + random.uniform(0, 0.06, 3).astype(np.float32)
        paper = 1 - random.uniform(0, 0.12, 3).astype(np.float32)
    else:
        while True:
            ink, paper = palette(2, random)
            if abs(float(luminance(ink) - luminance(paper))) > 0.25:
                break
    return (paper, ink) if random.random() < 0.25 else (ink, paper)


def blend(canvas: Floats, colour: Floats, cover: Floats) -> None:
    """Lay a colour (or picture) over ``canvas`` (H, W, 3) in place, as thick as ``cover`` (H, W) in [0, 1] says."""
    canvas += (colour - canvas) * cover[..., None]
