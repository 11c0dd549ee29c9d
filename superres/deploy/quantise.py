"""Quantise a shipped stack to int8: ranges from pictures, a few training steps, an ONNX file of 8-bit weights.

The file holds QuantizeLinear / DequantizeLinear pairs around 8-bit weights, which every int8 runtime understands; its
input and output are those of the float32 file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.atomic import replace_file
from superres.errors import ModelError, TrainingError
from superres.networks.quantised import LARGEST_CODE, LEVELS, QuantisedStack, step_and_zero
from superres.networks.reparam import ConvolutionStack, Skip
from superres.training.warm import read_graph, read_weights

__all__ = ["export_int8", "read_stack", "tensor_of_bytes", "train_quantised"]

Bytes = npt.NDArray[np.uint8]

# Squares of differences of half a code lie near 1e-6: scaled up, away from the epsilon of Adam.
_LOSS_SCALE = 1000.0

# A graph as a word, without the padding of its skip: "CLCLCL ... CCAD" ends in the last layer, the skip, their sum and
# the shuffle; with residual blocks, the first of them follow the second layer.
_LETTERS = {"Conv": "C", "LeakyRelu": "L", "Add": "A", "DepthToSpace": "D"}
_BLOCK = "CLCA"
_FIRST = re.compile(f"CLCL((?:{_BLOCK})*)")


def read_stack(onnx_file: bytes, name: str) -> ConvolutionStack:
    """The trained stack in a deployed ONNX file, of architecture ``reparam`` or ``quality``.

    Args:
        onnx_file: contents, as :func:`superres.deploy.export.export_onnx` writes them.
        name: what messages call it.

    Raises:
        ModelError: the file holds another kind of network.
        MissingExtraError: the onnx package is not installed.
    """
    graph = read_graph(onnx_file)
    values = read_weights(graph)
    kinds = [node.op_type for node in graph.node]
    layers = [node for node in graph.node if node.op_type == "Conv" and values[node.input[1]].shape[2:] == (3, 3)]
    bicubic = "Pad" in kinds
    found = "".join(_LETTERS.get(kind, "?") for kind in kinds if kind != "Pad")
    first = _FIRST.match(found)
    blocks = len(first[1]) // len(_BLOCK) if first else 0
    inner = (len(layers) - 2) // (1 + 2 * blocks)
    if inner < 1 or found != "CL" + ("CL" + _BLOCK * blocks) * inner + "CCAD":
        raise ModelError(
            f"{name}: quantisation takes a stack of 3x3 convolutions with leaky ReLU (architecture reparam or "
            f"quality), but this graph holds {sorted(set(kinds))}, in another order or number"
        )
    slopes = {_attribute(node, "alpha") for node in graph.node if node.op_type == "LeakyRelu"}
    scale = int(next(_attribute(node, "blocksize") for node in graph.node if node.op_type == "DepthToSpace"))
    kernels = [(values[node.input[1]], _bias(node, values)) for node in layers]
    features, channels = kernels[0][0].shape[:2]
    skip = "bicubic" if bicubic else "nearest"
    plain = ConvolutionStack(scale, channels, features, inner + 2, slopes.pop(), skip, blocks)
    if slopes:
        raise ModelError(f"{name}: its leaky ReLUs differ in slope; expected one slope")
    with torch.no_grad():
        for convolution, (kernel, bias) in zip(plain.convolutions, kernels, strict=True):
            convolution.load_state_dict({"weight": kernel, "bias": bias})
    return plain.eval()


def _bias(node: Any, values: dict[str, Tensor]) -> Tensor:
    """A convolution's bias; the exporter leaves out one that is all zeros."""
    return values[node.input[2]] if len(node.input) == 3 else torch.zeros(values[node.input[1]].shape[0])


def _attribute(node: Any, name: str) -> float:
    """A number among a node's attributes."""
    found = next(a for a in node.attribute if a.name == name)
    return float(found.f if found.type == 1 else found.i)


