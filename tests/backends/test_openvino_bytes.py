"""Bytes in and out: the same pixels as float32 planes give, rounded and clipped, whatever the graph ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import tiny_onnx

from superres.backends import open_backend
from superres.backends.openvino_bytes import byte_graph, pixel_graph, pixels
from superres.deploy.export import export_onnx
from superres.networks.reparam import SKIPS, ReparamNet

Samples = np.ndarray[Any, Any]


def _depth_to_space(codes: Samples, block: int, depth_first: bool) -> Samples:
    """As the ONNX specification writes it out, then channels last."""
    n, c, h, w = codes.shape
    if depth_first:
        planes = codes.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        planes = codes.reshape(n, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    return planes.reshape(n, c // block**2, h * block, w * block).transpose(0, 2, 3, 1)


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_pixels_are_those_of_depth_to_space(n: int, c: int, block: int, h: int, w: int, depth_first: bool) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (n, c * block**2, h, w), np.uint8)
    made = pixels(codes, block, depth_first)
    np.testing.assert_array_equal(made, _depth_to_space(codes, block, depth_first))
    assert made.flags.c_contiguous and not np.shares_memory(made, codes)


def _both(contents: bytes, small: Samples) -> tuple[Samples, Samples]:
    """What the same float network gives in bytes, and in planes with the rounding done here."""
    backend = open_backend("openvino", contents, precision="int8", threads=1)
    large = backend.run_bytes(small)
    backend.close()
    plain = open_backend("openvino", contents, threads=1)
    planes = plain.run(small.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
    plain.close()
    return large, np.clip(np.rint(planes * 255), 0, 255).transpose(0, 2, 3, 1)


def _picture(*shape: int) -> Samples:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("order", ["CRD", "DCR"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_network_that_ends_in_a_shuffle(scale: int, order: str) -> None:
    model = onnx.load_model_from_string(tiny_onnx(scale))
    for attribute in model.graph.node[-1].attribute:
        if attribute.name == "mode":
            attribute.s = order.encode()
    large, wanted = _both(model.SerializeToString(), _picture(2, 12, 9, 3))
    assert np.abs(large - wanted).max() <= 1 and (large != wanted).mean() < 0.001


def test_a_network_that_ends_otherwise() -> None:
    model = onnx.load_model_from_string(tiny_onnx(2))
    output = model.graph.output[0].name
    model.graph.node[-1].output[0] = "shuffled"
    model.graph.node.append(onnx.helper.make_node("Identity", ["shuffled"], ["same"]))
    model.graph.node.append(onnx.helper.make_node("Abs", ["same"], [output]))
    large, wanted = _both(model.SerializeToString(), _picture(1, 8, 11, 3))
    assert large.shape == (1, 16, 22, 3)
    assert np.abs(large - wanted).max() <= 1 and (large != wanted).mean() < 0.001


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_every_way_past_the_network(scale: int, skip: str, tmp_path: Path) -> None:
    torch.manual_seed(scale)
    network = ReparamNet(scale, 8, 3, 2, skip=skip)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    export_onnx(network, tmp_path / "m.onnx")
    large, wanted = _both((tmp_path / "m.onnx").read_bytes(), _picture(1, 13, 10, 3))
    assert large.shape == (1, 13 * scale, 10 * scale, 3)
    assert np.abs(large - wanted).max() <= 1 and (large != wanted).mean() < 0.001


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_pixels_made_in_the_graph_are_the_same(tmp_path: Path, scale: int) -> None:
    torch.manual_seed(scale)
    export_onnx(ReparamNet(scale, 8, 4, 0), tmp_path / "m.onnx")
    contents = (tmp_path / "m.onnx").read_bytes()
    small = np.random.default_rng(0).integers(0, 256, (1, 9, 7, 3), np.uint8)
    core = openvino.Core()
    graph = pixel_graph(byte_graph(core.read_model(contents, b"")))
    graph.reshape(list(small.shape))
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = open_backend("openvino", contents, precision="int8", threads=1).run_bytes(small)
    made = compiled([small])[0]
    assert made.shape == expected.shape
    assert np.abs(made.astype(int) - expected).max() <= 1
