"""Bytes in and out of an OpenVINO graph: scaling, clipping and rounding become part of the network.

What surrounds a small network would otherwise take as long as the network: float32 planes are four times the bytes.
The closing sub-pixel shuffle is left to NumPy: together with the way from planes to pixels it is one copy there, and
three in OpenVINO where shapes are not known beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import openvino
from openvino import opset13 as operations
from openvino.preprocess import PrePostProcessor

from superres.backends.base import Bytes

__all__ = ["ByteGraph", "byte_graph", "pixel_graph", "pixels"]


@dataclass(frozen=True)
class ByteGraph:
    """A network with uint8 (N, H, W, C) in and uint8 (N, block * block * C, H, W) out, rounded and clipped.

    Attributes:
        model: the network.
        block: how many rows and columns of the result each position holds; 1 where nothing is to be shuffled.
        depth_first: whether a channel's block lies together, as ``CRD`` of ONNX says, or a block's channels, ``DCR``.
    """

    model: openvino.Model
    block: int
    depth_first: bool


def byte_graph(model: openvino.Model) -> ByteGraph:
    """A network in bytes.

    Args:
        model: float32 (N, C, H, W) in [0, 1] in, float32 (N, C, s*H, s*W) out; changed in place.
    """
    last = model.get_results()[0].input_value(0)
    block, depth_first = 1, True
    if last.get_node().get_type_name() == "DepthToSpace":
        attributes = last.get_node().get_attributes()
        block, depth_first = attributes["block_size"], attributes["mode"] == "depth_first"
        last = last.get_node().input_value(0)
    # Clips, scales and rounds to even in one node, which OpenVINO appends to the one before it.
    codes = operations.fake_quantize(last, *(_constant(value) for value in (0.0, 1.0, 0.0, 255.0)), 256)
    steps = PrePostProcessor(openvino.Model([operations.convert(codes, "u8")], model.get_parameters(), "bytes"))
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    return ByteGraph(steps.build(), block, depth_first)


def pixel_graph(graph: ByteGraph) -> openvino.Model:
    """A network whose result is uint8 (N, block * H, block * W, C): what :func:`pixels` does, done by OpenVINO.

    Faster than NumPy where the size of pictures is fixed before the network is compiled, slower where it is not.
    """
    codes = graph.model.get_results()[0].input_value(0)
    if graph.block > 1:
        mode = "depth_first" if graph.depth_first else "blocks_first"
        codes = operations.depth_to_space(codes, mode, graph.block).output(0)
    large = operations.transpose(codes, operations.constant(np.array([0, 2, 3, 1])))
    return openvino.Model([large], graph.model.get_parameters(), "pixels")


def pixels(codes: Bytes, block: int, depth_first: bool) -> Bytes:
    """What a :class:`ByteGraph` gives as pixels.

    Args:
        codes: uint8 (N, block * block * C, H, W).
        block, depth_first: of the graph.

    Returns:
        uint8 (N, block * H, block * W, C), a copy.
    """
    count, depth, height, width = codes.shape
    channels = depth // block**2
    if depth_first:
        planes = codes.reshape(count, channels, block, block, height, width)
    else:
        planes = codes.reshape(count, block, block, channels, height, width).transpose(0, 3, 1, 2, 4, 5)
    made = np.empty((count, height, block, width, block, channels), np.uint8)
    # One copy of whole rows for every column of a block: five times as fast as one transposition.
    for channel in range(channels):
        for column in range(block):
            made[..., column, channel] = planes[:, channel, :, column].transpose(0, 2, 1, 3)
    return made.reshape(count, height * block, width * block, channels)


def _constant(value: float) -> openvino.Node:
    return operations.constant(value, openvino.Type.f32)
