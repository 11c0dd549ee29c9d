"""Every network of video that ships, against what its card says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from superres.backends import Backend
from superres.networks.temporal import NEIGHBOURS
from superres.zoo import ModelCard, list_cards, load_model

CARDS = [card for card in list_cards() if card.kind == "video"]

Opener = Callable[..., Backend]


@pytest.fixture(params=CARDS, ids=[card.stem for card in CARDS])
def card(request: pytest.FixtureRequest) -> ModelCard:
    chosen: ModelCard = request.param
    return chosen


@pytest.fixture
def backend(card: ModelCard, opener: Opener) -> Backend:
    return opener("openvino", load_model(card.name, card.scale).onnx, precision="fp32")


def waves(number: int, height: int = 48, width: int = 56) -> np.ndarray:
    """A pattern that glides by half a pixel a frame, float32 (H, W) in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    return (0.5 + 0.3 * np.sin((x + number / 2) / 3) * np.cos(y / 5)).astype(np.float32)


def test_the_card_is_filled_in(card: ModelCard) -> None:
    assert (card.name, card.channels) == ("video", 1)
    assert card.parameters <= 300_000
    assert card.training.recipe == f"{card.stem}.toml"
    assert card.training.steps > 0
    assert sum(card.training.pictures.values()) > 0


def test_names_and_shapes(card: ModelCard) -> None:
    model = onnx.load_from_string(load_model(card.name, card.scale).onnx)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["frames", "state"]
    assert [value.name for value in model.graph.output] == ["high", "next_state"]
    channels = [value.type.tensor_type.shape.dim[1].dim_value for value in (*model.graph.input, *model.graph.output)]
    assert channels[0] == NEIGHBOURS and channels[1] == channels[3] and channels[2] == 1


def test_a_long_clip_stays_what_it_is(card: ModelCard, backend: Backend) -> None:
    """Nothing that is carried on drifts away."""
    state = None
    for number in range(400):
        frames = np.stack([waves(number - 1), waves(number), waves(number + 1)])[None]
        large, state = backend.step(frames, state)
        if number in (0, 10, 100, 399):
            small = large[0, 0].reshape(48, card.scale, 56, card.scale).mean(axis=(1, 3))
            assert np.abs(small - waves(number))[8:-8, 8:-8].mean() < 0.02, number


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.15])
def test_strong_noise_does_not_blow_up(backend: Backend, sigma: float) -> None:
    random, state = np.random.default_rng(0), None
    for _ in range(100):
        noise = np.clip(0.5 + sigma * random.standard_normal((1, NEIGHBOURS, 48, 48)), 0, 1).astype(np.float32)
        large, state = backend.step(noise, state)
        assert large.min() > -1 and large.max() < 2
