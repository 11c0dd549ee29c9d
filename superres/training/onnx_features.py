"""A convolutional network read from ONNX into PyTorch, so that gradients flow through it.

Only what feature extractors are made of: convolutions, pooling, activations, BatchNorm, sums and concatenations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.errors import MissingExtraError, OptionError

__all__ = ["OnnxFeatures"]

# (inputs, attributes) -> output.
_Operator = Callable[[list[Tensor], dict[str, Any]], Tensor]


class OnnxFeatures(nn.Module):
    """The features of an ONNX network after some of its convolutions.

    Args:
        path: the file; its first input takes (N, C, H, W).
        layers: convolutions, counted from 1 in the file's order; empty for the last one.

    Raises:
        OptionError: the file cannot be read, an operator on the way is not known here, or a layer beyond the last.
        MissingExtraError: the onnx package is not installed.
    """

    def __init__(self, path: Path, layers: Sequence[int] = ()) -> None:
        super().__init__()
        graph, values = _read(path)
        places = [index for index, node in enumerate(graph.node) if node.op_type == "Conv"]
        wanted = [*layers] or [len(places)]
        if not places or max(wanted) > len(places):
            raise OptionError(f"perceptual layer {max(wanted)}: {path} has {len(places)} convolutions")
        self.entrance = next(entry.name for entry in graph.input if entry.name not in values)
        self.taken = [graph.node[places[layer - 1]].output[0] for layer in sorted(set(wanted))]
        self.nodes = []
        for node in graph.node[: places[max(wanted) - 1] + 1]:
            if node.op_type not in _OPERATORS:
                raise OptionError(
                    f"{path}: operator {node.op_type} is not known here: expected {', '.join(sorted(_OPERATORS))}"
                )
            self.nodes.append((node.op_type, list(node.input), node.output[0], _attributes(node)))
        self.names = {name: f"value_{index}" for index, name in enumerate(values)}
        for name, value in values.items():
            self.register_buffer(self.names[name], value, persistent=False)

    def forward(self, batch: Tensor) -> list[Tensor]:
        """(N, C, H, W) -> the features of the chosen layers, first to last."""
        known = {name: getattr(self, place) for name, place in self.names.items()} | {self.entrance: batch}
        for kind, inputs, output, attributes in self.nodes:
            known[output] = _OPERATORS[kind]([known[name] for name in inputs if name], attributes)
        return [known[name] for name in self.taken]


def _read(path: Path) -> tuple[Any, dict[str, Tensor]]:
    """The graph and its initial values."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise MissingExtraError("onnx", "train") from error
    try:
        graph = onnx.load(path, load_external_data=False).graph
        values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    except OSError as error:
        raise OptionError(f"{path}: cannot read the perceptual model: {error.strerror}") from error
    except Exception as error:  # protobuf's exceptions share no public base class
        raise OptionError(f"{path}: not an ONNX file with its weights inside: {error}") from error
    return graph, values


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _padded(batch: Tensor, attributes: dict[str, Any], value: float) -> Tensor:
    """ONNX pads each side by its own amount."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or attributes.get("ceil_mode", 0):
        raise OptionError("perceptual model: auto_pad and ceil_mode are not known here; export with explicit pads")
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return functional.pad(batch, (left, right, top, bottom), value=value) if top or left or bottom or right else batch


def _conv(inputs: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    bias = inputs[2] if len(inputs) > 2 else None
    stride, dilation = attributes.get("strides", (1, 1)), attributes.get("dilations", (1, 1))
    batch = _padded(inputs[0], attributes, 0.0)
    return functional.conv2d(batch, inputs[1], bias, stride, 0, dilation, attributes.get("group", 1))


def _max_pool(inputs: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    batch = _padded(inputs[0], attributes, float("-inf"))
    return functional.max_pool2d(batch, attributes["kernel_shape"], attributes.get("strides", (1, 1)))


def _average_pool(inputs: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    if any(attributes.get("pads", ())):
        raise OptionError("perceptual model: average pooling with padding is not known here")
    return functional.avg_pool2d(inputs[0], attributes["kernel_shape"], attributes.get("strides", (1, 1)))


def _batch_norm(inputs: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    batch, weight, bias, mean, variance = inputs
    return functional.batch_norm(batch, mean, variance, weight, bias, eps=attributes.get("epsilon", 1e-5))


_OPERATORS: dict[str, _Operator] = {
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Concat": lambda inputs, attributes: torch.cat(inputs, dim=attributes["axis"]),
    "Conv": _conv,
    "Div": lambda inputs, _: inputs[0] / inputs[1],
    "Identity": lambda inputs, _: inputs[0],
    "LeakyRelu": lambda inputs, attributes: functional.leaky_relu(inputs[0], attributes.get("alpha", 0.01)),
    "MaxPool": _max_pool,
    "Mul": lambda inputs, _: inputs[0] * inputs[1],
    "Relu": lambda inputs, _: functional.relu(inputs[0]),
    "Sub": lambda inputs, _: inputs[0] - inputs[1],
}
