from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from superres.errors import OptionError
from superres.resize import resize
from superres.training.checkpoint import make_network
from superres.training.guided import folded, guided_pair, matched
from superres.training.patches import PLANES
from superres.training.recipe import DataOptions, LossOptions, NetworkOptions, Recipe, TeacherOptions
from superres.training.validation import Validator

from .conftest import noise, wave

RECIPE = Recipe("n_x2", 2, 1, network=NetworkOptions("guided"), data=DataOptions(planes="guided"))


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("scale", [2, 4])
def test_band_and_truth_belong_together(scale: int) -> None:
    high = wave(16 * scale, 12 * scale, 3)
    low = resize(high, scale=1 / scale)
    for seed in range(40):
        small, large = guided_pair(low, high, scale, generator(seed))
        assert small.shape == (16, 12, PLANES["guided"].inputs(scale))
        assert large.shape == (16 * scale, 12 * scale, 1)
        made = resize(large, scale=1 / scale).astype(int)
        inside = (small[:, :, :1] > 2) & (small[:, :, :1] < 253)  # clipping and reducing do not commute
        assert np.quantile(np.abs(made - small[:, :, :1])[inside], 0.95) <= 3


def test_most_guides_tell_of_the_truth_and_some_do_not() -> None:
    high = noise(48, 48, 1)
    low = resize(high, scale=1 / 2)
    alike = []
    for seed in range(120):
        small, large = guided_pair(low, high, 2, generator(seed))
        guide = functional.pixel_shuffle(torch.from_numpy(small[:, :, 1:].astype(np.float32)).permute(2, 0, 1), 2)
        told = guide[0].numpy()
        alike.append(np.corrcoef(told.ravel(), large.ravel().astype(float))[0, 1] if told.std() > 0 else 0.0)
    assert np.median(alike) > 0.15
    assert 0.1 < np.mean(np.array(alike) < 0.05) < 0.5


def test_folding_is_what_a_pixel_shuffle_undoes() -> None:
    guide = generator().random((12, 8), np.float32)
    planes = torch.from_numpy(folded(guide, 4)).permute(2, 0, 1)
    assert np.array_equal(functional.pixel_shuffle(planes, 4)[0].numpy(), guide)


def test_matched_is_least_squares() -> None:
    guide, plane = generator(1).random((6, 5)), generator(2).random((6, 5))
    slope, offset = matched(guide, plane)
    expected = np.polyfit(guide.ravel(), plane.ravel(), 1)
    assert slope == pytest.approx(expected[0])
    assert offset - slope * guide.mean() == pytest.approx(expected[1])
    assert matched(np.ones((3, 3)), plane[:3, :3]) == (0.0, pytest.approx(plane[:3, :3].mean()))


def test_it_depends_on_its_generator_alone() -> None:
    high = noise(16, 16)
    low = resize(high, scale=1 / 2)
    one, other = (guided_pair(low, high, 2, generator(7)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_only_networks_with_a_guide_and_losses_without(tmp_path: Path) -> None:
    assert make_network(RECIPE).inputs == 5
    with pytest.raises(OptionError, match=r"network\.channels = 1 with data\.planes = 'guided'.*takes a guide"):
        make_network(replace(RECIPE, network=NetworkOptions("espcn", (("channels", 1),))))
    with pytest.raises(OptionError, match=r"data\.planes = 'grey': expected 1 and no guide"):
        make_network(replace(RECIPE, data=DataOptions(planes="grey")))
    with pytest.raises(OptionError, match=r"loss\.consistency = 1\.0, expected 0 with data\.planes = 'guided'"):
        replace(RECIPE, loss=LossOptions(consistency=1.0))
    with pytest.raises(OptionError, match=r"teacher\.model = 'standard', expected none"):
        replace(RECIPE, teacher=TeacherOptions("standard"))
    with pytest.raises(OptionError, match="its pictures have no guide"):
        Validator(tmp_path, RECIPE)