def train_quantised(
    stack: QuantisedStack,
    plain: ConvolutionStack,
    batches: Iterator[Bytes],
    steps: int,
    rate: float = 2e-4,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Teach the rounded network to give what the exact one gives.

    Its own float32 form is the teacher, not the ground truth: a few hundred steps towards ground truth would move the
    network towards those pictures, which costs more than rounding does.

    Args:
        stack: changed in place; its ranges stay.
        plain: the network that it was made from.
        batches: uint8 (N, h, w, C) input, at least ``steps`` of them.
        steps: optimiser steps of Adam on the mean squared difference.
        rate: first learning rate, falling to zero along half a cosine.
        report: called with (step, root mean square difference in 8-bit codes).

    Raises:
        TrainingError: a loss that is not finite.
    """
    optimiser = torch.optim.Adam(stack.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(1, steps + 1):
        low = tensor_of_bytes(next(batches))
        with torch.no_grad():
            wanted = plain(low)
        loss = functional.mse_loss(stack(low), wanted)
        if not torch.isfinite(loss):
            raise TrainingError(f"loss is {loss.item()} at step {step} of quantised training: lower its rate")
        optimiser.zero_grad(set_to_none=True)
        (loss * _LOSS_SCALE).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if report:
            report(step, 255 * loss.item() ** 0.5)


def tensor_of_bytes(patches: Bytes) -> Tensor:
    """(N, H, W, C) uint8 -> (N, C, H, W) float32 in [0, 1]."""
    return torch.from_numpy(patches).permute(0, 3, 1, 2).float().div_(255)


def export_int8(stack: QuantisedStack, target: Path) -> None:
    """Write ``stack`` as ONNX with 8-bit weights; ``low`` in, ``high`` out as in the float32 file.

    Args:
        stack: quantised, trained or not.
        target: the file; replaced atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    import onnx
    from onnx import TensorProto, helper

    parts = _Parts()
    plain = stack.plain
    before = given = parts.rounded("low", 1 / LEVELS, 0)
    for index, (link, limits) in enumerate(zip(plain.hidden(), stack.ranges, strict=True)):
        result = parts.convolution(given, link.convolution, stack.steps[index], f"layer{index}")
        if link.closes:
            result = parts.node("Add", [result, before])
        else:
            result = parts.node("LeakyRelu", [result], attributes={"alpha": float(plain.slope)})
        before, given = given, parts.rounded(result, *step_and_zero(*limits))
    residual = parts.convolution(given, plain.last(), stack.steps[-1], f"layer{len(stack.ranges)}")
    skip = parts.skip("low", plain.skip)
    total = parts.node("Add", [residual, skip])
    parts.node("DepthToSpace", [total], "high", {"blocksize": plain.scale, "mode": "CRD"})
    channels = plain.hidden()[0].convolution.in_channels
    graph = helper.make_graph(
        parts.nodes,
        "superres",
        [helper.make_tensor_value_info("low", TensorProto.FLOAT, ["batch", channels, "height", "width"])],
        [helper.make_tensor_value_info("high", TensorProto.FLOAT, ["batch", channels, "large_height", "large_width"])],
        parts.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    with replace_file(target) as stream:
        stream.write(model.SerializeToString())


class _Parts:
    """Nodes and constants of a graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str = "", attributes: dict[str, Any] | None = None) -> str:
        """Add a node; the name of its output."""
        from onnx import helper

        output = output or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"node_{output}", **(attributes or {})))
        return output

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Add a constant; its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def skip(self, source: str, skip: Skip) -> str:
        """The fixed enlargement, in float32."""
        if skip.reach:
            pads = self.constant("skip_pads", np.array([0, 0, skip.reach, skip.reach] * 2, np.int64))
            source = self.node("Pad", [source, pads], attributes={"mode": "edge"})
        kernel = self.constant("skip_kernel", skip.kernel.numpy())
        return self.node("Conv", [source, kernel], attributes={"group": skip.channels})

    def rounded(self, source: str, step: float, zero: int) -> str:
        """An activation through unsigned 8-bit codes and back."""
        scale = self.constant(f"{source}_step", np.array(step, np.float32))
        offset = self.constant(f"{source}_zero", np.array(zero, np.uint8))
        codes = self.node("QuantizeLinear", [source, scale, offset])
        return self.node("DequantizeLinear", [codes, scale, offset])

    def convolution(self, source: str, layer: nn.Conv2d, steps: Tensor, name: str) -> str:
        """A 3x3 convolution with 8-bit weights of these steps."""
        codes = torch.round(layer.weight.detach() / steps[:, None, None, None]).clamp(-LARGEST_CODE, LARGEST_CODE)
        weight = self.node(
            "DequantizeLinear",
            [
                self.constant(f"{name}_codes", codes.to(torch.int8).numpy()),
                self.constant(f"{name}_steps", steps.numpy()),
                self.constant(f"{name}_zeros", np.zeros(len(steps), np.int8)),
            ],
            attributes={"axis": 0},
        )
        inputs = [source, weight]
        if layer.bias is not None:
            inputs.append(self.constant(f"{name}_bias", layer.bias.detach().numpy()))
        return self.node("Conv", inputs, attributes={"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]})
