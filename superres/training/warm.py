"""Warm start: a new training begins with the layers of a shipped model, of the same or of another scale."""

from __future__ import annotations

import re

import torch

from superres.errors import MissingExtraError, OptionError, SuperresError
from superres.networks.base import Network
from superres.zoo import load_model

__all__ = ["warm_start"]


def warm_start(network: Network, model: str) -> None:
    """Load the layers of a shipped model into an untrained network.

    Args:
        network: changed in place.
        model: ``{name}_x{scale}`` of the zoo, such as ``standard_x4``.

    Raises:
        OptionError: the name is not of that form, or the architectures differ.
        ModelError: no such model.
        MissingExtraError: the onnx package is not installed.
    """
    match = re.fullmatch(r"(.+)_x(\d+)", model)
    if not match:
        raise OptionError(f"warm_start = {model!r}: expected a shipped model such as 'standard_x4'")
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise MissingExtraError("onnx", "train") from error
    graph = onnx.load_model_from_string(load_model(match[1], int(match[2])).onnx).graph
    values = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    pairs = [
        (values[node.input[1]], values[node.input[2]])
        for node in graph.node
        if node.op_type == "Conv" and len(node.input) == 3
    ]
    try:
        network.load_fused(pairs)
    except SuperresError as error:
        raise OptionError(f"warm_start = {model!r} does not fit this recipe's network: {error}") from error
