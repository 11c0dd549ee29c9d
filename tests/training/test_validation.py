from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from superres.degrade import load_degradation
from superres.errors import TrainingError
from superres.formats import write_image
from superres.image import Image
from superres.metrics.protocol import score
from superres.networks.base import Network
from superres.training import validation
from superres.training.recipe import DataOptions, Recipe
from superres.training.validation import Validator

from .conftest import noise, wave

CPU = torch.device("cpu")


class Nearest(Network):
    """Repeats every pixel."""

    scale, channels, halo = 2, 3, 0

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, batch: Tensor) -> Tensor:
        return nn.functional.interpolate(batch, scale_factor=self.scale, mode="nearest")


def folder(path: Path, sizes: list[tuple[int, int]]) -> Path:
    path.mkdir()
    for number, size in enumerate(sizes):
        write_image(Image.from_array(wave(*size, seed=number)), path / f"{number}.png")
    return path


def test_it_is_the_published_protocol(tmp_path: Path) -> None:
    sizes = [(50, 47), (64, 60)]
    measured = Validator(folder(tmp_path / "v", sizes), Recipe("n_x2", 2, 1)).measure(Nearest(), CPU)
    expected = []
    for number, size in enumerate(sizes):
        high = wave(*size, seed=number)[: size[0] // 2 * 2, : size[1] // 2 * 2]
        low = load_degradation("bicubic")(high, 2)
        large = low.repeat(2, axis=0).repeat(2, axis=1)
        assert np.array_equal(measured.pictures[str(number)], large)
        expected.append(score(large, high, 2).psnr)
    assert measured.psnr == pytest.approx(float(np.mean(expected)))


def test_a_network_of_one_channel_takes_each_colour_alone(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", [(50, 47)])
    colour, alone = Nearest(), Nearest()
    alone.channels = 1
    recipe = Recipe("n_x2", 2, 1)
    one, other = (Validator(path, recipe).measure(network, CPU) for network in (colour, alone))
    assert np.array_equal(one.pictures["0"], other.pictures["0"])
    assert one.psnr == other.psnr


def test_few_pictures_and_their_centres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_SIDE", 41)
    monkeypatch.setattr(validation, "_PICTURES", 2)
    measured = Validator(folder(tmp_path / "v", [(60, 40)] * 4), Recipe("n_x2", 2, 1)).measure(Nearest(), CPU)
    assert list(measured.pictures) == ["0", "1"]
    high = wave(60, 40, seed=0)[10:50]
    assert np.array_equal(
        measured.pictures["0"], load_degradation("bicubic")(high, 2).repeat(2, axis=0).repeat(2, axis=1)
    )


def test_pictures_of_one_name_are_told_apart(tmp_path: Path) -> None:
    path = folder(tmp_path / "v", [(40, 40)])
    write_image(Image.from_array(wave(48, 40, seed=5)), folder(path / "more", [(50, 44)]) / "0.tif")
    measured = Validator(path, Recipe("n_x2", 2, 1)).measure(Nearest(), CPU)
    shapes = {name: large.shape[:2] for name, large in measured.pictures.items()}
    assert shapes == {"0": (40, 40), "more-0.png": (50, 44), "more-0.tif": (48, 40)}


def test_a_random_degradation_is_drawn_once(tmp_path: Path) -> None:
    recipe = Recipe("n_x1", 1, 1, data=DataOptions(degradation="blind"))
    path = folder(tmp_path / "v", [(40, 40), (40, 48)])
    first, again = (Validator(path, recipe).measure(Nearest(1), CPU) for _ in range(2))
    assert first.psnr == again.psnr < 60
    assert not np.array_equal(first.pictures["0"], wave(40, 40, seed=0))


def test_a_folder_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pictures there; expected a folder of pictures"):
        Validator(tmp_path / "gone", Recipe("n_x2", 2, 1))
    path = folder(tmp_path / "v", [])
    write_image(Image.from_array(noise(20, 40)), path / "small.png")
    with pytest.raises(TrainingError, match=r"small\.png: 40 x 20 pixels is too small"):
        Validator(path, Recipe("n_x2", 2, 1))
