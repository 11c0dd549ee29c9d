"""What every step takes and gives: one picture or a batch, uint8 or float32, and the way between the two."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError

__all__ = ["Bytes", "Floats", "Pictures", "check_pictures", "check_sigma", "like", "to_float"]

#: (H, W, C) or (N, H, W, C); uint8 in 0 .. 255, or float32 in [0, 1].
Pictures = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def check_pictures(pictures: Pictures) -> None:
    """Refuse what is neither a picture nor a batch of them.

    Raises:
        OptionError: other than uint8 or float32, other than three or four axes, or without a pixel.
    """
    if pictures.dtype not in (np.uint8, np.float32) or pictures.ndim not in (3, 4) or pictures.size == 0:
        raise OptionError(
            f"cannot degrade an array {pictures.dtype} {pictures.shape}: expected (H, W, C) or (N, H, W, C), "
            "uint8, or float32 in [0, 1]"
        )


def check_sigma(name: str, sigma: float) -> None:
    """Refuse a strength that is negative or no number.  Raises OptionError."""
    if not 0 <= sigma < float("inf"):
        raise OptionError(f"{name} {sigma}: expected 0 or more")


def to_float(pictures: Pictures) -> Floats:
    """Float32 in [0, 1], of the same shape; float32 comes back as it is, not copied.  Raises OptionError."""
    check_pictures(pictures)
    if pictures.dtype == np.float32:
        return pictures
    return np.multiply(pictures, np.float32(1 / 255), dtype=np.float32)


def like(values: Floats, pictures: Pictures) -> Pictures:
    """``values`` in the dtype of ``pictures``, clipped to its range; uint8 is rounded half up."""
    if pictures.dtype == np.float32:
        return np.clip(values, 0, 1)
    return (np.clip(values, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
