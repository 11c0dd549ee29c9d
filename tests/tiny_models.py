"""Small models for tests: an ONNX network that keeps constants, and a fake nearest-neighbour backend."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from superres.backends import Backend, Precision, open_backend
from superres.errors import InferenceError
from superres.image import Image
from superres.zoo import Model, ModelCard, write_card

Floats = npt.NDArray[np.float32]

#: Of :func:`tiny_onnx`: three 3x3 convolutions.
TINY_HALO = 3
TINY_WIDTH = 8
NEAREST_HALO = 2


def tiny_onnx(scale: int, seed: int = 0) -> bytes:
    """Nearest neighbour plus a small residual: 3 convolutions, leaky ReLU, then depth-to-space in CRD order.

    The first convolution's kernels sum to 0 in each channel and there are no biases, so a constant picture stays
    what it is.
    """
    rng = np.random.default_rng(seed)
    out = 3 * scale * scale
    shapes = [(TINY_WIDTH, 3, 3, 3), (TINY_WIDTH, TINY_WIDTH, 3, 3), (out, TINY_WIDTH, 3, 3)]
    weights = [rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32) for shape in shapes]
    weights[0] -= weights[0].mean(axis=(2, 3), keepdims=True)
    weights[2] *= np.float32(0.4)
    repeat = np.zeros((out, 3, 1, 1), np.float32)
    repeat[np.arange(out), np.arange(out) // scale**2] = 1
    constants = {"w0": weights[0], "w1": weights[1], "w2": weights[2], "repeat": repeat}
    nodes = []
    name = "low"
    for i in range(3):
        nodes.append(helper.make_node("Conv", [name, f"w{i}"], [f"c{i}"], pads=[1] * 4, kernel_shape=[3, 3]))
        name = f"c{i}"
        if i < 2:
            nodes.append(helper.make_node("LeakyRelu", [name], [f"a{i}"], alpha=0.1))
            name = f"a{i}"
    nodes += [
        helper.make_node("Conv", ["low", "repeat"], ["skip"], kernel_shape=[1, 1]),
        helper.make_node("Add", [name, "skip"], ["sum"]),
        helper.make_node("DepthToSpace", ["sum"], ["high"], blocksize=scale, mode="CRD"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("low", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("high", TensorProto.FLOAT, ["n", 3, "H", "W"])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def make_model(contents: bytes, scale: int, *, name: str = "tiny", halo: int = TINY_HALO) -> Model:
    """A model that is consistent with its card."""
    card = ModelCard(
        name=name,
        architecture="test",
        scale=scale,
        channels=3,
        halo=halo,
        parameters=0,
        gmacs=0.0,
        kind="faithful",
        licence="CC0-1.0",
        sha256=hashlib.sha256(contents).hexdigest(),
    )
    return Model(card, contents)


def nearest_model(scale: int) -> Model:
    """A model for :func:`open_nearest`."""
    return make_model(f"nearest:{scale}".encode(), scale, name="nearest", halo=NEAREST_HALO)


def put(model: Model, folder: Path) -> None:
    """Store a model as the zoo does."""
    (folder / f"{model.card.stem}.onnx").write_bytes(model.onnx)
    write_card(model.card, folder / f"{model.card.stem}.toml")


class NearestBackend:
    """Repeats samples; its model file is ``b"nearest:<scale>"``."""

    lanes = 1

    def __init__(self, model: bytes, precision: Precision = "fp32") -> None:
        self.precision: Precision = precision
        self.scale = int(model.partition(b":")[2])
        self.closed = False
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: Floats) -> Floats:
        if self.closed:
            raise InferenceError("the backend is closed: open it again")
        self.shapes.append(batch.shape)
        return batch.repeat(self.scale, axis=2).repeat(self.scale, axis=3)

    def close(self) -> None:
        self.closed = True


def open_nearest(name: str, model: bytes, *, precision: Precision = "fp32", threads: int = 0) -> Backend:
    """Stands in for :func:`superres.backends.open_backend`."""
    return NearestBackend(model, precision)


class _Kept:
    """A backend that stays open, so that a session compiles each network once."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self.precision = inner.precision
        self.lanes = inner.lanes

    def run(self, batch: Floats) -> Floats:
        return self._inner.run(batch)

    def step(self, frames: Floats, state: Floats | None) -> tuple[Floats, Floats]:
        return self._inner.step(frames, state)

    def close(self) -> None:
        """Stays open."""


