"""Self-ensemble: a network sees every batch in its eight flips and quarter turns, and the mean of its answers counts.

Timofte, Rothe, Van Gool: "Seven ways to improve example-based single image super resolution", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from superres.backends.base import Backend, Bytes, Floats, Precision
from superres.errors import InferenceError

__all__ = ["TURNS", "EnsembleBackend", "ensembled", "turned", "turned_back"]

#: Flips and quarter turns of a square.
TURNS = 8

Array = npt.NDArray[Any]


def turned(batch: Array, turn: int, axes: tuple[int, int]) -> Array:
    """One of the eight flips and quarter turns, a view.

    Args:
        batch: any samples.
        turn: 0, which leaves all as it is, to 7; from 4 on mirrored first.
        axes: of rows and columns.

    >>> turned(np.array([[1, 2], [3, 4]]), 1, (0, 1)).tolist()
    [[2, 4], [1, 3]]
    """
    return np.rot90(np.flip(batch, axes[1]) if turn >= 4 else batch, turn % 4, axes)


def turned_back(batch: Array, turn: int, axes: tuple[int, int]) -> Array:
    """The inverse of :func:`turned`, a view."""
    upright = np.rot90(batch, -(turn % 4), axes)
    return np.flip(upright, axes[1]) if turn >= 4 else upright


class EnsembleBackend:
    """A network and its self-ensemble; see :class:`superres.backends.base.Backend`.

    Args:
        inner: the network, which is closed with this.
    """

    def __init__(self, inner: Backend) -> None:
        self._inner = inner

    @property
    def precision(self) -> Precision:
        """The arithmetic in use."""
        return self._inner.precision

    @property
    def lanes(self) -> int:
        """How many threads may call at once."""
        return self._inner.lanes

    def run(self, batch: Floats) -> Floats:
        """The mean of eight runs: float32 (N, C, H, W) -> float32 (N, C, s*H, s*W)."""
        mean = _total(self._inner.run, batch, (2, 3), np.float32)
        mean /= np.float32(TURNS)
        return cast(Floats, mean)

    def run_bytes(self, batch: Bytes) -> Bytes:
        """The mean of eight runs, rounded half up: uint8 (N, H, W, C) -> uint8 (N, s*H, s*W, C)."""
        total = _total(self._inner.run_bytes, batch, (1, 2), np.uint16)
        total += TURNS // 2
        return (total // TURNS).astype(np.uint8)

    def step(self, frames: Floats, state: Floats | None) -> tuple[Floats, Floats]:
        """Always an InferenceError: eight turns of a video would need eight states."""
        raise InferenceError("a network of video has no self-ensemble: leave --ensemble out")

    def close(self) -> None:
        """Free the network."""
        self._inner.close()


def ensembled(opener: Callable[..., Backend]) -> Callable[..., Backend]:
    """What opens a network as ``opener`` does, with its self-ensemble."""

    def opened(name: str, model: bytes, *, precision: Precision = "fp32", threads: int = 0) -> Backend:
        return EnsembleBackend(opener(name, model, precision=precision, threads=threads))

    return opened


def _total(run: Callable[[Any], Array], batch: Array, axes: tuple[int, int], dtype: npt.DTypeLike) -> Array:
    """The sum of the results of all turns, turned back."""
    total = run(batch).astype(dtype)
    for turn in range(1, TURNS):
        total += turned_back(run(np.ascontiguousarray(turned(batch, turn, axes))), turn, axes)
    return total
