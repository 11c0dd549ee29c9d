"""Shipped 8-bit files: the same numbers on every processor and in every runtime, whatever the picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from superres.backends import BACKENDS, open_backend
from superres.backends.openvino_exact import SAFE_CODE
from superres.networks.quantised import LARGEST_CODE
from superres.zoo import ModelCard, list_cards, load_model

Codes = npt.NDArray[np.int8]

CARDS = [card for card in list_cards() if card.int8.sha256]


def graph_of(card: ModelCard) -> onnx.ModelProto:
    model = onnx.load_from_string(load_model(card.name, card.scale, int8=True).onnx)
    model.opset_import[0].version = 21  # the first whose 8-bit operators the reference implementation knows
    return model


def kernels(model: onnx.ModelProto) -> list[Codes]:
    """(out, in, 3, 3) of every layer, in order."""
    constants = model.graph.initializer
    return [numpy_helper.to_array(t).copy() for t in constants if t.data_type == TensorProto.INT8 and len(t.dims) == 4]


def layer_alone(codes: Codes) -> bytes:
    """A file of one convolution over codes 0 .. 255, as floats; the sums come out as they are."""
    constants = {
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.uint8),
        "codes": codes,
        "ones": np.ones(len(codes), np.float32),
        "zeros": np.zeros(len(codes), np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["low", "one", "zero"], ["bytes"]),
        helper.make_node("DequantizeLinear", ["bytes", "one", "zero"], ["values"]),
        helper.make_node("DequantizeLinear", ["codes", "ones", "zeros"], ["kernel"], axis=0),
        helper.make_node("Conv", ["values", "kernel"], ["high"], kernel_shape=[3, 3]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", depth, f"{name}_h", f"{name}_w"])
        for name, depth in (("low", codes.shape[1]), ("high", codes.shape[0]))
    ]
    graph = helper.make_graph(
        nodes, "layer", ends[:1], ends[1:], [numpy_helper.from_array(value, name) for name, value in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def worst(codes: Codes) -> npt.NDArray[np.float32]:
    """Batches (2 * out, in, 9, 9) of 0 and 255: for each channel what makes its sum largest, and what least."""
    signs = np.concatenate([codes > 0, codes < 0])
    return np.tile(np.float32(255) * signs, (1, 1, 3, 3))


def test_networks_are_made_for_what_processors_add_exactly() -> None:
    assert LARGEST_CODE == SAFE_CODE == 64
    assert 2 * 255 * SAFE_CODE <= 2**15 - 1 < 2 * 255 * (SAFE_CODE + 1)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_no_code_is_beyond_what_two_products_may_be(card: ModelCard) -> None:
    model = graph_of(card)
    layers = kernels(model)
    assert len(layers) == sum(node.op_type == "Conv" for node in model.graph.node) - 1  # the skip is in floats
    assert max(np.abs(codes.astype(int)).max() for codes in layers) <= card.int8.largest == LARGEST_CODE


@pytest.mark.parametrize("runtime", sorted(BACKENDS))
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_largest_sums_of_every_layer_are_exact(card: ModelCard, runtime: str) -> None:
    for codes in kernels(graph_of(card)):
        batch = worst(codes)
        backend = open_backend(runtime, layer_alone(codes), threads=1)
        made = backend.run(batch)
        backend.close()
        # Below 2**24 float32 holds every whole number.
        exact = torch.nn.functional.conv2d(torch.from_numpy(batch).double(), torch.from_numpy(codes).double())
        np.testing.assert_array_equal(made, exact.numpy())


def pictures() -> Iterator[npt.NDArray[np.uint8]]:
    """uint8 (1, 20, 24, 3): black, white, and either at random.

    Grain and stripes say less: there some networks turn a sum that falls upon the edge between two codes into another
    picture.
    """
    shape = (1, 20, 24, 3)
    yield np.zeros(shape, np.uint8)
    yield np.full(shape, 255, np.uint8)
    yield 255 * np.random.default_rng(0).integers(0, 2, shape, np.uint8)


@pytest.mark.parametrize("runtime", sorted(BACKENDS))
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_runtimes_compute_what_the_file_says(card: ModelCard, runtime: str) -> None:
    exact = ReferenceEvaluator(graph_of(card))
    backend = open_backend(runtime, load_model(card.name, card.scale, int8=True).onnx, precision="int8", threads=1)
    for small in pictures():
        (planes,) = exact.run(None, {"low": small.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)})
        wanted = np.clip(np.rint(planes * 255), 0, 255).transpose(0, 2, 3, 1)
        difference = np.abs(backend.run_bytes(small) - wanted)
        assert np.quantile(difference, 0.99) <= 1
    backend.close()
