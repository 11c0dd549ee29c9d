from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import make_model, picture, tiny_onnx

from superres.backends import Backend, Precision, open_backend
from superres.chain import NetworkChain
from superres.enlarging import enlarged
from superres.errors import InferenceError
from superres.image import Image
from superres.planes import finished, prepared
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


def _flat_and_busy(dtype: str, value: float, seed: int = 0) -> np.ndarray[Any, Any]:
    """A picture whose left half is of one value."""
    samples = picture(90, 120, 3, dtype, seed).samples.copy()
    samples[:, :70] = value
    return samples


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("value", [0, 77, 255])
def test_flat_tiles_are_what_the_network_makes_of_them(precision: str, value: int, tmp_path: Path) -> None:
    samples = _flat_and_busy("uint8", value)
    info = Image.from_array(samples).info
    model = make_model(tiny_onnx(2), 2)

    def opener(name: str, contents: bytes, *, precision: Precision, threads: int) -> Backend:
        return open_backend(name, contents, precision=precision, threads=1)

    chain = NetworkChain([model], "openvino", precision, opener=opener)  # type: ignore[arg-type]
    planes = samples if precision == "int8" else prepared(samples, info)
    whole, parts = (
        np.concatenate(list(enlarged(iter([planes]), info, chain, side, side, lambda part: part, None)))
        for side in (128, 24)
    )
    chain.close()
    np.testing.assert_allclose(parts.astype(np.float32), whole.astype(np.float32), atol=1e-6)


def test_only_the_middle_of_flat_tiles_is_computed(tiny_folder: Path) -> None:
    samples = np.full((200, 200, 3), 9, np.uint8)
    info = Image.from_array(samples).info
    backend = Nearest()
    planes = iter([prepared(samples, info)])
    strips = list(enlarged(planes, info, chain_of(backend, tiny_folder), 100, 100, lambda part: part, None))
    np.testing.assert_array_equal(np.concatenate(strips), np.full((400, 400, 3), 9 / 255, np.float32))
    assert len(backend.shapes) == 4 and all(shape[2] < 50 for shape in backend.shapes)


def test_gaps_that_fill_a_tile_stay(tiny_folder: Path) -> None:
    samples = _flat_and_busy("float32", np.nan)
    info = Image.from_array(samples).info
    planes = iter([prepared(samples, info)])
    strips = list(enlarged(planes, info, chain_of(Nearest(), tiny_folder), 16, 16, lambda part: part, None))
    made = finished(np.concatenate(strips), info)
    np.testing.assert_array_equal(np.isnan(made), np.isnan(samples).repeat(2, 0).repeat(2, 1))
