"""Bytes in and out of an OpenVINO graph: scaling, clipping, rounding and layout become part of the network.

What surrounds a small network would otherwise take as long as the network: float32 planes are four times the bytes.
"""

from __future__ import annotations

import openvino
from openvino import opset13 as operations
from openvino.preprocess import PrePostProcessor

__all__ = ["bytes_in_and_out"]


def bytes_in_and_out(model: openvino.Model) -> openvino.Model:
    """The same network with uint8 (N, H, W, C) in and uint8 (N, s*H, s*W, C) out, rounded and clipped.

    Args:
        model: float32 (N, C, H, W) in [0, 1] in, the same out; changed in place.
    """
    model = _rounded(model)
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.output().model().set_layout(openvino.Layout("NCHW"))
    steps.output().tensor().set_layout(openvino.Layout("NHWC"))
    return steps.build()


def _rounded(model: openvino.Model) -> openvino.Model:
    """The network with a uint8 output; before a closing sub-pixel shuffle, which then moves a quarter of the bytes."""
    last = model.get_results()[0].input_value(0).get_node()
    shuffle = last if last.get_type_name() == "DepthToSpace" else None
    values = shuffle.input_value(0) if shuffle else last.output(0)
    codes = operations.convert(
        operations.round(operations.clamp(operations.multiply(values, _constant(255.0)), 0.0, 255.0), "half_to_even"),
        "u8",
    )
    if shuffle:
        attributes = shuffle.get_attributes()
        codes = operations.depth_to_space(codes, attributes["mode"], attributes["block_size"])
    return openvino.Model([codes], model.get_parameters(), "bytes")


def _constant(value: float) -> openvino.Node:
    return operations.constant(value, openvino.Type.f32)
