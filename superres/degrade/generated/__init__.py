"""Generated training pictures: what photographs have too little of.

Text, line art, textures, dead leaves and grain, drawn several times too large and reduced by area, so that edges are
as soft as a sensor's.  A kind is one file here and one line in :data:`GENERATORS`; its function draws float32 (H, W, 3)
in [0, 1], given the height, the width, how many of its pixels make one of the result (``unit``), and a generator.
"""

from __future__ import annotations

import importlib
from typing import Protocol

import numpy as np
import numpy.typing as npt

from superres.degrade.pictures import Bytes, Floats
from superres.errors import OptionError, near_match

__all__ = ["GENERATORS", "Drawer", "generate"]

#: Kind -> "module:function", imported only when asked for.
GENERATORS: dict[str, str] = {
    "grain": "superres.degrade.generated.grain:draw",
    "leaves": "superres.degrade.generated.leaves:draw",
    "lines": "superres.degrade.generated.lines:draw",
    "text": "superres.degrade.generated.text:draw",
    "textures": "superres.degrade.generated.textures:draw",
}


class Drawer(Protocol):
    """Draws a picture at ``unit`` times its final resolution."""

    def __call__(self, height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
        """Float32 (height, width, 3) in [0, 1]."""


def generate(
    kind: str, size: tuple[int, int], random: np.random.Generator, *, oversampling: int = 3
) -> npt.NDArray[np.uint8]:
    """Draw one picture.

    Args:
        kind: a key of :data:`GENERATORS`.
        size: (height, width), at least 16 each.
        random: decides everything.  Text depends on the fonts that are installed too.
        oversampling: how much larger it is drawn, 2 to 4.

    Returns:
        uint8 (H, W, 3).

    Raises:
        OptionError: an unknown kind (the nearest is named), a size or oversampling out of range, or text on a machine
            without fonts.
    """
    if kind not in GENERATORS:
        raise OptionError(
            f"generated picture {kind!r} is unknown: expected one of {sorted(GENERATORS)}{near_match(kind, GENERATORS)}"
        )
    height, width = size
    if min(size) < 16 or not 2 <= oversampling <= 4:
        raise OptionError(
            f"generated picture of {width} x {height} pixels, drawn {oversampling} times as large: expected at least "
            "16 x 16, and 2 to 4"
        )
    module, _, attribute = GENERATORS[kind].partition(":")
    draw: Drawer = getattr(importlib.import_module(module), attribute)
    return _reduced(draw(height * oversampling, width * oversampling, oversampling, random), oversampling)


def _reduced(drawn: Floats, factor: int) -> Bytes:
    """The mean of every ``factor`` x ``factor`` pixels, as bytes."""
    height, width, channels = drawn.shape
    blocks = drawn.reshape(height // factor, factor, width // factor, factor, channels)
    mean = np.clip(blocks.mean(axis=(1, 3)), 0, 1)
    return np.asarray(mean * np.float32(255) + np.float32(0.5)).astype(np.uint8)
