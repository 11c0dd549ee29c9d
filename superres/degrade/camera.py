"""Clips made from one picture: a camera that glides over it, and sometimes an object that moves before it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from superres.errors import OptionError

__all__ = ["Path", "draw_path", "film", "luma_of", "paste_object"]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Of clips: those that stand still, and those that move by whole pixels of the picture, which no interpolation blurs.
_STILL, _WHOLE = 0.15, 0.4
# Speed in pixels of the result per frame, its change per frame, and turns (radians) and zooms per frame.
_SPEED, _SWAY, _TURN, _ZOOM = 5.0, 0.35, 0.006, 0.006
# Pixels of the picture per pixel of the result where clips are resampled: what was interpolated looks sharp again.
_SHRINK = (1.0, 1.5)


@dataclass(frozen=True)
class Path:
    """Where a camera is in each of T frames.

    Attributes:
        shifts: float64 (T, 2), down and across, of the view's centre from the middle of the path, in pixels of the
            picture.
        angles: float64 (T), radians.
        zooms: float64 (T), pixels of the picture per pixel of the result.
        whole: whether shifts are whole numbers, angles 0 and zooms 1: then nothing is interpolated.
    """

    shifts: npt.NDArray[np.float64]
    angles: npt.NDArray[np.float64]
    zooms: npt.NDArray[np.float64]
    whole: bool


def luma_of(picture: Bytes) -> Bytes:
    """BT.601 luma in full range: uint8 (H, W, 3) -> uint8 (H, W)."""
    plane = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return (plane + np.float32(0.5)).astype(np.uint8)


def draw_path(frames: int, random: np.random.Generator) -> Path:
    """A smooth random path: a velocity that sways a little, a slow turn and a slow zoom.

    Args:
        frames: T, at least 1.
        random: decides.
    """
    kind = random.random()
    angles: npt.NDArray[np.float64] = np.zeros(frames)
    zooms: npt.NDArray[np.float64] = np.ones(frames)
    if kind < _STILL:
        return Path(np.zeros((frames, 2)), angles, zooms, whole=True)
    # Small speeds are the most frequent, as in what people film.
    speed = _SPEED * random.random() ** 2
    heading = random.uniform(0, 2 * math.pi)
    sway = random.normal(0, _SWAY * speed / _SPEED, (frames, 2)).cumsum(axis=0)
    steps = speed * np.array([math.sin(heading), math.cos(heading)]) + sway
    shifts: npt.NDArray[np.float64] = steps.cumsum(axis=0)
    shifts -= (shifts.max(axis=0) + shifts.min(axis=0)) / 2
    if kind < _STILL + _WHOLE:
        return Path(np.round(shifts), angles, zooms, whole=True)
    time = np.arange(frames) - frames / 2
    zoom = random.uniform(*_SHRINK)
    angles = np.asarray(random.uniform(-_TURN, _TURN) * time + random.uniform(-0.1, 0.1), np.float64)
    zooms = np.maximum(1, zoom * (1 + random.uniform(-_ZOOM, _ZOOM) * time))
    return Path(shifts * zoom, angles, zooms, whole=False)


def film(plane: Bytes, path: Path, size: tuple[int, int], random: np.random.Generator) -> Bytes:
    """What a camera sees of a plane: (H, W) -> (T, height, width); beyond its edges the plane is mirrored.

    Args:
        plane: uint8 (H, W).
        path: of the camera.
        size: (height, width) of the view.
        random: where in the plane the path lies.

    Raises:
        OptionError: a plane smaller than the view.
    """
    height, width = size
    if plane.shape[0] < height or plane.shape[1] < width:
        raise OptionError(f"a plane of {plane.shape[1]} x {plane.shape[0]} holds no view of {width} x {height}")
    centre = []
    for length, side, shifts in zip(plane.shape, size, path.shifts.T, strict=True):
        reach = side / 2 * float(path.zooms.max()) + float(np.abs(shifts).max())
        low, high = min(reach, length / 2), max(length - reach, length / 2)
        centre.append(random.uniform(low, high))
    if path.whole:
        tops = np.round(centre[0] - height / 2 + path.shifts[:, 0]).astype(int)
        lefts = np.round(centre[1] - width / 2 + path.shifts[:, 1]).astype(int)
        rows = _folded(tops[:, None] + np.arange(height), plane.shape[0])
        columns = _folded(lefts[:, None] + np.arange(width), plane.shape[1])
        return plane[rows[:, :, None], columns[:, None, :]]
    return _resampled(plane, path, (centre[0], centre[1]), size)


def paste_object(clip: Bytes, other: Bytes, random: np.random.Generator) -> Bytes:
    """Let a soft-edged ellipse of another plane move across a clip, by whole pixels.

    Args:
        clip: uint8 (T, H, W).
        other: uint8, more than H/6 by W/6: the object's surface.
        random: decides size, place and speed.
    """
    _, height, width = clip.shape
    high, wide = (
        int(random.integers(length // 6, min(length // 2, there)))
        for length, there in zip((height, width), other.shape, strict=True)
    )
    y, x = np.mgrid[:high, :wide]
    distance = ((y - high / 2 + 0.5) / (high / 2)) ** 2 + ((x - wide / 2 + 0.5) / (wide / 2)) ** 2
    mask = np.clip((1 - distance) * min(high, wide) / 4, 0, 1).astype(np.float32)
    top, left = (int(random.integers(a - b + 1)) for a, b in zip(other.shape, (high, wide), strict=True))
    surface = other[top : top + high, left : left + wide]
    place = np.array([random.uniform(0, height - high), random.uniform(0, width - wide)])
    velocity = random.normal(0, _SPEED / 2, 2)
    result = clip.copy()
    for number, frame in enumerate(result):
        row, column = np.round(place + number * velocity).astype(int)
        inside = np.ix_(*(_within(start, part, whole) for start, part, whole in _axes(row, column, mask, frame)))
        there = np.ix_(*(_within(start, part, whole) - start for start, part, whole in _axes(row, column, mask, frame)))
        share = mask[there]
        frame[inside] = (surface[there] * share + frame[inside] * (1 - share) + np.float32(0.5)).astype(np.uint8)
    return result


def _axes(row: int, column: int, mask: Floats, frame: Bytes) -> list[tuple[int, int, int]]:
    return [(row, mask.shape[0], frame.shape[0]), (column, mask.shape[1], frame.shape[1])]


def _within(start: int, part: int, whole: int) -> npt.NDArray[np.int64]:
    """Positions of an object that lie within the frame."""
    return np.arange(max(start, 0), max(0, min(start + part, whole)))


def _folded(positions: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    folded = np.mod(positions, 2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def _resampled(plane: Bytes, path: Path, centre: tuple[float, float], size: tuple[int, int]) -> Bytes:
    """Bicubic, frame by frame."""
    height, width = size
    y = torch.arange(height, dtype=torch.float32)[:, None] - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float32)[None, :] - (width - 1) / 2
    source = torch.from_numpy(plane).float()[None, None]
    frames = []
    for shift, angle, zoom in zip(path.shifts, path.angles, path.zooms, strict=True):
        cosine, sine = zoom * math.cos(angle), zoom * math.sin(angle)
        rows = cosine * y + sine * x + (centre[0] + shift[0] - 0.5)
        columns = -sine * y + cosine * x + (centre[1] + shift[1] - 0.5)
        # In units of the grid: -1 and 1 are the outer edges of the first and last pixel.
        grid = torch.stack([(2 * columns + 1) / plane.shape[1] - 1, (2 * rows + 1) / plane.shape[0] - 1], dim=-1)
        seen = functional.grid_sample(source, grid[None], "bicubic", "reflection", align_corners=False)
        frames.append(seen[0, 0].clamp(0, 255).add(0.5).to(torch.uint8).numpy())
    return np.stack(frames)
