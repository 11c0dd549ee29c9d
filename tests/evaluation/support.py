"""Small pictures and folders for the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.formats import write_image
from superres.image import Image

Bytes = npt.NDArray[np.uint8]


def smooth(height: int, width: int, channels: int = 3, seed: int = 0) -> Bytes:
    """Smooth, so that enlarging it means something."""
    y, x = np.mgrid[:height, :width]
    phases = np.random.default_rng(seed).random(channels) * 6
    waves = [np.sin(x / 5 + p) * np.cos(y / 4 - p) for p in phases]
    return np.round(127.5 + 100 * np.stack(waves, axis=2)).astype(np.uint8)


def save(samples: npt.NDArray[np.generic], path: Path) -> Path:
    """Write a picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(Image.from_array(samples), path)
    return path


def nearest(scale: int) -> object:
    """An enlarger that repeats samples."""
    return lambda low: low.repeat(scale, axis=0).repeat(scale, axis=1)
