"""OpenVINO: the default runtime, for ordinary processors."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino

from superres.backends.base import Bytes, Floats, Precision
from superres.backends.openvino_bytes import ByteGraph, byte_graph, pixels
from superres.backends.openvino_exact import SAFE_CODE, adds_exactly
from superres.errors import InferenceError, ModelError, OptionError
from superres.queueing import processors

__all__ = ["OpenVinoBackend", "has_bf16", "has_int8"]

#: Of batches computed at once; on more cores each takes several.  Every lane has working memory of its own.
_MOST_LANES = 4

_FIRST_USE = threading.Lock()


def has_bf16() -> bool:
    """Whether this processor computes in bfloat16 natively."""
    return "BF16" in _capabilities()


def has_int8(code: int = SAFE_CODE) -> bool:
    """Whether this processor multiplies 8-bit integers natively, and adds the products up exactly.

    Args:
        code: the largest of a weight, of either sign; those above :data:`~superres.backends.openvino_exact.SAFE_CODE`
            need VNNI.
    """
    return "INT8" in _capabilities() and adds_exactly(code)


@functools.cache
def _capabilities() -> frozenset[str]:
    """What the processor computes natively; asking takes milliseconds, and the answer stays the same."""
    return frozenset(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _prepare_bindings() -> None:
    """Let OpenVINO's bindings make their table of NumPy's types in one thread, before lanes want it.

    It is a C++ static, made at the first inference by calls into Python, which may hand over the interpreter's lock:
    two threads that begin at once then wait for each other for ever.
    """
    with _FIRST_USE:
        openvino.Type.f32.to_dtype()


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
        _prepare_bindings()
        core = openvino.Core()
        threads = threads or processors()
        self.lanes = min(threads, _MOST_LANES)
        if precision == "bf16" and not has_bf16():
            raise OptionError("precision bf16: this processor has no bfloat16 arithmetic; use --precision fp32")
        properties: dict[str, Any] = {
            # What int8 leaves over, the skip and the last sum, stays in float32.
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "NUM_STREAMS": self.lanes,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            graph = core.read_model(model, b"")
            self._bytes: ByteGraph | None = None
            if precision == "int8":
                self._bytes = byte_graph(graph)
                graph = self._bytes.model
            self._compiled: Any = core.compile_model(graph, "CPU", properties)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load the model: {_first_line(error)}") from error
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.lanes):
            self._requests.put(self._compiled.create_infer_request())
        self.precision: Precision = precision

    def run(self, batch: Floats) -> Floats:
        """See :meth:`superres.backends.base.Backend.run`."""
        if self.precision == "int8":
            raise InferenceError("a backend opened with int8 takes bytes: use run_bytes")
        large: Floats = self._infer([batch], np.array)[0]
        return large

    def run_bytes(self, batch: Bytes) -> Bytes:
        """See :meth:`superres.backends.base.Backend.run_bytes`."""
        graph = self._bytes
        if graph is None:
            raise InferenceError(f"a backend opened with {self.precision} takes float32 planes: use run")
        large: Bytes = self._infer([batch], lambda codes: pixels(codes, graph.block, graph.depth_first))[0]
        return large

    def step(self, frames: Floats, state: Floats | None) -> tuple[Floats, Floats]:
        """See :meth:`superres.backends.base.Backend.step`."""
        if self._compiled is not None and len(self._compiled.inputs) != 2:
            raise InferenceError("this network is none of video: use run")
        if state is None and self._compiled is not None:
            channels = self._compiled.inputs[1].get_partial_shape()[1].get_length()
            state = np.zeros((len(frames), channels, *frames.shape[2:]), np.float32)
        large, following = self._infer([frames, state], np.array)
        return large, following

    def _infer(self, batches: list[Any], copied: Callable[[Any], Any]) -> list[Any]:
        """All outputs, copied out of the runtime's memory, which the next batch will use."""
        if self._compiled is None:
            raise InferenceError("the backend is closed: open it again")
        request = self._requests.get()
        try:
            request.infer([np.ascontiguousarray(batch) for batch in batches], share_inputs=True)
            return [copied(tensor.data) for tensor in request.output_tensors]
        except RuntimeError as error:
            if "alloc" in str(error).lower():
                raise MemoryError(_first_line(error)) from error
            raise InferenceError(f"OpenVINO failed: {_first_line(error)}") from error
        finally:
            self._requests.put(request)

    def close(self) -> None:
        """Free the compiled model."""
        self._requests, self._compiled = queue.SimpleQueue(), None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