def keeping_opener() -> Callable[..., Backend]:
    """``open_backend`` that opens each network once, with one thread."""
    opened: dict[tuple[str, bytes, str], Backend] = {}

    def opener(name: str, model: bytes, *, precision: Precision = "fp32", threads: int = 0) -> Backend:
        key = (name, model, precision)
        if key not in opened:
            opened[key] = _Kept(open_backend(name, model, precision=precision, threads=1))
        return opened[key]

    return opener


def picture(height: int, width: int, channels: int = 3, dtype: str = "uint8", seed: int = 0) -> Image:
    """Smooth shapes with some noise, on which a wrong row, column or seam shows."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    planes = [
        0.5 + 0.3 * np.sin(x / (3 + c) + y / 7 + c) + 0.1 * np.cos(y / (2 + c)) + rng.uniform(-0.08, 0.08, x.shape)
        for c in range(channels)
    ]
    values = np.clip(np.stack(planes, axis=2), 0, 1)
    if dtype == "float32":
        return Image.from_array(values.astype(np.float32))
    return Image.from_array(np.round(values * np.iinfo(dtype).max).astype(dtype))


#: Of :func:`tiny_video_onnx`: channels of its state; and its halo, of two 3x3 convolutions.
VIDEO_STATE, VIDEO_HALO = 2, 2


def tiny_video_onnx(scale: int, seed: int = 0) -> bytes:
    """A network of video: the present frame repeated, plus what two convolutions make of three frames and a state."""
    rng = np.random.default_rng(seed)
    shapes = [(VIDEO_STATE, 3 + VIDEO_STATE, 3, 3), (scale * scale, VIDEO_STATE, 3, 3)]
    weights = [rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32) for shape in shapes]
    repeat = np.zeros((scale * scale, 3, 1, 1), np.float32)
    repeat[:, 1] = 1
    nodes = [
        helper.make_node("Concat", ["frames", "state"], ["seen"], axis=1),
        helper.make_node("Conv", ["seen", "w0"], ["c0"], pads=[1] * 4, kernel_shape=[3, 3]),
        helper.make_node("Tanh", ["c0"], ["next_state"]),
        helper.make_node("Conv", ["next_state", "w1"], ["c1"], pads=[1] * 4, kernel_shape=[3, 3]),
        helper.make_node("Mul", ["c1", "little"], ["residual"]),
        helper.make_node("Conv", ["frames", "repeat"], ["skip"], kernel_shape=[1, 1]),
        helper.make_node("Add", ["residual", "skip"], ["sum"]),
        helper.make_node("DepthToSpace", ["sum"], ["high"], blocksize=scale, mode="CRD"),
    ]
    constants = {"w0": weights[0], "w1": weights[1], "repeat": repeat, "little": np.float32([0.3])}
    ends = [("frames", 3), ("state", VIDEO_STATE), ("high", 1), ("next_state", VIDEO_STATE)]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, *("HW" if name == "high" else "hw")])
        for name, count in ends
    ]
    initial = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny video", values[:2], values[2:], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def tiny_video_model(scale: int, name: str = "video") -> Model:
    """:func:`tiny_video_onnx` with its card."""
    model = make_model(tiny_video_onnx(scale), scale, name=name, halo=VIDEO_HALO)
    return replace(model, card=replace(model.card, kind="video", channels=1))
