"""Strong grain: what sensors give in the dark and scanners of old film, far beyond what photographs are chosen for.

A network that never saw it may answer with values that mean nothing.
"""

from __future__ import annotations

import math

import numpy as np

from superres.degrade.generated.colours import palette
from superres.degrade.generated.textures import noise_field
from superres.degrade.pictures import Floats

__all__ = ["draw"]


def draw(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """White noise over a smooth ground.  See :class:`superres.degrade.generated.Drawer`.

    Grains are 1 to 8 pixels of the result wide, so that some are left after any reduction; their standard deviation is
    0.02 to 0.4, alike in all channels or not.
    """
    ground = noise_field(height, width, random, shortest=min(height, width) / 2, longest=math.inf)
    dark, light = palette(2, random)
    canvas = dark + (light - dark) * np.clip(0.5 + 0.25 * ground, 0, 1)[..., None]
    side = unit * int(random.integers(1, 9))
    rows, columns = -(-height // side), -(-width // side)
    channels = 1 if random.random() < 0.3 else 3
    grain = random.standard_normal((rows, columns, channels), dtype=np.float32) * np.float32(random.uniform(0.02, 0.4))
    spread = grain.repeat(side, axis=0)[:height].repeat(side, axis=1)[:, :width]
    return np.asarray(np.clip(canvas + spread, 0, 1), np.float32)
