"""One axis of a volume enlarged: thick slices brought nearer to each other, by networks that see planes across them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from superres.chain import LARGEST_SCALE, NetworkChain
from superres.errors import InferenceError
from superres.geometry import nearest_indices
from superres.planes import filled
from superres.queueing import mapped
from superres.resize import axis_resampler
from superres.tiling import spans
from superres.workflows.odd_values import past_networks

__all__ = [
    "Enlarge",
    "MakeNetwork",
    "PlaneNetwork",
    "check_range",
    "crossing_axes",
    "cubic_network",
    "enlarge_axis",
    "nearer_means",
    "own_factor",
    "shipped_network",
]

Floats = npt.NDArray[np.float32]

#: A picture (h, w) float32, values around 0 to 1 with gaps as NaN or infinity, and a larger (height, width) -> that.
Enlarge = Callable[[Floats, tuple[int, int]], Floats]

#: Rows and columns of what goes through a network at a time.
_TILE = 512


@dataclass(frozen=True)
class PlaneNetwork:
    """Makes the rows of planes across the slices.

    Attributes:
        run: a plane without gaps, (n, w) float32, each row of another slice -> (length, w).
        lanes: how many planes may run at once.
    """

    run: Callable[[Floats], Floats]
    lanes: int = 1


#: (volume, axis, length) -> the network that makes ``length`` rows of the planes that lie along ``axis``.
MakeNetwork = Callable[[Floats, int, int], PlaneNetwork]


#: Share of a volume's range that is seen as nothing in it.
_NOTHING = 0.05


def check_range(plane: Floats, large: Floats, remedy: str) -> None:
    """Refuse what a network made of a plane when it leaves the plane's range by more than that range.

    Args:
        plane, large: before and after, of a volume of values 0 to 1; gaps (NaN, infinity) do not count.
        remedy: what to try, for the error.

    Raises:
        InferenceError: it does.
    """
    seen, made = plane[np.isfinite(plane)], large[np.isfinite(large)]
    if not seen.size or not made.size:
        return
    low, high = float(seen.min()), float(seen.max())
    beyond = max(low - float(made.min()), float(made.max()) - high)
    # Sharp edges overshoot by a fraction of the range, at most; in a slice of noise alone that may be all it has, which
    # is little beside the volume.
    if beyond > high - low + _NOTHING:
        raise InferenceError(
            f"the network left the range of a slice by {beyond / max(high - low, 1e-6):.1f} times that range, as "
            f"networks may on strong noise; {remedy}, or reduce the noise first"
        )


def own_factor(samples: int, length: int) -> int:
    """By which whole number, 2 to 16, a network enlarges ``samples`` slices that are to become ``length``."""
    # A length in whole samples misses an exact factor by a rounding.
    return min(max(2, math.ceil(length / samples * 0.999)), LARGEST_SCALE)


def shipped_network(networks: Callable[[int], NetworkChain]) -> MakeNetwork:
    """Networks of rows that were trained on photographs made thick, for any volume: :mod:`superres.networks.rows`.

    Where a factor has no network of its own, what the nearest one adds to cubic interpolation is interpolated between
    the thin rows of each thick one.  By whole factors every thick row stays the mean of what it becomes; by others, and
    beyond the largest, the rest is a cubic interpolation, and means come near by one step of back-projection.

    Args:
        networks: the network whose factor is nearest to the one that is given, such as
            :meth:`superres.pipeline.Upscaler.rows`.
    """

    def make(volume: Floats, axis: int, length: int) -> PlaneNetwork:
        samples = volume.shape[axis]
        factor = own_factor(samples, length)
        chain = networks(factor)
        fitted = axis_resampler(samples * factor, length)

        def run(plane: Floats) -> Floats:
            if np.all(plane == plane[0, 0]):  # the empty ground, which is to stay so to the last bit
                return np.full((length, plane.shape[1]), plane[0, 0], np.float32)
            large = _of_factor(_through(plane, chain), plane, chain.scale, factor)
            check_range(plane, large, "use --through-plane cubic")
            return large if len(large) == length else nearer_means(plane, fitted.apply(large, 0))

        return PlaneNetwork(run, chain.lanes)

    return make


def _through(plane: Floats, chain: NetworkChain) -> Floats:
    """(n, w) -> (scale * n, w), mirrored at its edges, tile by tile."""
    scale, halo, (height, width) = chain.scale, chain.halo, plane.shape
    padded, large = np.pad(plane, halo, mode="symmetric"), np.empty((height * scale, width), np.float32)
    for down in spans(height, _TILE, halo, halo):
        for across in spans(width, _TILE, halo, halo):
            window = padded[down.start : down.stop + 2 * halo, across.start : across.stop + 2 * halo]
            made = chain.run(np.ascontiguousarray(window)[None, None])[0, 0]
            large[down.start * scale : down.stop * scale, across.start : across.stop] = made
    return large


def _of_factor(large: Floats, plane: Floats, known: int, factor: int) -> Floats:
    """What a network made by the factor ``known``, (known * n, w), as one of ``factor`` would: (factor * n, w)."""
    if known == factor:
        return large
    rows, width = plane.shape

    def cubic(by: int) -> Floats:
        return axis_resampler(rows, rows * by).apply(plane, 0).reshape(rows, by, width)

    added = large.reshape(rows, known, width) - cubic(known)
    made = cubic(factor) + axis_resampler(known, factor, "bilinear").apply(added, 1)
    kept: Floats = made - made.mean(1, keepdims=True) + plane[:, None]
    return kept.reshape(rows * factor, width)


def cubic_network(volume: Floats, axis: int, length: int) -> PlaneNetwork:
    """No network: cubic interpolation; see :data:`MakeNetwork`."""
    cubic = axis_resampler(volume.shape[axis], length)
    return PlaneNetwork(lambda plane: cubic.apply(plane, 0))


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

    Gaps (NaN, infinity) are filled for the network and stand in the result where they were; odd values, see
    :mod:`superres.ranges`, go past it.

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
        whole = mapped(partial(_plane, planes, network), iter(range(len(planes))), network.lanes)
        for index, plane in enumerate(whole):
            # A running mean: the first orientation alone, then half of each.
            made[index] = plane if turn == 0 else (made[index] + plane) / 2
            step()


def _plane(planes: Floats, network: PlaneNetwork, index: int) -> Floats:
    """The network's result for one of the planes, with its gaps in the nearest places."""
    plane = np.asarray(planes[index])
    finite = np.isfinite(plane)
    if finite.all():
        return past_networks(plane, network.run)
    large = past_networks(
        plane, lambda inside: network.run(filled(np.where(finite, inside, np.float32(np.nan))[:, :, None])[:, :, 0])
    )
    places = nearest_indices(plane.shape[0], large.shape[0])
    return np.where(finite[places], large, plane[places])
