from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from superres.backends import Backend
from superres.chain import NetworkChain
from superres.enlarging import enlarged
from superres.errors import InferenceError
from superres.image import Image
from superres.planes import prepared
from superres.zoo import Model, load_model


class Nearest:
    """Repeats samples; fails when told to."""

    precision = "fp32"

    def __init__(self, fails: bool = False, lanes: int = 1) -> None:
        self.fails, self.lanes = fails, lanes
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.shapes.append(batch.shape)
        if self.fails:
            raise InferenceError("out of order")
        return batch.repeat(2, axis=2).repeat(2, axis=3)

    def close(self) -> None:
        """Nothing to free."""


def chain_of(backend: Nearest, folder: Path) -> NetworkChain:
    def opener(*_: object, **__: object) -> Backend:
        return backend  # type: ignore[return-value]

    return NetworkChain([load_model("nearest", 2, folder)], opener=opener)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize(("tile", "rows"), [(8, 8), (16, 8), (64, 64), (11, 24)])
def test_strips_are_the_picture_and_windows_have_one_shape(tile: int, rows: int, lanes: int, tiny_folder: Path) -> None:
    samples = np.random.default_rng(1).integers(0, 255, (37, 29, 3), dtype=np.uint8)
    info = Image.from_array(samples).info
    backend = Nearest(lanes=lanes)
    planes = iter([prepared(samples[:10], info), prepared(samples[10:], info)])
    strips = list(enlarged(planes, info, chain_of(backend, tiny_folder), tile, rows, lambda part: part, None))
    expected = prepared(samples, info).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(np.concatenate(strips), expected)
    assert len(set(backend.shapes)) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_of_one_channel_takes_each_plane_alone(channels: int, tiny_folder: Path) -> None:
    samples = np.random.default_rng(1).integers(0, 255, (20, 24, channels), dtype=np.uint8)
    info = Image.from_array(samples).info
    model, backend = load_model("nearest", 2, tiny_folder), Nearest()
    grey = Model(replace(model.card, channels=1), model.onnx)
    chain = NetworkChain([grey], opener=lambda *_, **__: backend)
    strips = list(enlarged(iter([prepared(samples, info)]), info, chain, 64, 64, lambda part: part, None))
    expected = prepared(samples, info).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(np.concatenate(strips), expected)
    assert all(shape[:2] == (channels, 1) for shape in backend.shapes)


def test_a_failing_tile_is_named(tiny_folder: Path) -> None:
    samples = np.zeros((20, 20, 3), np.uint8)
    info = Image.from_array(samples).info
    chain = chain_of(Nearest(fails=True), tiny_folder)
    with pytest.raises(InferenceError, match="column 0, row 0 of 20 x 20: out of order"):
        list(enlarged(iter([prepared(samples, info)]), info, chain, 8, 8, lambda part: part, None))


def test_stops_within_a_strip(tiny_folder: Path) -> None:
    samples = np.zeros((20, 64, 3), np.uint8)
    info = Image.from_array(samples).info
    stopped, backend = threading.Event(), Nearest()

    def finish(part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        stopped.set()
        return part

    planes = iter([prepared(samples, info)])
    assert list(enlarged(planes, info, chain_of(backend, tiny_folder), 8, 8, finish, stopped)) == []
    assert len(backend.shapes) <= 3  # the one that stopped it, and what was under way
