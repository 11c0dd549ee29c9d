"""Whether this processor adds products of 8-bit codes up exactly.

VNNI adds them in 32 bits.  Processors with AVX2 or AVX-512 alone multiply unsigned codes of activations by signed ones
of weights and add two such products in 16 bits, where what does not fit is cut off (``vpmaddubsw``).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as operations

__all__ = ["SAFE_CODE", "adds_exactly", "sum_of_largest"]

#: Two weights of this code, times 255 each, fit into signed 16 bits: up to here every processor is exact.
SAFE_CODE = (2**15 - 1) // (2 * 255)

# Of the convolution that is tried: enough that OpenVINO takes the kernels that networks run on.
_CHANNELS, _SIDE = 32, 16


@functools.cache
def adds_exactly(code: int) -> bool:
    """Whether weights of ``code`` and below, 1 .. 127, are added up exactly; tried once in each process.

    Raises:
        RuntimeError: OpenVINO cannot run a convolution at all.
    """
    return code <= SAFE_CODE or sum_of_largest(code) == 255 * code * 9 * _CHANNELS


def sum_of_largest(code: int) -> float:
    """What OpenVINO makes of a 3x3 convolution over 32 channels where every input is 255 and every weight ``code``."""
    shape = [1, _CHANNELS, _SIDE, _SIDE]
    low = operations.parameter(shape, np.float32)
    ends = [operations.constant(np.float32(end)) for end in (0, 255, 0, 255)]
    codes = operations.fake_quantize(low, *ends, 256)
    # Of one sign is enough: sums below the least number are cut off alike.
    weights = operations.constant(np.full((_CHANNELS, _CHANNELS, 3, 3), code, np.int8))
    # The scale keeps the multiplication from being folded into a kernel of floats.
    kernel = operations.multiply(operations.convert(weights, "f32"), operations.constant(np.float32(0.5)))
    sums = operations.convolution(codes, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    model = openvino.Model([sums], [low], "sum")
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result: Any = compiled([np.full(shape, 255, np.float32)])[0]
    return float(2 * result[0, 0, 0, 0])
