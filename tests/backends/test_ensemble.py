"""Self-ensemble: the mean over eight flips and turns, turned like its input, whatever the tiles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import make_model, picture, put, tiny_onnx, tiny_video_model, tiny_video_onnx

from superres.backends import open_backend
from superres.backends.ensemble import TURNS, EnsembleBackend, ensembled, turned, turned_back
from superres.errors import InferenceError, OptionError
from superres.evaluation.about import about
from superres.evaluation.enlargers import open_enlargers
from superres.evaluation.runner import Settings
from superres.options import RasterOptions
from superres.pipeline import Options, Upscaler

Samples = np.ndarray[Any, Any]


@pytest.fixture(params=["fp32", "int8"])
def backend(request: pytest.FixtureRequest) -> Iterator[EnsembleBackend]:
    opener = ensembled(open_backend)
    opened = opener("openvino", tiny_onnx(2), precision=request.param, threads=1)
    assert isinstance(opened, EnsembleBackend)
    yield opened
    opened.close()


def _run(backend: EnsembleBackend, planes: Samples) -> Samples:
    """float32 (N, C, H, W) in and out, in the backend's arithmetic."""
    if backend.precision == "fp32":
        return backend.run(planes)
    codes = np.rint(planes.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    return backend.run_bytes(np.ascontiguousarray(codes)).transpose(0, 3, 1, 2) / np.float32(255)


def _planes(height: int = 14, width: int = 11) -> Samples:
    return np.random.default_rng(0).integers(0, 256, (2, 3, height, width)).astype(np.float32) / 255


def test_turns_are_eight_and_come_back() -> None:
    square = np.arange(9).reshape(3, 3)
    made = [turned(square, turn, (0, 1)) for turn in range(TURNS)]
    assert len({one.tobytes() for one in made}) == TURNS
    for turn, one in enumerate(made):
        np.testing.assert_array_equal(turned_back(one, turn, (0, 1)), square)
    np.testing.assert_array_equal(made[0], square)


def test_the_result_is_the_mean_of_all_turns(backend: EnsembleBackend) -> None:
    planes = _planes()
    alone = open_backend("openvino", tiny_onnx(2), precision=backend.precision, threads=1)
    single = EnsembleBackend(alone)
    parts = []
    for turn in range(TURNS):
        small = np.ascontiguousarray(turned(planes, turn, (2, 3)))
        if backend.precision == "fp32":
            large = alone.run(small)
        else:
            codes = np.rint(small.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
            large = alone.run_bytes(np.ascontiguousarray(codes)).transpose(0, 3, 1, 2) / 255
        parts.append(turned_back(large, turn, (2, 3)))
    single.close()
    step = 0.5 / 255 + 1e-6 if backend.precision == "int8" else 1e-6
    np.testing.assert_allclose(_run(backend, planes), np.mean(parts, axis=0), atol=step)
    assert np.abs(parts[0] - np.mean(parts, axis=0)).max() > step  # the network is none of those that turns leave alone


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_turned_picture_gives_the_turned_result(backend: EnsembleBackend, turn: int) -> None:
    planes = _planes()
    small = np.ascontiguousarray(turned(planes, turn, (2, 3)))
    np.testing.assert_allclose(_run(backend, small), turned(_run(backend, planes), turn, (2, 3)), atol=1e-5)


def test_a_network_of_video_has_none() -> None:
    backend = EnsembleBackend(open_backend("openvino", tiny_video_onnx(2), threads=1))
    with pytest.raises(InferenceError, match="no self-ensemble"):
        backend.step(np.zeros((1, 3, 8, 8), np.float32), None)
    backend.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(make_model(tiny_onnx(2), 2), tmp_path)
    put(tiny_video_model(2), tmp_path)
    return tmp_path


def _large(folder: Path, samples: Samples, **arguments: Any) -> Samples:
    options = Options(**({"scale": 2, "model": "tiny", "precision": "fp32", "ensemble": True} | arguments))
    with Upscaler(options, folder=folder) as upscaler:
        return upscaler.image(_image(samples)).samples


def _image(samples: Samples) -> Any:
    from superres.image import Image

    return Image.from_array(samples)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiles_give_the_whole_picture(folder: Path, channels: int) -> None:
    samples = picture(45, 37, channels).samples
    whole, parts = (_large(folder, samples, tile=tile) for tile in (512, 16))
    assert np.abs(whole.astype(int) - parts).max() <= 1
    single = _large(folder, samples, ensemble=False)
    assert not np.array_equal(whole, single)


def test_the_result_says_so(folder: Path, tmp_path: Path) -> None:
    picture(20, 20).save(tmp_path / "a.png")
    with Upscaler(Options(scale=2, model="tiny", ensemble=True), folder=folder) as upscaler:
        assert upscaler.file(tmp_path / "a.png", tmp_path / "b.png").note == "mean of 8 turns"


def test_what_has_no_ensemble_is_refused(folder: Path) -> None:
    with pytest.raises(OptionError, match="ensemble: model 'video' carries a state"):
        Upscaler(Options(scale=2, model="video", ensemble=True), folder=folder)
    with pytest.raises(OptionError, match="ensemble: a guide"):
        Options(scale=2, ensemble=True, raster=RasterOptions(guide=Path("sharp.tif")))


def test_evaluation_with_it(folder: Path) -> None:
    samples = picture(24, 24).samples
    with open_enlargers([str(folder / "tiny")], 2, "fp32", 1, ensemble=True) as methods:
        (enlarge,) = methods.values()
        np.testing.assert_array_equal(enlarge(samples), _large(folder, samples))
    told = about(Settings(scale=2, models=(str(folder / "tiny"),), ensemble=True)).protocol
    assert any("eight" in line or "8 flips" in line for line in told)
