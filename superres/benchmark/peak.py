"""What the machine reaches at best: a large matrix product in each arithmetic."""

from __future__ import annotations

import time

import numpy as np
import openvino
from openvino import opset13 as operations

from superres.backends import Precision

__all__ = ["measure_peak"]

#: Rows, columns and depth: large enough that loading is nothing, small enough for the cache.
_SIDE = 1024


def measure_peak(precision: Precision, threads: int = 0, rounds: int = 10) -> float:
    """Multiply-accumulates per second, in 1e9, of a product of two 1024 x 1024 matrices.

    Args:
        precision: of the product.
        threads: cores, 0 for all.
        rounds: the best of so many counts.

    Raises:
        RuntimeError: OpenVINO cannot run this arithmetic here.
    """
    properties = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
    }
    request = openvino.Core().compile_model(_product(precision == "int8"), "CPU", properties).create_infer_request()
    # Columns of the first factor as a batch of pixels: a 1x1 convolution is what runtimes tune their products for.
    values = np.random.default_rng(0).random((1, _SIDE, 32, _SIDE // 32), np.float32)
    best = float("inf")
    for _ in range(rounds + 2):
        started = time.perf_counter()
        request.infer([values], share_inputs=True)
        best = min(best, time.perf_counter() - started)
    return _CHAIN * _SIDE**3 / best / 1e9


#: Products in a row, so that entering and leaving the arithmetic is a small part.
_CHAIN = 8


def _product(eight_bit: bool) -> openvino.Model:
    """A chain of 1 x 1 convolutions of 1024 channels."""
    source = operations.parameter([1, _SIDE, 32, _SIDE // 32], openvino.Type.f32)
    hidden = source.output(0)
    weights = np.random.default_rng(1).uniform(-1, 1, (_SIDE, _SIDE, 1, 1)).astype(np.float32) / 32
    for _ in range(_CHAIN):
        kernel = operations.constant(weights).output(0)
        if eight_bit:
            hidden = operations.fake_quantize(hidden, *_limits(0.0, 1.0), 256).output(0)
            kernel = operations.fake_quantize(kernel, *_limits(-1 / 32, 1 / 32), 255).output(0)
        product = operations.convolution(hidden, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
        hidden = operations.relu(product).output(0)
    return openvino.Model([hidden], [source], "peak")


def _limits(low: float, high: float) -> tuple[openvino.Node, ...]:
    return tuple(operations.constant(np.float32(value)) for value in (low, high, low, high))
