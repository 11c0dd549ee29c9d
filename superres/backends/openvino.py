"""OpenVINO: the default runtime, for ordinary processors."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino

from superres.backends.base import Floats, Precision
from superres.errors import InferenceError, ModelError, OptionError

__all__ = ["OpenVinoBackend", "has_bf16"]


def has_bf16() -> bool:
    """Whether this processor computes in bfloat16 natively."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoBackend:
    """An ONNX model compiled for this processor.  See :class:`superres.backends.base.Backend`.

    Args:
        model: ONNX file contents.
        precision: ``fp32``, or ``bf16`` on processors that have it.
        threads: cores to use, 0 for all.

    Raises:
        ModelError: OpenVINO cannot read or compile the model.
        OptionError: ``bf16`` on a processor without it.
    """

    def __init__(self, model: bytes, precision: Precision = "fp32", threads: int = 0) -> None:
        core = openvino.Core()
        if precision == "bf16" and not has_bf16():
            raise OptionError("precision bf16: this processor has no bfloat16 arithmetic; use --precision fp32")
        properties: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            properties["INFERENCE_NUM_THREADS"] = threads
        try:
            self._compiled: Any = core.compile_model(core.read_model(model, b""), "CPU", properties)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load the model: {_first_line(error)}") from error
        self._request: Any = self._compiled.create_infer_request()
        self.precision: Precision = precision

    def run(self, batch: Floats) -> Floats:
        """See :meth:`superres.backends.base.Backend.run`."""
        if self._request is None:
            raise InferenceError("the backend is closed: open it again")
        try:
            self._request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        except RuntimeError as error:
            if "alloc" in str(error).lower():
                raise MemoryError(_first_line(error)) from error
            raise InferenceError(f"OpenVINO failed: {_first_line(error)}") from error
        return np.array(self._request.get_output_tensor(0).data)

    def close(self) -> None:
        """Free the compiled model."""
        self._request = self._compiled = None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
