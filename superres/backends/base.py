"""What a runtime must offer."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Backend", "Bytes", "Floats", "Precision"]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Precision = Literal["fp32", "bf16", "int8"]


class Backend(Protocol):
    """A loaded network."""

    @property
    def precision(self) -> Precision:
        """The arithmetic in use."""

    @property
    def lanes(self) -> int:
        """How many threads may call at once, each with a batch of its own: so many make best use of the machine."""

    def run(self, batch: Floats) -> Floats:
        """Enlarge a batch: float32 (N, C, H, W) in [0, 1] -> float32 (N, C, s*H, s*W), not clipped.

        The same batch gives the same bits.  Safe to call from :attr:`lanes` threads at a time.

        Raises:
            InferenceError: the runtime failed; the message carries its reason.
            MemoryError: the batch did not fit into memory; a smaller one may.
        """

    def run_bytes(self, batch: Bytes) -> Bytes:
        """Enlarge 8-bit pictures: uint8 (N, H, W, C) -> uint8 (N, s*H, s*W, C), rounded and clipped.

        Only of a backend opened with ``int8``.  Otherwise as :meth:`run`.
        """

    def step(self, frames: Floats, state: Floats | None) -> tuple[Floats, Floats]:
        """One frame of a network of video: float32 (N, 3, H, W), the previous, present and next one, in [0, 1].

        Args:
            frames: luma.
            state: float32 (N, S, H, W), what the step before gave; None for the zeros that it begins as.

        Returns:
            float32 (N, 1, s*H, s*W), not clipped, and the next state.

        Raises:
            InferenceError: also of a network that is none of video.  Otherwise as :meth:`run`.
        """

    def close(self) -> None:
        """Free the network.  May be called twice."""
