"""The published protocol's degradation: MATLAB ``imresize`` bicubic with antialiasing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.resize import resize

__all__ = ["degrade"]


def degrade(picture: npt.NDArray[Any], scale: int, random: np.random.Generator | None = None) -> npt.NDArray[Any]:
    """(H, W, C) uint8 -> (H/scale, W/scale, C) uint8; H and W are multiples of ``scale``.  Nothing is drawn."""
    return resize(picture, scale=1 / scale)
