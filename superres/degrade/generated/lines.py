"""Line art: lines, circles, curves, hatching and flat shapes of any stroke width."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from superres.degrade.generated.colours import blend, ink_and_paper, palette
from superres.degrade.pictures import Floats

__all__ = ["draw"]

Points = npt.NDArray[np.float64]


def draw(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """A sheet of strokes and filled shapes.  See :class:`superres.degrade.generated.Drawer`."""
    ink, paper = ink_and_paper(random)
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = paper
    colours = palette(6, random)
    coloured = random.random() < 0.5
    # As many strokes as fill a sheet of any size alike: one to three for each 64 x 64 pixels of the result, and a few.
    count = int(8 + random.uniform(1, 3) * height * width / (64 * unit) ** 2)
    for _ in range(count):
        colour = colours[int(random.integers(len(colours)))] if coloured and random.random() < 0.5 else ink
        thickness = unit * math.exp(random.uniform(math.log(0.6), math.log(6.0)))
        outlines = _FIGURES[int(random.integers(len(_FIGURES)))](height, width, unit, random)
        if len(outlines) == 1 and np.array_equal(outlines[0][0], outlines[0][-1]) and random.random() < 0.4:
            _fill(canvas, outlines[0], colours[int(random.integers(len(colours)))])
        if len(outlines) > 1:  # rings and hatching stay apart
            thickness = min(thickness, 0.6 * float(np.hypot(*(outlines[1][0] - outlines[0][0]))))
        for outline in outlines:
            _stroke(canvas, outline, thickness, colour)
    return canvas


def _line(height: int, width: int, unit: int, random: np.random.Generator) -> list[Points]:
    ends = random.uniform(-0.1, 1.1, (2, 2)) * (height, width)
    if random.random() < 0.3:  # upright or level, as in drawings of buildings
        axis = int(random.integers(2))
        ends[1, axis] = ends[0, axis]
    return [ends]


def _polygon(height: int, width: int, unit: int, random: np.random.Generator) -> list[Points]:
    centre, radius = _place(height, width, unit, random)
    corners = int(random.integers(3, 9))
    turns = np.sort(random.uniform(0, 2 * math.pi, corners))
    points = centre + radius * np.stack([np.sin(turns), np.cos(turns)], 1)
    return [np.concatenate([points, points[:1]])]


def _rectangle(height: int, width: int, unit: int, random: np.random.Generator) -> list[Points]:
    centre, radius = _place(height, width, unit, random)
    reach = radius * random.uniform(0.3, 1.0, 2)
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1], [-1, -1]]) * reach
    return [centre + corners @ _turn(0.0 if random.random() < 0.5 else random.uniform(0, math.pi))]


def _ellipse(height: int, width: int, unit: int, random: np.random.Generator) -> list[Points]:
    """A circle, ellipse, or arc of one; sometimes rings about one centre."""
    centre, radius = _place(height, width, unit, random)
    whole = random.random() < 0.7
    turns = np.linspace(0, 2 * math.pi if whole else random.uniform(1, 5), max(24, int(radius / unit)))
    if whole:
        turns[-1] = turns[0]
    squeeze = 1.0 if random.random() < 0.5 else random.uniform(0.3, 1.0)
    points = np.stack([np.sin(turns), squeeze * np.cos(turns)], 1) @ _turn(random.uniform(0, math.pi))
    rings = int(random.integers(2, 7)) if random.random() < 0.25 else 1
    return [centre + radius * (ring + 1) / rings * points for ring in range(rings)]


def _curve(height: int, width: int, unit: int, random: np.random.Generator) -> list[Points]:
    """A cubic Bezier curve."""
    centre, radius = _place(height, width, unit, random)
    controls = centre + random.normal(0, radius, (4, 2))
    t = np.linspace(0, 1, 40)[:, None]
    weights = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], 1)
    return [weights @ controls]


def _hatching(height: int, width: int, unit: int, random: np.random.Generator) -> list[Points]:
    """Parallel lines, close together."""
    centre, radius = _place(height, width, unit, random)
    step = unit * math.exp(random.uniform(math.log(2.5), math.log(16)))
    offsets = np.arange(-radius, radius, step)[:64]
    turn = _turn(random.uniform(0, math.pi))
    reach = radius * random.uniform(0.3, 1.0)
    return [centre + np.array([[offset, -reach], [offset, reach]]) @ turn for offset in offsets]


_FIGURES = (_line, _polygon, _rectangle, _ellipse, _curve, _hatching)


def _place(height: int, width: int, unit: int, random: np.random.Generator) -> tuple[Points, float]:
    """Where a figure lies, and how far it reaches: from 4 pixels of the result to half the sheet."""
    most = max(8.0 * unit, min(height, width) / 2)
    radius = math.exp(random.uniform(math.log(4.0 * unit), math.log(most)))
    return random.random(2) * (height, width), radius


def _turn(angle: float) -> Points:
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _stroke(canvas: Floats, points: Points, thickness: float, colour: Floats) -> None:
    """Everything within half a thickness of the line through the points (rows, columns)."""
    box = _box(canvas.shape, points, thickness / 2 + 1)
    if box is None:
        return
    # Pieces of one stroke overlap: their covers are joined before the stroke is laid down once.
    cover = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), np.float32)
    points = points - (box[0].start, box[1].start)
    for start, end in pairwise(points):
        # Short pieces have small boxes: a long diagonal would otherwise visit the whole sheet.
        pieces = max(1, math.ceil(float(np.abs(end - start).max()) / 96))
        for piece in range(pieces):
            first = start + (end - start) * (piece / pieces)
            _capsule(cover, first, start + (end - start) * ((piece + 1) / pieces), thickness / 2)
    blend(canvas[box], colour, cover)


def _capsule(cover: Floats, start: Points, end: Points, half: float) -> None:
    """Everything within ``half`` of the straight line between two points, with a rim of one sample."""
    box = _box(cover.shape, np.stack([start, end]), half + 1)
    if box is None:
        return
    y = (np.arange(box[0].start, box[0].stop) - start[0])[:, None]
    x = np.arange(box[1].start, box[1].stop) - start[1]
    along = end - start
    part = np.clip((y * along[0] + x * along[1]) / max(float(along @ along), 1e-9), 0, 1)
    distance = np.hypot(y - part * along[0], x - part * along[1])
    np.maximum(cover[box], np.clip(half + 0.5 - distance, 0, 1), out=cover[box], casting="same_kind")


def _fill(canvas: Floats, points: Points, colour: Floats) -> None:
    """Everything inside a closed line, by the even-odd rule."""
    box = _box(canvas.shape, points, 0)
    if box is None:
        return
    y = np.arange(box[0].start, box[0].stop)[:, None]
    x = np.arange(box[1].start, box[1].stop)
    inside = np.zeros((y.shape[0], x.shape[0]), bool)
    for (y0, x0), (y1, x1) in pairwise(points):
        if y0 != y1:  # a level edge crosses no level ray
            crossing = (y0 <= y) != (y1 <= y)
            inside ^= crossing & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    canvas[box][inside] = colour


def _box(shape: tuple[int, ...], points: Points, reach: float) -> tuple[slice, slice] | None:
    """The part of a sheet that points and their surroundings lie in; None when they lie outside."""
    low = np.maximum(np.floor(points.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + reach) + 1, shape[:2]).astype(int)
    return None if (low >= high).any() else (slice(low[0], high[0]), slice(low[1], high[1]))
