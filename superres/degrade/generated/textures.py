"""Textures: band-limited noise, gratings, chirps, checkers, weaves, bricks and dots, alone or side by side."""

from __future__ import annotations

import math

import numpy as np

from superres.degrade.generated.colours import blend, palette
from superres.degrade.pictures import Floats

__all__ = ["draw", "noise_field"]


def draw(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """One to four textures, divided by smooth curves.  See :class:`superres.degrade.generated.Drawer`."""
    canvas = _coloured(height, width, unit, random)
    for _ in range(int(random.integers(4))):
        border = noise_field(height, width, random, shortest=min(height, width) / 3, longest=math.inf)
        # A level of the smooth field: the border is sharp at this size, one sample wide.
        blend(canvas, _coloured(height, width, unit, random), (border > random.uniform(-0.7, 0.7)).astype(np.float32))
    return canvas


def noise_field(
    height: int, width: int, random: np.random.Generator, *, shortest: float, longest: float, slope: float = 1.0
) -> Floats:
    """Gaussian noise of limited band, mean 0 and variance 1, float32 (height, width).

    Args:
        height, width: in samples.
        random: where it comes from.
        shortest, longest: wavelengths that it holds, in samples.
        slope: amplitude falls with frequency to this power: 0 white, 1 as in photographs.
    """
    # A torus somewhat larger than the picture, so that opposite borders are no neighbours.
    tall, wide = (length + min(length // 4, 256) for length in (height, width))
    frequency = np.hypot(np.fft.fftfreq(tall)[:, None], np.fft.rfftfreq(wide)[None]).astype(np.float32)
    frequency[0, 0] = 1.0
    band = (frequency <= 1 / shortest) & (frequency >= (1 / longest if longest < math.inf else 0))
    band[0, 0] = False
    if not band.any():  # a band between two frequencies of a small picture
        band.flat[np.argmin(np.abs(frequency - 1 / shortest))] = True
    spectrum = np.fft.rfft2(random.standard_normal((tall, wide), dtype=np.float32)) * (band / frequency**slope)
    field = np.fft.irfft2(spectrum, (tall, wide))[:height, :width].astype(np.float32)
    return np.asarray((field - field.mean()) / (field.std() + np.float32(1e-6)))


def _coloured(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """One pattern between two colours, under uneven light."""
    kinds = (_noise, _grating, _chirp, _checkers, _weave, _bricks, _dots)
    pattern = kinds[int(random.integers(len(kinds)))](height, width, unit, random)
    dark, light = palette(2, random)
    shade = 1 + np.float32(random.uniform(0, 0.15)) * noise_field(
        height, width, random, shortest=min(height, width) / 2, longest=math.inf
    )
    coloured = dark + (light - dark) * pattern[..., None]
    return np.asarray(np.clip(coloured * shade[..., None], 0, 1))


def _axes(height: int, width: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Two perpendicular coordinates in samples: along the borders a third of the time, otherwise turned and bent."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y + np.float32(random.uniform(0, 1000)), x + np.float32(random.uniform(0, 1000))
    if random.random() < 1 / 3:
        return y, x
    angle = random.uniform(0, math.pi)
    bend = random.uniform(0, 0.02) * min(height, width)
    fields = [noise_field(height, width, random, shortest=min(height, width) / 2, longest=math.inf) for _ in range(2)]
    u = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle)) + np.float32(bend) * fields[0]
    v = y * np.float32(math.cos(angle)) - x * np.float32(math.sin(angle)) + np.float32(bend) * fields[1]
    return u, v


def _period(unit: int, random: np.random.Generator, shortest: float = 2.2, longest: float = 32.0) -> float:
    """In samples, drawn evenly on a logarithmic scale of pixels of the result."""
    return unit * math.exp(random.uniform(math.log(shortest), math.log(longest)))


def _noise(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    shortest = _period(unit, random, 2.0, 8.0)
    longest = math.inf if random.random() < 0.5 else shortest * random.uniform(1.5, 8)
    field = noise_field(height, width, random, shortest=shortest, longest=longest, slope=random.uniform(0, 1.5))
    return 0.5 + np.float32(0.25) * field


def _grating(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    wave = np.sin(_axes(height, width, random)[0] * np.float32(2 * math.pi / _period(unit, random)))
    return _hardened(wave, random)


def _chirp(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """Rings that grow finer outwards, to 2 pixels of the result at the farthest corner."""
    centre = random.uniform(-0.2, 1.2, 2) * (height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    square = (y - np.float32(centre[0])) ** 2 + (x - np.float32(centre[1])) ** 2
    finest = np.float32(math.pi / (2 * unit * random.uniform(1, 4)) / math.sqrt(float(square.max())))
    return _hardened(np.cos(square * finest), random)


def _checkers(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    u, v = _axes(height, width, random)
    period = np.float32(_period(unit, random, 4.0, 48.0))
    return np.asarray((np.floor(u * 2 / period) + np.floor(v * 2 / period)) % 2, np.float32)


def _weave(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """Threads over and under each other, rounded, with a little of their own grain."""
    u, v = _axes(height, width, random)
    period = np.float32(_period(unit, random, 3.0, 16.0))
    over = (np.floor(u / period) + np.floor(v / period)) % 2
    along = np.where(over == 1, u, v) / period % 1
    across = np.where(over == 1, v, u) / period % 1
    shape = np.sin(across * np.float32(math.pi)) * (0.6 + 0.4 * np.sin(along * np.float32(math.pi)))
    grain = noise_field(height, width, random, shortest=2 * unit, longest=8 * unit, slope=0)
    tint = np.where(over == 1, np.float32(random.uniform(0.5, 1)), np.float32(1))
    return np.clip(shape * tint + np.float32(random.uniform(0, 0.08)) * grain, 0, 1)


def _bricks(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """Courses of bricks of different brightness, with joints."""
    u, v = _axes(height, width, random)
    tall = _period(unit, random, 5.0, 24.0)
    wide = tall * random.uniform(1.5, 3.5)
    course = np.floor(u / np.float32(tall))
    along = v / np.float32(wide) + 0.5 * (course % 2)
    brick = np.floor(along)
    # A hash of the brick's place gives it a brightness of its own.
    tone = np.sin(course * np.float32(12.9898) + brick * np.float32(78.233)) * np.float32(43.758) % 1
    joint = random.uniform(0.08, 0.2) * tall
    inside = (u % np.float32(tall) > joint) & ((along - brick) * np.float32(wide) > joint)
    grain = noise_field(height, width, random, shortest=2 * unit, longest=math.inf, slope=0.8)
    return np.where(inside, 0.45 + 0.4 * tone + 0.06 * grain, np.float32(0.15) + 0.03 * grain).astype(np.float32)


def _dots(height: int, width: int, unit: int, random: np.random.Generator) -> Floats:
    """A halftone: dots on a grid, as large as a smooth picture is bright."""
    u, v = _axes(height, width, random)
    period = np.float32(_period(unit, random, 3.0, 12.0))
    tone = noise_field(height, width, random, shortest=min(height, width) / 3, longest=math.inf)
    wave = np.cos(u * (2 * math.pi / period)) + np.cos(v * (2 * math.pi / period))
    return np.asarray(wave > tone, np.float32)


def _hardened(wave: Floats, random: np.random.Generator) -> Floats:
    """A wave in [-1, 1] as it is, or steeper up to a square one; in [0, 1]."""
    gain = np.float32(math.exp(random.uniform(0, 4)) if random.random() < 0.7 else 1.0)
    return np.asarray(np.clip(wave * gain, -1, 1) * np.float32(0.5) + np.float32(0.5))
