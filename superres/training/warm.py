"""Warm start: a new training begins with the layers of a trained model, of the same or of another scale."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from superres.errors import MissingExtraError, OptionError, SuperresError
from superres.networks.base import Network
from superres.zoo import load_model, locate

__all__ = ["read_graph", "read_weights", "warm_start"]


def warm_start(network: Network, model: str) -> None:
    """Load the layers of a trained model into an untrained network.

    A network whose deployed form merges layers takes them over itself (``Network.load_fused``); any other takes every
    weight of the same name and shape, so that an enlargement by another factor keeps all but its last layers.

    Args:
        network: changed in place.
        model: ``{name}_x{scale}`` of the zoo, such as ``standard_x4``, or ``FOLDER/{name}_x{scale}``.

    Raises:
        OptionError: the name is not of that form, or the architectures differ.
        ModelError: no such model.
        MissingExtraError: the onnx package is not installed.
    """
    match = re.fullmatch(r"(.+)_x(\d+)", model)
    if not match:
        raise OptionError(
            f"warm_start = {model!r}: expected a model and its scale, such as 'standard_x4' (what a recipe gives, "
            "NAME.toml, is trained first by the command superres train alone)"
        )
    folder, name = locate(match[1])
    graph = read_graph(load_model(name, int(match[2]), folder).onnx)
    try:
        if type(network).load_fused is not Network.load_fused:
            network.load_fused(_convolutions(graph))
        else:
            _load_named(network, read_weights(graph))
    except SuperresError as error:
        raise OptionError(f"warm_start = {model!r} does not fit this recipe's network: {error}") from error


def read_graph(contents: bytes) -> Any:
    """The graph of an ONNX file.  Raises MissingExtraError: the onnx package is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "train") from error
    return onnx.load_model_from_string(contents).graph


def read_weights(graph: Any) -> dict[str, Tensor]:
    """The constants of a graph by name, as tensors of their own."""
    from onnx import numpy_helper

    return {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}


def _convolutions(graph: Any) -> list[tuple[Tensor, Tensor]]:
    """(kernel, bias) of every convolution, in order; the exporter leaves out a bias that is all zeros."""
    values = read_weights(graph)
    pairs = []
    for node in graph.node:
        if node.op_type == "Conv":
            kernel = values[node.input[1]]
            bias = values[node.input[2]] if len(node.input) == 3 else torch.zeros(len(kernel))
            pairs.append((kernel, bias))
    return pairs


@torch.no_grad()
def _load_named(network: Network, values: dict[str, Tensor]) -> None:
    """Take over weights by name; the deployed form must have the network's own names."""
    own = dict(network.named_parameters())
    deployed = {name for name, _ in network.fused().named_parameters()}
    if deployed != own.keys():
        raise OptionError(f"the deployed form of {type(network).__name__} has merged layers")
    fitting = [name for name, value in own.items() if name in values and values[name].shape == value.shape]
    if not any(own[name].ndim >= 2 for name in fitting):
        raise OptionError(f"no layer of {type(network).__name__} has its name and shape there")
    for name in fitting:
        own[name].copy_(values[name])
