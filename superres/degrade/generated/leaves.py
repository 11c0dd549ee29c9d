"""Dead leaves: overlapping shapes whose sizes follow a power law, as things at all distances do.

References:
    A. B. Lee, D. Mumford, J. Huang, "Occlusion Models for Natural Images: A Statistical Study of a Scale-Invariant
    Dead Leaves Model", IJCV 41, 2001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from superres.degrade.generated.colours import palette
from superres.degrade.generated.textures import noise_field
from superres.degrade.pictures import Floats

__all__ = ["draw"]

# How often the leaves' total area covers the picture: what shows of the ground is then e^-4, under 2 %.
_LAYERS = 4

# How much longer than wide a leaf may be, and how far, in radii, its farthest corner then lies.
_STRETCH, _REACH = 2.5, 2.5 * 1.42


def draw(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """A heap of discs, ellipses and polygons.  See :class:`superres.degrade.generated.Drawer`."""
    smallest = unit * random.uniform(1.0, 4.0)
    largest = max(2 * smallest, random.uniform(0.1, 0.3) * min(height, width))
    colours = palette(int(random.integers(8, 64)), random)
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = colours[0]
    grain = _grain(height, width, unit, random)
    # Density r^-3 between the two radii; its mean square decides how many leaves make a layer.
    mean_square = 2 * math.log(largest / smallest) / (smallest**-2 - largest**-2)
    count = math.ceil(_LAYERS * (height + 2 * largest) * (width + 2 * largest) / (math.pi * mean_square))
    radii = (smallest**-2 - random.random(count) * (smallest**-2 - largest**-2)) ** -0.5
    centres = random.random((count, 2)) * (height + 2 * largest, width + 2 * largest) - largest
    picked = random.integers(len(colours), size=count)
    near = np.all((centres > -_REACH * radii[:, None]) & (centres < (height, width) + _REACH * radii[:, None]), axis=1)
    # From the top of the heap down: what is covered already, most of it, need not be drawn.
    covered = np.zeros((height, width), bool)
    for index in np.flatnonzero(near):
        row, column = centres[index]
        leaf = _Leaf(float(radii[index]), float(row), float(column), colours[picked[index]])
        _paint(canvas, covered, grain, leaf, random)
    return np.clip(canvas, 0, 1)


def _grain(height: int, width: int, unit: int, random: np.random.Generator) -> list[Floats]:
    """Fields that leaves take their texture from: fine, coarse, and streaks."""
    fine = noise_field(height, width, random, shortest=2 * unit, longest=12 * unit, slope=0.5)
    coarse = noise_field(height, width, random, shortest=2 * unit, longest=math.inf, slope=1.2)
    # Noise drawn narrow and repeated is grain along the rows, like wood's.
    streaks = noise_field(height, max(16, width // 12), random, shortest=2 * unit, longest=math.inf, slope=0.6)
    return [fine, coarse, np.repeat(streaks, width // streaks.shape[1] + 1, axis=1)[:, :width]]


@dataclass(frozen=True)
class _Leaf:
    """Where it lies, how large it is, in samples, and its colour."""

    radius: float
    row: float
    column: float
    colour: Floats


def _paint(
    canvas: Floats, covered: npt.NDArray[np.bool_], grain: list[Floats], leaf: _Leaf, random: np.random.Generator
) -> None:
    """Draw what shows of one leaf below those that were drawn before."""
    stretch = random.uniform(1.0, _STRETCH) if random.random() < 0.6 else 1.0
    reach = leaf.radius * _REACH / _STRETCH * stretch
    (top, bottom), (left, right) = (
        (max(0, int(centre - reach)), max(0, min(length, int(centre + reach) + 2)))
        for centre, length in ((leaf.row, canvas.shape[0]), (leaf.column, canvas.shape[1]))
    )
    hidden = covered[top:bottom, left:right]
    if hidden.all():  # also when nothing of it is on the sheet
        return
    y = (np.arange(top, bottom, dtype=np.float32) - np.float32(leaf.row))[:, None] / np.float32(leaf.radius)
    x = (np.arange(left, right, dtype=np.float32) - np.float32(leaf.column)) / np.float32(leaf.radius)
    inside = _inside(y, x, stretch, random) & ~hidden
    hidden |= inside
    paint = leaf.colour + np.zeros((*inside.shape, 1), np.float32)
    if random.random() < 0.5:  # light from one side
        slope = random.normal(0, 0.12, 2).astype(np.float32)
        paint = paint * (1 + slope[0] * y + slope[1] * x)[..., None]
    if random.random() < 0.6:
        field = grain[int(random.integers(len(grain)))][top:bottom, left:right]
        paint = paint * (1 + np.float32(random.uniform(0.02, 0.25)) * field)[..., None]
    np.copyto(canvas[top:bottom, left:right], paint, where=inside[..., None])


def _inside(y: Floats, x: Floats, stretch: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where the leaf is: an ellipse or a convex polygon around the origin, of radius 1, stretched and turned."""
    angle = random.uniform(0, math.pi)
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    u, v = (x * cosine + y * sine) / np.float32(stretch), y * cosine - x * sine
    if random.random() < 0.5:
        return np.asarray(u * u + v * v <= 1)
    # A polygon is what lies on the inner side of every edge; edges that leave no gap above a third of the circle
    # keep the corners within twice the radius.
    edges = int(random.integers(3, 8))
    turns = (np.arange(edges) + random.uniform(-0.25, 0.25, edges)) * (2 * math.pi / edges)
    inside = np.ones(u.shape, bool)
    for turn in turns:
        inside &= u * np.float32(math.cos(turn)) + v * np.float32(math.sin(turn)) <= 0.75
    return inside
