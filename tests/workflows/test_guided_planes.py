from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from superres.chain import NetworkChain
from superres.resize import resize
from superres.workflows import guide_trial, guided_planes
from superres.workflows.guided_planes import block_means, fitted_planes, hats

Floats = npt.NDArray[np.float32]


def noise(seed: int, side: int = 48) -> Floats:
    return np.random.default_rng(seed).random((side, side), np.float32)


def bicubic(plane: Floats, size: tuple[int, int]) -> Floats:
    return resize(plane, size)


@pytest.fixture(autouse=True)
def _shows_the_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guided networks that give the guide back."""

    def sharpened(plane: Floats, guide: Floats, chains: Sequence[NetworkChain]) -> Floats:
        return guide

    monkeypatch.setattr(guide_trial, "sharpened", sharpened)
    monkeypatch.setattr(guided_planes, "sharpened", sharpened)


def test_any_function_of_the_guide_is_followed() -> None:
    guide = noise(1, 96)
    truth = (1 - np.abs(2 * guide - 1)).astype(np.float32)  # bright in the middle, dark at both ends
    low, reduced = block_means(truth, (2, 2)), [block_means(one, (2, 2)) for one in hats(guide)]
    planes = fitted_planes([(low, reduced)], 2, (), bicubic)
    made = planes.enlarge(low, hats(guide))
    assert np.abs(made - truth).mean() < 0.2 * np.abs(bicubic(low, truth.shape) - truth).mean()
    without = bicubic(low, truth.shape)
    assert np.abs(resize(made, low.shape) - low).mean() < 0.5 * np.abs(resize(without, low.shape) - low).mean()


def test_another_guide_is_not_followed() -> None:
    low = noise(1)
    planes = fitted_planes([(low, hats(noise(2)))], 2, (), bicubic)
    assert planes.share < 0.3
    assert planes.told("g.png").startswith("g.png has a share of ")
    assert replace(planes, share=0.7).told("g.png") == ""


def test_what_is_too_small_to_try_goes_without() -> None:
    low = noise(1, 8)
    planes = fitted_planes([(low, [low])], 2, (), bicubic)
    assert planes.share == 0
    assert "too small to try" in planes.told("g.png")
    assert planes.names == ()
    assert planes.enlarge(low, [noise(2, 16)]).shape == (16, 16)


def test_where_nothing_else_is_there_the_guide_has_all() -> None:
    planes = fitted_planes([(noise(1), [noise(2)])], 2, (), None)
    assert planes.share == 1
    assert planes.enlarge(noise(1), [noise(2, 96)]).shape == (96, 96)


def test_hats_add_up_to_one() -> None:
    values = np.linspace(-0.5, 1.5, 60, dtype=np.float32).reshape(6, 10)
    np.testing.assert_allclose(sum(hats(values)), 1, atol=1e-6)
    places = np.linspace(0, 1, 9)
    mixed = sum(place * hat for place, hat in zip(places, hats(values), strict=True))
    np.testing.assert_allclose(mixed, np.clip(values, 0, 1), atol=1e-6)


def test_means_of_blocks() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    np.testing.assert_array_equal(block_means(array, (1, 2, 3)), array.reshape(2, 2, 2, 3).mean((2, 3))[..., None])
    assert block_means(array, (1, 1, 1)) is array
