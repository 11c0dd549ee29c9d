"""Everyday degradation: half of the pictures as :mod:`superres.degrade.blind` leaves them, half hardly degraded.

What cameras and web pages hold today is mostly sharp or nearly so, with little noise, and compressed well.  A network
that sees blind degradations alone takes every picture for a soft one: on sharp pictures in JPEG of quality 92 it is
1 dB behind one for clean pictures.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from superres.degrade import blind
from superres.degrade.blind import BlindOptions, degrade_blind, draw_steps
from superres.degrade.pictures import Bytes
from superres.degrade.steps import Step

__all__ = ["SLIGHT", "degrade", "drawn"]

#: Share of the pictures that are hardly degraded.
SLIGHT = 0.5


def degrade(picture: Bytes, scale: int, random: np.random.Generator) -> Bytes:
    """Degrade one picture, much or little; arguments, result and errors as of :func:`degrade_blind`."""
    return degrade_blind(picture, scale, random, _options(random))


def drawn(random: np.random.Generator) -> tuple[Step, ...]:
    """What :func:`degrade` does by the same generator."""
    return draw_steps(random, _options(random))


def _options(random: np.random.Generator) -> BlindOptions:
    return _slight() if random.random() < SLIGHT else blind.defaults()


@cache
def _slight() -> BlindOptions:
    return BlindOptions(
        blur=(0.0, 0.7),
        blur_probability=0.4,
        resize_kinds={"bicubic": 0.7, "bilinear": 0.15, "area": 0.15},
        noise=(0.0, 5.0),
        noise_probability=0.5,
        quality=(70, 98),
        ringing_probability=0.05,
        second_probability=0.1,
    )
