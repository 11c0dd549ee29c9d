"""The shipped networks with a guide: that a guide helps, that a wrong one does not, and what their cards say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from superres.backends import Backend
from superres.chain import NetworkChain
from superres.degrade.generated import generate
from superres.metrics.psnr import psnr
from superres.resize import resize
from superres.workflows.guided import fitted_mix, sharpened
from superres.zoo import ModelCard, list_cards, load_model

CARDS = [card for card in list_cards() if card.kind == "guided"]

Floats = npt.NDArray[np.float32]
Opener = Callable[..., Backend]


@pytest.fixture(params=CARDS, ids=[card.stem for card in CARDS])
def card(request: pytest.FixtureRequest) -> ModelCard:
    chosen: ModelCard = request.param
    return chosen


@pytest.fixture
def chain(card: ModelCard, opener: Opener) -> NetworkChain:
    return NetworkChain([load_model(card.name, card.scale)], opener=opener)


def scene(kind: str, side: int = 192) -> tuple[Floats, Floats]:
    """A band and another one of the same objects, which agree in most edges and not in how bright things are."""
    colours = generate(kind, (side, side), np.random.default_rng(3)).astype(np.float32) / 255
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    band = 0.2 + 0.5 * (colours @ np.array([0.8, 0.2, 0], np.float32)) + 0.1 * x
    guide = 1 - (colours @ np.array([0.1, 0.5, 0.4], np.float32)) ** np.float32(0.7) + 0.2 * y
    return band, guide


def fitted(low: Floats, guide: Floats) -> Floats:
    """The guide on the band's scale of values, as a workflow puts it there."""
    factor = guide.shape[0] // low.shape[0]
    reduced = guide.reshape(low.shape[0], factor, low.shape[1], factor).mean(axis=(1, 3))
    return fitted_mix(low.ravel(), reduced.reshape(-1, 1)).of([guide]).astype(np.float32)


def quality(made: npt.NDArray[Any], truth: Floats, scale: int) -> float:
    inner = slice(4 * scale, -4 * scale), slice(4 * scale, -4 * scale)
    return psnr(made[inner], truth[inner], 1.0)


def test_there_is_one() -> None:
    assert CARDS


@pytest.mark.parametrize("kind", ["leaves", "lines", "textures"])
def test_a_guide_helps_and_a_wrong_one_neither_helps_nor_harms(card: ModelCard, chain: NetworkChain, kind: str) -> None:
    truth, guide = scene(kind)
    low = resize(truth, scale=1 / card.scale)
    none = np.full_like(guide, low.mean())
    shuffled = np.roll(guide, (guide.shape[0] // 2, guide.shape[1] // 3), (0, 1))
    found = {
        "bicubic": quality(resize(low, truth.shape), truth, card.scale),
        "without": quality(sharpened(low, none, [chain]), truth, card.scale),
        "guided": quality(sharpened(low, fitted(low, guide), [chain]), truth, card.scale),
        "shuffled": quality(sharpened(low, fitted(low, shuffled), [chain]), truth, card.scale),
    }
    assert found["guided"] > found["bicubic"] + 1.5, found
    assert found["guided"] > found["without"] + 1.0, found
    assert found["shuffled"] < found["without"] + 0.1, found
    assert found["shuffled"] > found["without"] - 0.3, found


def test_constant_in_constant_out(card: ModelCard, chain: NetworkChain) -> None:
    for value in (0.0, 0.25, 0.5, 1.0):
        for told in (0.0, value, 1.0):
            plane = np.full((20, 24), value, np.float32)
            guide = np.full((20 * card.scale, 24 * card.scale), told, np.float32)
            inner = sharpened(plane, guide, [chain])
            assert np.abs(inner - value).max() < (0.01 if told == value else 0.05)


def test_noise_does_not_blow_up(card: ModelCard, chain: NetworkChain) -> None:
    random = np.random.default_rng(0)
    for sigma in (0.05, 0.15, 1.0):
        plane = (0.5 + sigma * random.standard_normal((24, 24))).astype(np.float32)
        guide = (0.5 + sigma * random.standard_normal((24 * card.scale, 24 * card.scale))).astype(np.float32)
        large = sharpened(plane, guide, [chain])
        assert large.min() > -1
        assert large.max() < 2


def test_the_card(card: ModelCard) -> None:
    graph = onnx.load_from_string(load_model(card.name, card.scale).onnx).graph
    sizes = [one.type.tensor_type.shape.dim[1].dim_value for one in (*graph.input, *graph.output)]
    assert sizes == [1 + card.scale**2, card.channels] == [1 + card.scale**2, 1]
    assert (card.name, card.architecture) == ("guided", "guided")
    assert card.parameters <= 60_000
    assert card.training.steps > 0
    assert sum(card.training.pictures.values()) > 0
