"""Degrade a patch of a picture so that its borders have true neighbours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from superres.degrade.pictures import Bytes
from superres.errors import OptionError

__all__ = ["Degrader", "degrade_patch"]

#: (H, W, C) uint8, scale, generator -> (H/scale, W/scale, C) uint8.
Degrader = Callable[[Bytes, int, np.random.Generator], Bytes]

# Codecs work in blocks of 8 pixels, counted from the corner of what they are given.
_CODEC_BLOCK = 8


def degrade_patch(
    degrader: Degrader,
    picture: Bytes,
    scale: int,
    corner: tuple[int, int],
    size: tuple[int, int],
    random: np.random.Generator,
    margin: int = 8,
) -> Bytes:
    """The low-resolution side of one patch, made from a larger piece of the picture and cut out of it.

    The piece exceeds the patch by ``margin`` low-resolution pixels and up to 7 more, drawn, on each side: codecs'
    blocks then lie anywhere in the patch, as they do in a picture that is enlarged in tiles.  At the picture's own
    border there is no margin, as in the whole picture.

    Args:
        degrader: such as ``load_degradation("blind")``.
        picture: ground truth, uint8 (H, W, C), H and W multiples of ``scale``.
        scale: enlargement factor.
        corner: (top, left) of the patch in low-resolution pixels.
        size: (height, width) of the patch in low-resolution pixels.
        random: decides the degradation.
        margin: 8 is enough for the reach of the blind degradation's filters.

    Returns:
        uint8 (height, width, C).

    Raises:
        OptionError: a patch that is not within the picture, or a negative margin.
    """
    limits = picture.shape[0] // scale, picture.shape[1] // scale
    if margin < 0 or any(
        not 0 <= start <= start + length <= limit or length < 1
        for start, length, limit in zip(corner, size, limits, strict=True)
    ):
        raise OptionError(
            f"patch of {size[1]} x {size[0]} at ({corner[1]}, {corner[0]}) with margin {margin}: expected it within "
            f"{limits[1]} x {limits[0]} low-resolution pixels, and a margin of 0 or more"
        )
    spare = random.integers(_CODEC_BLOCK, size=2)
    first = [max(0, start - margin - int(extra)) for start, extra in zip(corner, spare, strict=True)]
    last = [
        min(limit, start + length + margin + _CODEC_BLOCK - 1 - int(extra))
        for start, length, extra, limit in zip(corner, size, spare, limits, strict=True)
    ]
    piece = picture[first[0] * scale : last[0] * scale, first[1] * scale : last[1] * scale]
    top, left = corner[0] - first[0], corner[1] - first[1]
    return degrader(piece, scale, random)[top : top + size[0], left : left + size[1]]
