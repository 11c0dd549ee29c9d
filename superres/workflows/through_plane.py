"""One axis of a volume enlarged: thick slices brought nearer to each other, by networks that see planes across them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from superres.chain import LARGEST_SCALE
from superres.geometry import nearest_indices, scaled_length
from superres.planes import filled
from superres.resize import axis_resampler

__all__ = [
    "Enlarge",
    "MakeNetwork",
    "PlaneNetwork",
    "crossing_axes",
    "cubic_network",
    "enlarge_axis",
    "nearer_means",
    "shipped_network",
]

Floats = npt.NDArray[np.float32]

#: A picture (h, w) float32, values around 0 to 1 with gaps as NaN or infinity, and a larger (height, width) -> that.
Enlarge = Callable[[Floats, tuple[int, int]], Floats]

#: A plane across the slices, (n, w) float32, each row of another slice -> (length, w).
PlaneNetwork = Callable[[Floats], Floats]

#: (volume, axis, length) -> the network that makes ``length`` rows of the planes that lie along ``axis``.
MakeNetwork = Callable[[Floats, int, int], PlaneNetwork]


def shipped_network(enlarge: Enlarge) -> MakeNetwork:
    """Networks that were trained on photographs, for planes across the slices of any volume.

    They enlarge both axes: the in-plane one is brought back by area averages.  Beyond the networks' largest factor the
    rest is a cubic interpolation.  :func:`nearer_means` comes last: networks know nothing of thick slices.

    Args:
        enlarge: runs the networks on one picture.
    """

    def make(volume: Floats, axis: int, length: int) -> PlaneNetwork:
        samples = volume.shape[axis]
        factor = min(length / samples, float(LARGEST_SCALE))
        rows = length if factor < LARGEST_SCALE else samples * LARGEST_SCALE

        def network(plane: Floats) -> Floats:
            width = plane.shape[1]
            wide = scaled_length(width, factor)
            large = axis_resampler(wide, width, "area").apply(enlarge(plane, (rows, wide)), 1)
            large = large if rows == length else axis_resampler(rows, length).apply(large, 0)
            return nearer_means(plane, large)

        return network

    return make


def cubic_network(volume: Floats, axis: int, length: int) -> PlaneNetwork:
    """No network: cubic interpolation; see :data:`MakeNetwork`."""
    cubic = axis_resampler(volume.shape[axis], length)
    return lambda plane: cubic.apply(plane, 0)


def nearer_means(plane: Floats, large: Floats) -> Floats:
    """Rows whose means come nearer to the thick row that they make up: one step of back-projection.

    Args:
        plane: (n, w), thick rows.
        large: (length, w), what was made of them.

    Returns:
        (length, w).

    References:
        M. Irani, S. Peleg, "Improving resolution by image registration", CVGIP 53(3), 1991.
    """
    smaller = axis_resampler(len(large), len(plane), "area").apply(large, 0)
    corrected: Floats = large + axis_resampler(len(plane), len(large)).apply(plane - smaller, 0)
    return corrected


def crossing_axes(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """In-plane axes that, together with ``axis``, span the planes to enlarge: both, but none of a single voxel."""
    others = tuple(other for other in range(3) if other != axis)
    return tuple(other for other in others if shape[other] > 1) or others[:1]


def enlarge_axis(
    volume: Floats, axis: int, length: int, make: MakeNetwork, result: Floats, step: Callable[[], None]
) -> None:
    """Enlarge one axis of a volume: the mean of what the network makes in both orientations across the slices.

    Gaps (NaN, infinity) are filled for the network and stand in the result where they were.

    Args:
        volume: (X, Y, Z) float32, maybe memory-mapped; one plane at a time is read.
        axis: the one that grows, to ``length``.
        make: the network for its planes.
        result: filled; the shape of ``volume`` but for ``axis``.
        step: called after each plane.
    """
    network = make(volume, axis, length)
    crossing = crossing_axes(volume.shape, axis)
    for turn, across in enumerate(crossing):
        stacked = 3 - axis - across
        planes, made = (np.moveaxis(one, (stacked, axis, across), (0, 1, 2)) for one in (volume, result))
        for index in range(planes.shape[0]):
            plane = _with_gaps(np.asarray(planes[index]), network)
            # A running mean: the first orientation alone, then half of each.
            made[index] = plane if turn == 0 else (made[index] + plane) / 2
            step()


def _with_gaps(plane: Floats, network: PlaneNetwork) -> Floats:
    """The network's result, with the gaps of ``plane`` in the nearest places."""
    finite = np.isfinite(plane)
    if finite.all():
        return network(plane)
    whole = np.where(finite, plane, np.float32(np.nan))
    large = network(filled(whole[:, :, None])[:, :, 0])
    places = nearest_indices(plane.shape[0], large.shape[0])
    return np.where(finite[places], large, plane[places])
