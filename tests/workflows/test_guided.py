from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_models import make_model

from superres.backends import Backend
from superres.chain import NetworkChain
from superres.workflows import guided
from superres.workflows.guided import Mix, fitted_mix, guided_networks, sharpened

Array = np.ndarray[Any, Any]


class ShowsTheGuide:
    """A network that gives the guide back, and tells the shapes it saw."""

    precision, lanes = "fp32", 1

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: Array) -> Array:
        self.shapes.append(batch.shape)
        count, planes, height, width = batch.shape
        s = math.isqrt(planes - 1)
        parts = batch[:, 1:].reshape(count, s, s, height, width).transpose(0, 3, 1, 4, 2)
        return parts.reshape(count, 1, s * height, s * width)

    def close(self) -> None:
        """Nothing to free."""


class Blurs(ShowsTheGuide):
    """A network that looks one low-resolution pixel around, at band and guide."""

    def run(self, batch: Array) -> Array:
        around = sum(np.roll(batch, shift, (2, 3)) for shift in ((0, 1), (1, 0), (-1, 0), (0, -1), (0, 0)))
        return super().run(around / 5) + batch[:, :1].repeat(2, 2).repeat(2, 3)


def chains(scales: Sequence[int], backend: Backend, halo: int = 2) -> list[NetworkChain]:
    models = [make_model(b"", s, name="guided", halo=halo) for s in scales]
    models = [replace(model, card=replace(model.card, channels=1, kind="guided")) for model in models]
    return [NetworkChain([model], opener=lambda *_, **__: backend) for model in models]


def test_a_mix_is_found_again() -> None:
    random = np.random.default_rng(0)
    guides = random.random((500, 3)) * 1000
    plane = 0.25 * guides[:, 0] - 2 * guides[:, 2] + 40
    mix = fitted_mix(plane, guides)
    assert mix.weights == pytest.approx((0.25, 0, -2), abs=1e-3)
    assert mix.offset == pytest.approx(40, abs=1)
    assert mix.explained == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(mix.of(list(guides.T)), plane, atol=1)


def test_a_guide_of_something_else_says_next_to_nothing() -> None:
    random = np.random.default_rng(0)
    plane, guides = random.random(5000), random.random((5000, 4))
    mix = fitted_mix(plane, guides)
    assert mix.explained < 0.01
    assert mix.of(list(guides.T)).std() < 0.1 * plane.std()


@pytest.mark.parametrize(
    ("plane", "guides"),
    [(np.zeros(0), np.zeros((0, 2))), (np.full(9, 3.0), np.eye(9)[:, :2]), (np.arange(9.0), np.ones((9, 2)))],
    ids=["nothing", "constant plane", "constant guide"],
)
def test_where_there_is_nothing_to_fit(plane: Array, guides: Array) -> None:
    middle = float(plane.mean()) if plane.size else 0.0
    assert fitted_mix(plane, guides) == Mix((0.0, 0.0), middle, 0.0)


def test_bands_that_say_the_same_share_their_weight() -> None:
    one = np.random.default_rng(0).random(200)
    mix = fitted_mix(one, np.stack([one, one], axis=1))
    assert mix.weights == pytest.approx((0.5, 0.5), abs=1e-3)


@pytest.mark.parametrize(("scales", "size"), [((2,), (14, 10)), ((4,), (28, 20)), ((2, 4), (56, 40))])
def test_the_guide_arrives_pixel_on_pixel(scales: tuple[int, ...], size: tuple[int, int]) -> None:
    guide = np.random.default_rng(1).random(size, np.float32)
    made = sharpened(np.zeros((7, 5), np.float32), guide, chains(scales, ShowsTheGuide()))
    assert np.array_equal(made, guide)


def test_a_guide_of_another_size_is_resized() -> None:
    y, x = np.mgrid[:30, :24].astype(np.float32)
    guide = (0.5 + 0.3 * np.sin(x / 5) * np.cos(y / 6)).astype(np.float32)
    made = sharpened(np.zeros((10, 8), np.float32), guide, chains((4,), ShowsTheGuide()))
    assert made.shape == (40, 32)
    assert abs(made.mean() - guide.mean()) < 1e-3


def test_values_beyond_the_range_that_networks_know_are_clipped() -> None:
    guide = np.array([[-2.0, 3.0], [0.5, 0.25]], np.float32)
    made = sharpened(np.zeros((1, 1), np.float32), guide, chains((2,), ShowsTheGuide()))
    assert np.array_equal(made, [[0, 1], [0.5, 0.25]])


def test_tiles_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    plane, guide = random.random((21, 17), np.float32), random.random((42, 34), np.float32)
    whole = sharpened(plane, guide, chains((2,), Blurs()))
    monkeypatch.setattr(guided, "_TILE", 8)
    backend = Blurs()
    assert np.allclose(sharpened(plane, guide, chains((2,), backend)), whole, atol=1e-6)
    assert len(backend.shapes) == 9


def test_what_a_workflow_must_know() -> None:
    found = guided_networks(chains((2, 4), ShowsTheGuide(), halo=5))
    assert (found.names, found.scale) == (("guided x2", "guided x4"), 8)
    assert found.halo >= 5 + 5 / 2
