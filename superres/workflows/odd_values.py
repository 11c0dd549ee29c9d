"""Odd values go past the networks: interpolated linearly, they spoil nothing but their place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from superres.ranges import split
from superres.resize import resize

__all__ = ["past_networks"]

Floats = npt.NDArray[np.float32]


def past_networks(plane: Floats, enlarge: Callable[[Floats], Floats]) -> Floats:
    """A plane by ``enlarge``, which is shown no odd values; see :func:`superres.ranges.split`.

    Args:
        plane: float32 (h, w) or (h, w, C), 0 to 1 for the usual range.
        enlarge: makes a larger one of as many axes; gaps (NaN, infinity) are its own affair.
    """
    inside, beyond = split(plane)
    large = enlarge(inside)
    if beyond is None:
        return large
    made: Floats = large + resize(beyond, (large.shape[0], large.shape[1]), kernel="bilinear").reshape(large.shape)
    return made
