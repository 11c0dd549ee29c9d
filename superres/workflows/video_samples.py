"""Luma samples as networks take them, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.backends.base import Floats
from superres.formats.video import VideoInfo
from superres.image import PictureInfo
from superres.refitting import resized

__all__ = ["LumaSamples", "luma_picture"]

Array = npt.NDArray[Any]


def luma_picture(info: VideoInfo) -> PictureInfo:
    """A video's luma plane as a grey picture."""
    return PictureInfo(
        height=info.height,
        width=info.width,
        colour="grey",
        dtype=info.pixels.dtype,
        sample_range=float(info.pixels.peak),
        alpha=False,
        format="video",
        lossy=not info.lossless,
    )


class LumaSamples:
    """Black goes through the networks as 0 and white as 1, whatever the range; what lies below and above stays.

    Args:
        info: of the source.
        scale: of the networks.
        size: (width, height) of the result.

    Attributes:
        exact: whether the networks give the result's size.
    """

    def __init__(self, info: VideoInfo, scale: int, size: tuple[int, int]) -> None:
        self.exact = size == (info.width * scale, info.height * scale)
        self._black, self._span = info.colours.luma_scale(info.pixels.bits)
        self._peak, self._dtype, self._size = info.pixels.peak, info.pixels.dtype, size

    def prepared(self, samples: Array) -> Floats:
        """Samples as float32."""
        values = samples.astype(np.float32)
        values -= np.float32(self._black)
        values /= np.float32(self._span)
        return values

    def finished(self, values: Floats) -> Array:
        """The networks' values as samples, rounded and clipped."""
        samples = values * np.float32(self._span)
        samples += np.float32(self._black + 0.5)
        np.floor(samples, out=samples)
        np.clip(samples, 0, self._peak, out=samples)
        return samples.astype(self._dtype)

    def fitted(self, large: Floats) -> Floats:
        """(height, width) of the networks' size -> of the result's."""
        height, width = large.shape
        strips = list(resized(iter([large[:, :, None]]), width, height, self._size, 0))
        whole: Floats = np.concatenate(strips)[:, :, 0]
        return whole
