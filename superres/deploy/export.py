"""Export a network's deployable form to ONNX."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from superres.atomic import replace_file
from superres.networks.base import Network
from superres.networks.temporal import NEIGHBOURS, TemporalNetwork

__all__ = ["export_onnx", "signature"]

#: ONNX operator set: the lowest that holds every operator used, so that old runtimes read the file.
OPSET = 18


def export_onnx(network: Network, target: Path) -> None:
    """Write the fused form of ``network`` as ONNX.

    The graph takes ``low`` float32 (N, inputs, H, W) in [0, 1], any N, H and W, and gives ``high`` float32
    (N, C, scale*H, scale*W), about [0, 1], not clipped.  Of a network of video it is one step: it takes ``frames``
    (N, 3, H, W) and ``state`` (N, S, H, W), and gives ``high`` (N, 1, scale*H, scale*W) and ``next_state``.

    Args:
        network: trained; evaluated in float32.
        target: the file; replaced atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    fused = network.fused()
    examples, inputs, outputs = signature(network)
    axes = {0: torch.export.Dim("batch"), 2: torch.export.Dim("height"), 3: torch.export.Dim("width")}
    with _without_warnings():
        program = torch.onnx.export(
            fused,
            examples,
            dynamo=True,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=(axes,) * len(inputs),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    program.optimize()
    payload = _without_traces(program.model_proto).SerializeToString()
    with replace_file(target) as stream:
        stream.write(payload)


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """The exporter warns about its own internals, and that torchvision, which nothing here uses, is absent."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def signature(network: Network) -> tuple[tuple[Tensor, ...], list[str], list[str]]:
    """Examples of what the fused form takes, and the names of inputs and outputs."""
    if isinstance(network, TemporalNetwork):
        channels = NEIGHBOURS, network.state_channels
        examples = tuple(torch.zeros(2, count, 24, 20) for count in channels)
        return examples, ["frames", "state"], ["high", "next_state"]
    return (torch.zeros(2, network.inputs, 24, 20),), ["low"], ["high"]


def _without_traces(model: Any) -> Any:
    """Drop what the exporter notes of its run: stack traces with paths of this machine, and twice the size."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model
