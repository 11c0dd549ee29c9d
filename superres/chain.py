"""Which networks make an enlargement: one for x2, x3, x4; a chain and one antialiased resize for other factors."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

import numpy as np

from superres.backends import Backend, Precision, open_backend
from superres.backends.base import Bytes, Floats
from superres.errors import InferenceError, ModelError, OptionError
from superres.zoo import Model

__all__ = ["LARGEST_SCALE", "NetworkChain", "chain_scales"]

LARGEST_SCALE = 16


def chain_scales(factor: float, available: Sequence[int]) -> tuple[int, ...]:
    """The fewest networks, and among those the smallest product, that enlarge by at least ``factor``.

    Args:
        factor: wanted enlargement, 1 to :data:`LARGEST_SCALE`.
        available: scales that a model has; x1, which only cleans, serves a factor of exactly 1 and no other.

    Returns:
        Scales in ascending order: the first networks run on fewer pixels, so the small ones go first.

    Raises:
        OptionError: a factor out of range, or one that two networks cannot reach.

    >>> chain_scales(4, [2, 3, 4]), chain_scales(6, [2, 3, 4]), chain_scales(1.5, [2, 3, 4])
    ((4,), (2, 3), (2,))
    """
    least = 1 if 1 in available else math.nextafter(1, 2)
    if not (math.isfinite(factor) and least <= factor <= LARGEST_SCALE):
        raise OptionError(f"scale {factor:g}: expected more than 1 and at most {LARGEST_SCALE}")
    if factor == 1:
        return (1,)
    # A size given in whole pixels misses an exact factor by a rounding: a part in a thousand is no reason for
    # a larger network.
    wanted = factor * 0.999
    enlarging = sorted(scale for scale in available if scale > 1)
    singles = [(a,) for a in enlarging if a >= wanted]
    pairs = [(a, b) for a in enlarging for b in enlarging if a <= b and a * b >= wanted]
    if singles:
        return singles[0]
    if pairs:
        return min(pairs, key=lambda pair: (pair[0] * pair[1], pair))
    raise OptionError(f"scale {factor:g}: the model's networks (x{', x'.join(map(str, available))}) reach less")


class NetworkChain:
    """Networks run one after the other as if they were one.

    Attributes:
        scale: product of the networks' scales.
        channels: that each network takes and gives: 3 for RGB, 1 for one-channel data.
        halo: pixels of the first network's input that a result depends on, around its own position.
        precision: arithmetic in use.
        cards: of the networks, in the order they run.

    Args:
        models: verified models, in the order they run.
        backend: name of the runtime.
        precision: arithmetic.
        threads: cores, 0 for all.
        opener: makes a backend; tests put a fake here.
    """

    def __init__(
        self,
        models: Sequence[Model],
        backend: str = "openvino",
        precision: Precision = "fp32",
        threads: int = 0,
        opener: Callable[..., Backend] = open_backend,
    ) -> None:
        self._models, self._backend_name, self._threads, self._opener = models, backend, threads, opener
        self.cards = tuple(model.card for model in models)
        self.channels = self.cards[0].channels
        if any(card.channels != self.channels for card in self.cards):
            told = ", ".join(f"{card.stem} {card.channels}" for card in self.cards)
            raise ModelError(f"models of one chain take different numbers of channels ({told}): use one family")
        self.precision: Precision = precision
        self.scale = math.prod(model.card.scale for model in models)
        self.halo = 0
        for model in reversed(models):
            self.halo = model.card.halo + math.ceil(self.halo / model.card.scale)
        self._open: dict[Precision, list[Backend]] = {}
        self._opening = threading.Lock()

    @property
    def lanes(self) -> int:
        """How many threads may run batches at once, each its own."""
        return min(backend.lanes for backend in self._backends(self.precision))

    def run(self, batch: Floats) -> Floats:
        """Enlarge a batch: float32 (N, C, H, W) -> (N, C, scale*H, scale*W), not clipped; C is ``channels``.

        A network of rows takes a border of ``halo`` for its own: (N, 1, h + 2*halo, w + 2*halo) -> (N, 1, scale*h, w).

        A result with NaN or infinity from reduced precision is computed again in float32.

        Raises:
            InferenceError: a network failed, or its float32 result is not finite.
            ModelError: a result is not of the size that the model's card states.
            MemoryError: the batch did not fit into memory.
        """
        result = self._run(batch, self.precision)
        if self.precision != "fp32" and not _finite(result):
            result = self._run(batch, "fp32")
        if not _finite(result):
            raise InferenceError("the network's result is not finite even in float32; the model file may be unsuitable")
        return result

    def run_bytes(self, batch: Bytes) -> Bytes:
        """Enlarge 8-bit pictures in int8: uint8 (N, H, W, C) -> uint8 (N, scale*H, scale*W, C), rounded and clipped.

        8-bit sums of finite weights are finite: there is nothing to compute again.

        Raises:
            InferenceError, ModelError, MemoryError: as :meth:`run`.
        """
        for backend, model in zip(self._backends("int8"), self._models, strict=True):
            large = backend.run_bytes(batch)
            _check_size(large.shape[1:3], batch.shape[1:3], model)
            batch = large
        return batch

    def step(self, frames: Floats, state: Floats | None) -> tuple[Floats, Floats]:
        """One frame of a network of video, of which there is one; see :meth:`superres.backends.Backend.step`.

        Raises:
            InferenceError: the network failed, is none of video, or its result is not finite.
            ModelError, MemoryError: as :meth:`run`.
        """
        (model,), (backend,) = self._models, self._backends(self.precision)
        large, following = backend.step(frames, state)
        _check_size(large.shape[2:], frames.shape[2:], model)
        if not _finite(large):
            raise InferenceError("the network's result is not finite; the model file may be unsuitable")
        return large, following

    def _run(self, batch: Floats, precision: Precision) -> Floats:
        for backend, model in zip(self._backends(precision), self._models, strict=True):
            large = backend.run(batch)
            _check_size(large.shape[2:], batch.shape[2:], model)
            batch = large
        return batch

    def _backends(self, precision: Precision) -> list[Backend]:
        """The networks in one arithmetic, loaded once."""
        with self._opening:
            if precision not in self._open:
                self._open[precision] = [
                    self._opener(self._backend_name, model.onnx, precision=precision, threads=self._threads)
                    for model in self._models
                ]
            return self._open[precision]

    def close(self) -> None:
        """Free the networks."""
        for backends in self._open.values():
            for backend in backends:
                backend.close()
        self._open.clear()


def _check_size(large: tuple[int, ...], small: tuple[int, ...], model: Model) -> None:
    scale, (height, width) = model.card.scale, small
    expected = (scale * height, scale * width)
    if model.card.kind == "rows":
        border = 2 * model.card.halo
        expected = (scale * (height - border), width - border)
    if large != expected:
        raise ModelError(
            f"model {model.card.stem} made {large[0]} x {large[1]} pixels of {height} x {width}, its card says "
            f"x{scale}; reinstall superres"
        )


def _finite(values: Floats) -> bool:
    """True when every value is finite; the sum is NaN or infinite otherwise, at a fraction of isfinite's cost."""
    with np.errstate(invalid="ignore"):  # infinity minus infinity, which is what is looked for
        return bool(np.isfinite(np.sum(values, dtype=np.float64)))
