"""ONNX Runtime: the way to GPUs; runs on processors too."""

from __future__ import annotations

from typing import Any

import numpy as np

from superres.backends.base import Bytes, Floats, Precision
from superres.errors import InferenceError, MissingExtraError, ModelError, OptionError

__all__ = ["OnnxRuntimeBackend"]


class OnnxRuntimeBackend:
    """An ONNX model in ONNX Runtime.  See :class:`superres.backends.base.Backend`.

    Uses CUDA where the installed ONNX Runtime offers it, otherwise the processor.

    Args:
        model: ONNX file contents.
        precision: ``fp32``, or ``int8`` of a model file with 8-bit weights.
        threads: cores to use, 0 for all.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        ModelError: it cannot load the model.
        OptionError: another precision.
    """

    def __init__(self, model: bytes, precision: Precision = "fp32", threads: int = 0) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("onnxruntime", "gpu") from error
        if precision == "bf16":
            raise OptionError("precision bf16: the onnxruntime backend runs fp32 and int8; use the openvino backend")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            self._session: Any = onnxruntime.InferenceSession(model, options, providers=providers)
        except Exception as error:  # its exceptions share no public base class
            raise ModelError(f"ONNX Runtime cannot load the model: {error}") from error
        self._inputs = self._session.get_inputs()
        self.precision: Precision = precision
        self.lanes = 1  # all cores work on one batch

    def run(self, batch: Floats) -> Floats:
        """See :meth:`superres.backends.base.Backend.run`."""
        return self._infer(batch)[0]

    def step(self, frames: Floats, state: Floats | None) -> tuple[Floats, Floats]:
        """See :meth:`superres.backends.base.Backend.step`."""
        if len(self._inputs) != 2:
            raise InferenceError("this network is none of video: use run")
        if state is None:
            state = np.zeros((len(frames), self._inputs[1].shape[1], *frames.shape[2:]), np.float32)
        large, following = self._infer(frames, state)
        return large, following

    def _infer(self, *batches: Floats) -> list[Floats]:
        """All outputs."""
        if self._session is None:
            raise InferenceError("the backend is closed: open it again")
        named = {entry.name: np.ascontiguousarray(batch) for entry, batch in zip(self._inputs, batches, strict=True)}
        try:
            results = self._session.run(None, named)
        except Exception as error:  # its exceptions share no public base class
            if "alloc" in str(error).lower() or "out of memory" in str(error).lower():
                raise MemoryError(str(error)) from error
            raise InferenceError(f"ONNX Runtime failed: {error}") from error
        return [np.asarray(result, np.float32) for result in results]

    def run_bytes(self, batch: Bytes) -> Bytes:
        """See :meth:`superres.backends.base.Backend.run_bytes`."""
        planes = batch.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        large = np.clip(np.rint(self.run(planes) * np.float32(255)), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(large.transpose(0, 2, 3, 1))

    def close(self) -> None:
        """Free the session."""
        self._session = None
