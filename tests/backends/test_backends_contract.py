"""What every runtime in the table must do."""

from __future__ import annotations

import hashlib
import importlib.util
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import external_data_helper
from tiny_models import VIDEO_STATE, picture, tiny_onnx, tiny_video_onnx

from superres.backends import BACKENDS, Backend, open_backend
from superres.backends.openvino import OpenVinoBackend, has_bf16
from superres.errors import InferenceError, MissingExtraError, ModelError, OptionError
from superres.queueing import mapped

Opener = Callable[..., Backend]


@pytest.fixture(params=sorted(BACKENDS))
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    package = {"onnxruntime": "onnxruntime", "openvino": "openvino"}.get(chosen)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return chosen


@pytest.fixture
def opened(name: str) -> Iterator[Opener]:
    backends: list[Backend] = []

    def one(model: bytes, threads: int = 1) -> Backend:
        backends.append(open_backend(name, model, threads=threads))
        return backends[-1]

    yield one
    for backend in backends:
        backend.close()


def batch(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def numpy_nearest(values: np.ndarray, scale: int) -> np.ndarray:
    return values.repeat(scale, axis=2).repeat(scale, axis=3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_constants_are_kept_and_places_are_right(opened: Opener, scale: int) -> None:
    backend = opened(tiny_onnx(scale))
    flat = np.full((1, 3, 9, 7), 0.25, np.float32)
    inner = backend.run(flat)[:, :, 3 * scale : -3 * scale, 3 * scale : -3 * scale]
    np.testing.assert_allclose(inner, 0.25, atol=1e-5)
    # The tiny network is nearest neighbour plus a little: each sample must lie near its own source.
    small = picture(9, 7, dtype="float32").samples.transpose(2, 0, 1)[None]
    large = backend.run(small)
    assert large.dtype == np.float32
    assert large.shape == (1, 3, 9 * scale, 7 * scale)
    error = np.abs(large - numpy_nearest(small, scale)).mean()
    assert 1e-4 < error < 0.1
    assert np.abs(large - numpy_nearest(small[:, ::-1], scale)).mean() > error


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("other", sorted(set(BACKENDS) - {"openvino"}))
def test_runtimes_agree(other: str, scale: int) -> None:
    pytest.importorskip(other)
    model, small = tiny_onnx(scale, seed=7), batch(2, 3, 17, 11)
    results = []
    for name in ("openvino", other):
        backend = open_backend(name, model, threads=1)
        results.append(backend.run(small))
        backend.close()
    # Both sum a few hundred float32 products; the order differs.
    np.testing.assert_allclose(results[0], results[1], atol=2e-5)


def test_any_shape_and_batch(opened: Opener) -> None:
    backend = opened(tiny_onnx(2))
    for shape in [(1, 3, 1, 1), (1, 3, 5, 30), (3, 3, 8, 8), (1, 3, 16, 16), (1, 3, 1, 1)]:
        assert backend.run(batch(*shape)).shape == (shape[0], 3, 2 * shape[2], 2 * shape[3])
    several = batch(3, 3, 8, 8)
    apart = np.concatenate([backend.run(several[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(backend.run(several), apart, atol=2e-6)


def test_the_same_batch_gives_the_same_bits(opened: Opener) -> None:
    backend, small = opened(tiny_onnx(4)), batch(1, 3, 24, 18)
    first = backend.run(small)
    backend.run(batch(1, 3, 7, 9, seed=1))
    assert np.array_equal(backend.run(small), first)


def test_a_result_is_not_overwritten_by_the_next_run(opened: Opener) -> None:
    backend = opened(tiny_onnx(2))
    first = backend.run(batch(1, 3, 8, 8))
    kept = first.copy()
    backend.run(batch(1, 3, 8, 8, seed=1))
    assert np.array_equal(first, kept)


def test_memory_layout_does_not_matter_and_the_input_stays(opened: Opener) -> None:
    backend, small = opened(tiny_onnx(2)), batch(1, 3, 12, 10)
    expected = backend.run(small)
    before = small.copy()
    assert np.array_equal(backend.run(np.asfortranarray(small)), expected)
    flipped = np.ascontiguousarray(small[:, ::-1])[:, ::-1]
    assert np.array_equal(backend.run(flipped), expected)
    frozen = small.copy()
    frozen.flags.writeable = False
    assert np.array_equal(backend.run(frozen), expected)
    assert np.array_equal(small, before)


def test_closed_twice_then_an_error(name: str) -> None:
    backend = open_backend(name, tiny_onnx(2), threads=1)
    backend.close()
    backend.close()
    with pytest.raises(InferenceError, match="closed"):
        backend.run(batch(1, 3, 8, 8))


@pytest.mark.parametrize("channels", [1, 4])
def test_a_batch_that_does_not_fit(opened: Opener, channels: int) -> None:
    with pytest.raises(InferenceError):
        opened(tiny_onnx(2)).run(batch(1, channels, 8, 8))


@pytest.mark.parametrize(
    "contents",
    [b"", b"garbage", b"\0" * 1000, b"<?xml version='1.0'?><net/>", tiny_onnx(2)[:-200], tiny_onnx(2)[:10]],
    ids=["empty", "text", "zeros", "xml", "cut", "stub"],
)
def test_what_is_no_model_is_a_model_error(name: str, contents: bytes) -> None:
    with pytest.raises(ModelError):
        open_backend(name, contents)


@pytest.mark.parametrize("where", ["../weights.bin", "link.bin"])
def test_weights_outside_the_model_are_refused(
    name: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load_from_string(tiny_onnx(2))
    below = tmp_path / "below"
    below.mkdir()
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "w1")
    raw = weights.raw_data
    for place in (tmp_path / "weights.bin", below / "weights.bin"):
        place.write_bytes(raw)
    (below / "link.bin").symlink_to(tmp_path / "weights.bin")
    external_data_helper.set_external_data(weights, where, length=len(raw))
    weights.ClearField("raw_data")
    monkeypatch.chdir(below)
    with pytest.raises(ModelError):
        open_backend(name, model.SerializeToString())


def test_threads_and_precision_are_checked(name: str) -> None:
    with pytest.raises(OptionError, match="threads = -1"):
        open_backend(name, tiny_onnx(2), threads=-1)
    with pytest.raises(OptionError, match="fp16"):
        open_backend(name, tiny_onnx(2), precision="fp16")  # type: ignore[arg-type]


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(OptionError, match="did you mean 'openvino'"):
        open_backend("openvno", b"")


def test_onnxruntime_has_no_bf16() -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(OptionError, match="runs fp32"):
        open_backend("onnxruntime", tiny_onnx(2), precision="bf16")


def test_an_absent_runtime_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'superres\[gpu\]'"):
        open_backend("onnxruntime", tiny_onnx(2))


def test_bf16_is_near_float32() -> None:
    if not has_bf16():
        pytest.skip("this processor has no bfloat16")
    small = picture(24, 24, dtype="float32").samples.transpose(2, 0, 1)[None]
    results = []
    for precision in ("fp32", "bf16"):
        backend = open_backend("openvino", tiny_onnx(2), precision=precision, threads=1)  # type: ignore[arg-type]
        assert backend.precision == precision
        results.append(backend.run(small))
        backend.close()
    # Eight bits of mantissa: half a step of 2^-8 at each of a handful of roundings below 1.
    difference = np.abs(results[0] - results[1])
    assert difference.max() < 4 / 256
    assert difference.mean() < 1 / 256


def test_bf16_is_refused_without_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("superres.backends.openvino.has_bf16", lambda: False)
    with pytest.raises(OptionError, match="no bfloat16"):
        open_backend("openvino", tiny_onnx(2), precision="bf16")


class Refusing:
    """An inference request, or a session, that fails as the runtimes do."""

    def __init__(self, message: str) -> None:
        self.message = message

    def infer(self, *_: object, **__: object) -> None:
        raise RuntimeError(self.message)

    run = infer


@pytest.mark.parametrize(
    ("message", "error"),
    [("std::bad_alloc", MemoryError), ("Failed to allocate memory", MemoryError), ("shape mismatch", InferenceError)],
)
def test_errors_of_the_runtime_are_translated(
    opened: Opener, message: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(tiny_onnx(2))
    if isinstance(backend, OpenVinoBackend):
        requests: queue.SimpleQueue[Refusing] = queue.SimpleQueue()
        requests.put(Refusing(message))
        monkeypatch.setattr(backend, "_requests", requests)
    else:
        monkeypatch.setattr(backend, "_session", Refusing(message))
    with pytest.raises(error, match=message):
        backend.run(batch(1, 3, 8, 8))


def test_as_many_threads_as_lanes_get_the_results_of_one(opened: Opener) -> None:
    backend = opened(tiny_onnx(2), threads=3)
    assert 1 <= backend.lanes <= 3
    batches = [batch(1, 3, 20 + index, 31) for index in range(12)]
    alone = [backend.run(one) for one in batches]
    for got, expected in zip(mapped(backend.run, iter(batches), backend.lanes), alone, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_tiny_models_are_the_same_every_time() -> None:
    digests = {hashlib.sha256(tiny_onnx(2, seed=1)).hexdigest() for _ in range(2)}
    assert len(digests) == 1


def test_a_step_of_a_network_of_video_moves_its_state_on(name: str, opened: Opener) -> None:
    """The same numbers in every runtime, whatever came before; no state is one of zeros."""
    backend = opened(tiny_video_onnx(2))
    reference = open_backend("onnxruntime", tiny_video_onnx(2), threads=1)
    for shape in [(1, 3, 9, 7), (2, 3, 5, 12)]:
        frames = batch(*shape)
        first, state = backend.step(frames, None)
        assert first.shape == (shape[0], 1, 2 * shape[2], 2 * shape[3]) and first.dtype == np.float32
        assert state.shape == (shape[0], VIDEO_STATE, *shape[2:]) and state.dtype == np.float32
        again, _ = backend.step(frames, np.zeros_like(state))
        np.testing.assert_array_equal(again, first)
        kept = state.copy()
        second, following = backend.step(frames, state)
        np.testing.assert_array_equal(state, kept)
        assert np.abs(second - first).max() > 0.01
        for one, other in zip((second, following), reference.step(frames, state), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    reference.close()


def test_a_network_of_pictures_has_no_steps(opened: Opener) -> None:
    with pytest.raises(InferenceError, match="none of video"):
        opened(tiny_onnx(2)).step(batch(1, 3, 8, 8), None)
