from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from superres.formats import write_image
from superres.image import Image


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums in another order would be other bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def wave(height: int, width: int, seed: int) -> np.ndarray:
    """Smooth RGB texture with edges, uint8: something that can be learnt."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    planes = [
        np.sin(x * random.uniform(0.2, 0.9) + y * random.uniform(0.2, 0.9) + random.uniform(0, 6)) for _ in range(3)
    ]
    return np.round(127.5 + 110 * np.clip(np.stack(planes, axis=2) * 2, -1, 1)).astype(np.uint8)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """White noise, uint8 RGB: every pixel can be told from every other."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A data folder with two small training pictures in ``train/``."""
    folder = tmp_path / "data" / "train"
    folder.mkdir(parents=True)
    for number, size in enumerate([(48, 56), (64, 40)]):
        write_image(Image.from_array(wave(*size, seed=number)), folder / f"{number}.png")
    return tmp_path / "data"
