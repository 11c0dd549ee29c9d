"""How far a guide is worth following: tried on the raster itself, made smaller, where its own samples are the truth.

A guide may tell everything of a band, or nothing, as the colours of a wood tell little of its near infrared; then
networks without a guide, which are larger, do better.  What both make is mixed, with the share that comes nearest to
the truth of the trial.

References:
    L. Wald, T. Ranchin, M. Mangolini, "Fusion of satellite images of different spatial resolutions: Assessing the
    quality of resulting images", PE&RS 63(6), 1997 (reduce all, and compare with what was there).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from superres.chain import NetworkChain
from superres.resize import resize
from superres.workflows.guided import sharpened

__all__ = ["SMALLEST", "Enlarge", "best_share"]

Floats = npt.NDArray[np.float32]

#: A plane (h, w), 0 to 1, and a larger (height, width) -> that, by networks without a guide.
Enlarge = Callable[[Floats, tuple[int, int]], Floats]

#: Pixels that a side of a trial's smaller plane needs, to tell anything.
SMALLEST = 12

# Shares nearer to all or nothing than this are that: the other networks then need not run.
_ALMOST = 0.05


def best_share(
    windows: Iterable[tuple[Floats, Floats]], factor: int, plain: Enlarge, chains: Sequence[NetworkChain]
) -> float | None:
    """The share of the guided result, 0 to 1, that is best by least squares.

    Args:
        windows: (plane, guide) of one size (h, w) at the plane's own resolution, normalised, the guide on its scale.
        factor: by which the plane is to be enlarged at work; here it is first made smaller by as much.
        plain: the networks without a guide.
        chains: those with one.

    Returns:
        None where no window is large enough to try.

    Raises:
        InferenceError: a network failed.
    """
    gained = changed = 0.0
    tried = False
    for plane, guide in windows:
        small = plane.shape[0] // factor, plane.shape[1] // factor
        if min(small) < SMALLEST:
            continue
        tried = True
        size = small[0] * factor, small[1] * factor
        truth, sharp = plane[: size[0], : size[1]], guide[: size[0], : size[1]]
        low = np.clip(resize(truth, small), 0, 1)
        without, made = plain(low, size), sharpened(low, sharp, chains)
        guided = made if made.shape == size else resize(made, size)
        border = 2 * factor
        inner = slice(border, -border), slice(border, -border)
        change = (guided - without)[inner].astype(np.float64)
        gained += float(((truth - without)[inner] * change).sum())
        changed += float((change * change).sum())
    if not tried:
        return None
    share = min(max(gained / changed, 0.0), 1.0) if changed > 0 else 0.0
    return 0.0 if share < _ALMOST else 1.0 if share > 1 - _ALMOST else share
