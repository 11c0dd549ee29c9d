"""Corrections of what networks made, after which the mean of every neighbourhood is the source's: pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from superres.resize import AxisResampler

__all__ = ["Reach", "consistent", "reach_of", "redistributed"]

Floats = npt.NDArray[np.float32]
Range = tuple[int, int]


@dataclass(frozen=True)
class Reach:
    """What a window of the networks' samples needs along one axis; half-open ranges.

    Attributes:
        large: the window, in the networks' samples.
        spread: around it, in the same: samples that may give what is clipped from them to ``large``.
        near: around that, in the same: what :func:`redistributed` needs.
        near_coarse: source samples that ``near`` is compared with.
        coarse: source samples that correct ``near``.
        fine: the networks' samples that make ``coarse`` again: what :func:`consistent` needs.
        radius: how far something is redistributed.
        up, down: resamplers from source samples to the networks' and back.
    """

    large: Range
    spread: Range
    near: Range
    near_coarse: Range
    coarse: Range
    fine: Range
    radius: int
    up: AxisResampler
    down: AxisResampler


def reach_of(large: Range, radius: int, up: AxisResampler, down: AxisResampler) -> Reach:
    """Worked out backwards from the window that is wanted."""
    length = up.out_length
    spread = _wider(large, radius, length)
    near_coarse = up.source_window(*spread)
    near = _union(_wider(spread, radius, length), down.source_window(*near_coarse))
    coarse = up.source_window(*near)
    fine = _union(near, down.source_window(*coarse))
    return Reach(large, spread, near, near_coarse, coarse, fine, radius, up, down)


def consistent(made: Floats, source: Floats, rows: Reach, columns: Reach) -> Floats:
    """One step of back-projection: what is missing when ``made`` is as small as the source again is added, enlarged.

    Args:
        made: (fine rows, fine columns, C), of the networks.
        source: (coarse rows, coarse columns, C).

    Returns:
        (near rows, near columns, C).

    References:
        M. Irani, S. Peleg, "Improving resolution by image registration", CVGIP 53(3), 1991.
    """
    axes = rows, columns
    smaller = _resampled(made, [(r.down, r.coarse, r.fine) for r in axes])
    missing = _resampled(source - smaller, [(r.up, r.near, r.coarse) for r in axes])
    return _part(made, [(r.near, r.fine) for r in axes]) + missing


def redistributed(values: Floats, source: Floats, rows: Reach, columns: Reach, low: float, high: float) -> Floats:
    """Clip to ``low .. high``, and give what that takes from a neighbourhood to others of its samples.

    Where a network overshoots beside saturated pixels, clipping alone would darken bright bands and brighten dark ones.
    What is missing is shared out over a radius in proportion to how far each sample is from the bound.

    Args:
        values: (near rows, near columns, C), what :func:`consistent` gave.
        source: (near coarse rows, near coarse columns, C).

    Returns:
        (large rows, large columns, C), within the bounds.
    """
    axes = rows, columns
    clipped = np.clip(values, np.float32(low), np.float32(high))
    wanted = [(r.large, r.near) for r in axes]
    if np.array_equal(clipped, values):
        return _part(clipped, wanted)
    smaller = _resampled(clipped, [(r.down, r.near_coarse, r.near) for r in axes])
    missing = _resampled(source - smaller, [(r.up, r.spread, r.near_coarse) for r in axes])
    result = _part(clipped, wanted)
    for sign, bound in ((1, high), (-1, low)):
        room = sign * (np.float32(bound) - clipped)
        around = _part(_gathered(room, rows.radius, columns.radius), [(r.spread, r.near) for r in axes])
        # Where there is no room at all nothing can be given; the smallest normal number avoids 0 / 0.
        divisor = np.maximum(around, np.finfo(np.float32).tiny)
        share = (np.maximum(sign * missing, np.float32(0)) / divisor).astype(np.float32)
        share[around <= 0] = 0
        given = _part(_gathered(share, rows.radius, columns.radius), [(r.large, r.spread) for r in axes])
        result = result + sign * _part(room, wanted) * given
    return np.clip(result, np.float32(low), np.float32(high))


def _wider(span: Range, by: int, length: int) -> Range:
    return max(0, span[0] - by), min(length, span[1] + by)


def _union(first: Range, second: Range) -> Range:
    return min(first[0], second[0]), max(first[1], second[1])


def _part(array: Floats, axes: list[tuple[Range, Range]]) -> Floats:
    """The window that is wanted of an array that covers another: per axis (wanted, covered)."""
    (rows, rows_at), (columns, columns_at) = axes
    return array[rows[0] - rows_at[0] : rows[1] - rows_at[0], columns[0] - columns_at[0] : columns[1] - columns_at[0]]


def _resampled(array: Floats, axes: list[tuple[AxisResampler, Range, Range]]) -> Floats:
    """Resample a window along both axes: per axis (matrix, wanted, covered)."""
    for axis, (matrix, wanted, covered) in enumerate(axes):
        array = matrix.apply(array, axis, start=wanted[0], stop=wanted[1], offset=covered[0])
    return array


def _gathered(array: Floats, rows: int, columns: int) -> Floats:
    """The sum over ``2 * rows + 1`` by ``2 * columns + 1`` samples around each, nothing outside the window."""
    for axis, radius in ((0, rows), (1, columns)):
        total, length = array.copy(), array.shape[axis]
        for step in range(1, min(radius, length - 1) + 1):
            ahead, behind = [slice(None)] * array.ndim, [slice(None)] * array.ndim
            ahead[axis], behind[axis] = slice(step, None), slice(0, length - step)
            total[tuple(behind)] += array[tuple(ahead)]
            total[tuple(ahead)] += array[tuple(behind)]
        array = total
    return array
