"""Strips of one picture as strips of another size: a resize that holds only the rows it still needs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from superres.geometry import nearest_indices
from superres.resize import AxisResampler, axis_resampler

__all__ = ["resized"]

Floats = npt.NDArray[np.float32]


def resized(strips: Iterator[Floats], width: int, height: int, size: tuple[int, int], carried: int) -> Iterator[Floats]:
    """Strips of a ``width`` x ``height`` picture -> strips of ``size`` (width, height), antialiased bicubic.

    The last ``carried`` planes are taken from the nearest sample instead: they hold gaps, which do not mix.
    """
    across, down = axis_resampler(width, size[0]), axis_resampler(height, size[1])
    across_gap, down_gap = _nearest(width, size[0]), _nearest(height, size[1])
    held = np.empty((0, 0, 0), np.float32)
    first = done = 0
    for strip in strips:
        split = strip.shape[2] - carried
        narrow = across.apply(strip[:, :, :split], 1)
        if carried:
            narrow = np.concatenate([narrow, across_gap.apply(strip[:, :, split:], 1)], axis=2)
        held = np.concatenate([held, narrow]) if held.size else narrow
        end = first + held.shape[0]
        ready = _ready(down, done, end)
        if ready == done:
            continue
        result = down.apply(held[:, :, :split], 0, start=done, stop=ready, offset=first)
        if carried:
            gaps = down_gap.apply(held[:, :, split:], 0, start=done, stop=ready, offset=first)
            result = np.concatenate([result, gaps], axis=2)
        yield result
        done = ready
        if done < down.out_length:
            keep = int(down.indices[done:].min())
            held, first = held[keep - first :], keep


def _ready(resampler: AxisResampler, done: int, end: int) -> int:
    """One past the last output sample whose inputs all lie before ``end``."""
    last = resampler.indices[done:].max(axis=1)
    waiting = np.nonzero(last >= end)[0]
    return done + (int(waiting[0]) if waiting.size else last.size)


def _nearest(in_length: int, out_length: int) -> AxisResampler:
    """Each output sample takes the input sample that it lies in."""
    indices = nearest_indices(in_length, out_length)[:, None]
    return AxisResampler(indices, np.ones(indices.shape), in_length)
