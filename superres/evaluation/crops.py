"""Small cut-outs to look at: of each picture the region on which the methods differ most."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.evaluation.enlargers import BICUBIC, bicubic_enlarger
from superres.evaluation.sets import GroundTruth

__all__ = ["CropCollector", "PictureCrops", "differing_window"]

Bytes = npt.NDArray[np.uint8]

#: Side of a crop in pixels, and how many pictures of a set are shown: a report stays a few megabytes.
_SIDE, _PICTURES = 128, 24


@dataclass(frozen=True)
class PictureCrops:
    """The same region of one picture from every method.

    Attributes:
        file: name of the picture.
        left, top, width, height: of the region in the ground truth, in pixels.
        shown: label -> lossless WebP file, bicubic first and the ground truth last.
    """

    file: str
    left: int
    top: int
    width: int
    height: int
    shown: Mapping[str, bytes]


class CropCollector:
    """Gathers crops picture by picture and keeps those on which the methods differ most.

    Args:
        scale: enlargement factor, for the bicubic crop that is always shown.
        pictures: how many are kept.
    """

    def __init__(self, scale: int, pictures: int = _PICTURES) -> None:
        self._bicubic = bicubic_enlarger(scale)
        self._limit = pictures
        self._count = 0
        # (how much they differ, minus the place in the set, crops): the least is dropped first.
        self._kept: list[tuple[float, int, PictureCrops]] = []

    def add(self, picture: GroundTruth, results: Mapping[str, Bytes]) -> None:
        """Take the crops of one picture; ``results`` are what the methods made of it."""
        shown = {BICUBIC: results.get(BICUBIC), **results, "ground truth": picture.high}
        if shown[BICUBIC] is None:
            shown[BICUBIC] = self._bicubic(picture.low)
        pictures = {label: samples for label, samples in shown.items() if samples is not None}
        height, width = (min(_SIDE, length) for length in picture.high.shape[:2])
        top, left, difference = differing_window(list(pictures.values()), height, width)
        region = np.s_[top : top + height, left : left + width]
        crops = PictureCrops(
            picture.file, left, top, width, height, {label: _webp(p[region]) for label, p in pictures.items()}
        )
        heapq.heappush(self._kept, (difference, -self._count, crops))
        self._count += 1
        if len(self._kept) > self._limit:
            heapq.heappop(self._kept)

    def chosen(self) -> list[PictureCrops]:
        """What was kept, in the order of the set."""
        return [crops for _, _, crops in sorted(self._kept, key=lambda entry: -entry[1])]


def differing_window(pictures: list[Bytes], height: int, width: int) -> tuple[int, int, float]:
    """Where pictures differ most: the window with the largest sum of the spread of their green samples.

    Args:
        pictures: uint8 (H, W, 3) of one shape; at least one.
        height, width: of the window, at most the pictures'.

    Returns:
        top, left, and the mean spread in the window, 0 to 255.

    Raises:
        OptionError: a window that is empty or larger than the pictures.
    """
    rows, columns = pictures[0].shape[:2]
    if not (0 < height <= rows and 0 < width <= columns):
        raise OptionError(f"a window of {width} x {height} does not lie in a picture of {columns} x {rows}")
    lowest, highest = pictures[0][:, :, 1], pictures[0][:, :, 1]
    for picture in pictures[1:]:
        lowest, highest = np.minimum(lowest, picture[:, :, 1]), np.maximum(highest, picture[:, :, 1])
    total = np.zeros((rows + 1, columns + 1), np.int64)
    total[1:, 1:] = (highest - lowest).astype(np.int64).cumsum(axis=0).cumsum(axis=1)
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    top, left = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return int(top), int(left), float(sums[top, left]) / (height * width)


def _webp(samples: Bytes) -> bytes:
    """A lossless WebP file of uint8 (H, W, 3): smaller than PNG, and browsers show it."""
    from superres.formats.vips import vips

    picture: Any = vips().Image.new_from_array(np.ascontiguousarray(samples), interpretation="srgb")
    return bytes(picture.webpsave_buffer(lossless=True, keep="none"))
