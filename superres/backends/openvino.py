"""OpenVINO: the default runtime, for ordinary processors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import openvino

from superres.backends.base import Bytes, Floats, Precision
from superres.backends.openvino_bytes import bytes_in_and_out
from superres.errors import InferenceError, ModelError, OptionError

__all__ = ["OpenVinoBackend", "has_bf16", "has_int8"]


def has_bf16() -> bool:
    """Whether this processor computes in bfloat16 natively."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def has_int8() -> bool:
    """Whether this processor multiplies 8-bit integers natively."""
    return "INT8" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoBackend:
    """An ONNX model compiled for this processor.  See :class:`superres.backends.base.Backend`.

    Args:
        model: ONNX file contents.
        precision: ``fp32``, ``bf16`` on processors that have it, or ``int8`` of a model file with 8-bit weights; then
            only :meth:`run_bytes` works.
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
            # What int8 leaves over, the skip and the last sum, stays in float32.
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            properties["INFERENCE_NUM_THREADS"] = threads
        try:
            graph = core.read_model(model, b"")
            if precision == "int8":
                graph = bytes_in_and_out(graph)
            self._compiled: Any = core.compile_model(graph, "CPU", properties)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load the model: {_first_line(error)}") from error
        self._request: Any = self._compiled.create_infer_request()
        self.precision: Precision = precision

    def run(self, batch: Floats) -> Floats:
        """See :meth:`superres.backends.base.Backend.run`."""
        if self.precision == "int8":
            raise InferenceError("a backend opened with int8 takes bytes: use run_bytes")
        large: Floats = self._infer(batch)
        return large

    def run_bytes(self, batch: Bytes) -> Bytes:
        """See :meth:`superres.backends.base.Backend.run_bytes`."""
        if self.precision != "int8":
            raise InferenceError(f"a backend opened with {self.precision} takes float32 planes: use run")
        large: Bytes = self._infer(batch)
        return large

    def _infer(self, batch: npt.NDArray[Any]) -> Any:
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
