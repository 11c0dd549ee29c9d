"""Runtimes for networks.  A backend is one file here and one line in :data:`BACKENDS`."""

from __future__ import annotations

import importlib

from superres.backends.base import Backend, Precision
from superres.errors import OptionError, near_match

__all__ = ["BACKENDS", "Backend", "Precision", "open_backend"]

#: Name -> "module:class", imported only when asked for.
BACKENDS: dict[str, str] = {
    "openvino": "superres.backends.openvino:OpenVinoBackend",
    "onnxruntime": "superres.backends.onnxruntime:OnnxRuntimeBackend",
}


def open_backend(name: str, model: bytes, *, precision: Precision = "fp32", threads: int = 0) -> Backend:
    """Load a model into a runtime.

    Args:
        name: a key of :data:`BACKENDS`.
        model: ONNX file contents.
        precision: arithmetic; ``bf16`` where the processor has it, ``int8`` of a model file with 8-bit weights.
        threads: cores to use, 0 for all.

    Raises:
        OptionError: an unknown backend, a negative thread count, or a precision that the backend cannot run.
        ModelError: the model cannot be loaded.
        MissingExtraError: the runtime is not installed.
    """
    if name not in BACKENDS:
        hint = near_match(name, BACKENDS)
        raise OptionError(f"backend {name!r} is unknown: expected one of {sorted(BACKENDS)}{hint}")
    if precision not in ("fp32", "bf16", "int8"):
        raise OptionError(f"precision {precision!r} is unknown: expected fp32, bf16 or int8")
    if threads < 0:
        raise OptionError(f"threads = {threads}: expected 0 (all cores) or more")
    module, _, attribute = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)(model, precision, threads)
    return backend
