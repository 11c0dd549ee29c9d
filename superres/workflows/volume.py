"""Volumes, in memory or on disk, enlarged picture by picture: what networks see of the values, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import InputError
from superres.geometry import nearest_indices
from superres.image import Image
from superres.pipeline import MemoryReader, Upscaler
from superres.ranges import UsualRange
from superres.workflows.growth import Grid, Growth
from superres.workflows.odd_values import past_networks
from superres.workflows.through_plane import Enlarge, MakeNetwork, check_range, enlarge_axis

__all__ = ["Values", "enlarge_nearest", "enlarge_volume", "picture_enlarger"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Values:
    """The values of a volume as networks see them: from 0 (``low``) to 1 (``low + span``).

    Attributes:
        low: smallest finite value, but for odd ones: see :class:`superres.ranges.UsualRange`.
        span: difference to the largest of them, or 1.
    """

    low: float
    span: float

    @classmethod
    def of(cls, volume: Array, name: str) -> Values:
        """Of a volume (X, Y, Z) of integers or floats, read slice by slice.

        Raises:
            InputError: the values are too far apart to compute with.
        """
        seen = UsualRange()
        for k in range(volume.shape[2]):
            plane = np.asarray(volume[:, :, k])
            seen.add(plane[np.isfinite(plane)])
        if seen.whole is None:  # only gaps
            return cls(0.0, 1.0)
        least, most = seen.whole
        if not np.isfinite(most - least):
            raise InputError(f"{name}: values from {least:g} to {most:g} are too far apart: rescale them first")
        low, high = seen.usual or seen.whole
        return cls(low, high - low or 1.0)

    def normalised(self, plane: Array) -> Floats:
        """Stored values -> float32; gaps (NaN, infinity) stay."""
        return ((plane.astype(np.float64) - self.low) / self.span).astype(np.float32)

    def stored(self, plane: Floats, dtype: np.dtype[Any]) -> Array:
        """The inverse, as ``dtype``: integers are rounded and clipped to what it holds, floats are not clipped."""
        values = plane.astype(np.float64) * self.span + self.low
        if dtype.kind == "f":
            with np.errstate(over="ignore"):  # beyond what the type holds is infinity
                return values.astype(dtype)
        limits = np.iinfo(dtype)
        # The largest 64-bit integer lies between two doubles; the upper one would wrap around.
        top = float(limits.max) if int(float(limits.max)) == limits.max else float(np.nextafter(limits.max, 0))
        return np.clip(np.floor(values + 0.5), float(limits.min), top).astype(dtype)


def picture_enlarger(upscaler: Upscaler) -> Enlarge:
    """Pictures through the upscaler's networks; a constant one stays constant without them.

    Odd values, far beyond 0 and 1, are not shown to them: see :func:`superres.workflows.odd_values.past_networks`.

    The returned function raises InferenceError when a result leaves the range of its picture by more than that range:
    float volumes are not clipped, so what a network makes of strong noise would otherwise pass for measured values.
    """

    def enlarge(plane: Floats, size: tuple[int, int]) -> Floats:
        if np.array_equal(plane, np.broadcast_to(plane[0, 0], plane.shape), equal_nan=True):
            return np.full(size, plane[0, 0], np.float32)

        def by_networks(inside: Floats) -> Floats:
            reader = MemoryReader(Image.from_array(np.ascontiguousarray(inside)))
            strips = upscaler.strips(reader.info, (size[1], size[0]), reader, None)
            large: Floats = np.concatenate(list(strips))[:, :, 0]
            check_range(inside, large, "use another --model, such as realtime")
            return large

        return past_networks(plane, by_networks)

    return enlarge


def enlarge_volume(
    source: Array,
    result: Array,
    growth: Growth,
    values: Values,
    enlarge: Enlarge,
    across: MakeNetwork,
    scratch: Callable[[Grid], Floats],
    step: Callable[[], None],
) -> None:
    """Enlarge one volume, a few slices in memory: first the in-plane axes, then the one across them.

    Args:
        source: (X, Y, Z), ``growth.before``, integers or floats.
        result: filled; ``growth.after``.
        values: of ``source``.
        enlarge: runs the networks on one picture.
        across: makes the network for planes across the slices.
        scratch: makes a float32 array that need not lie in memory.
        step: called after each picture.
    """
    dtype = result.dtype
    if growth.through is None:
        _enlarge_pictures(source, result, growth, values, enlarge, lambda large: values.stored(large, dtype), step)
        return
    between = scratch(growth.between)
    if growth.in_plane is None:
        for k in range(source.shape[2]):
            between[:, :, k] = values.normalised(source[:, :, k])
    else:
        _enlarge_pictures(source, between, growth, values, enlarge, lambda large: large, step)
    whole = scratch(growth.after)
    enlarge_axis(between, growth.through, growth.after[growth.through], across, whole, step)
    for k in range(whole.shape[2]):
        result[:, :, k] = values.stored(whole[:, :, k], dtype)


def _enlarge_pictures(
    source: Array,
    result: Array,
    growth: Growth,
    values: Values,
    enlarge: Enlarge,
    finish: Callable[[Floats], Array],
    step: Callable[[], None],
) -> None:
    """Every picture of the two in-plane axes, one after the other; ``finish`` is applied to each."""
    first, second = growth.in_plane or (0, 1)
    pictures, made = (np.moveaxis(one, (first, second), (1, 2)) for one in (source, result))
    size = growth.after[first], growth.after[second]
    for index in range(pictures.shape[0]):
        made[index] = finish(enlarge(values.normalised(pictures[index]), size))
        step()


def enlarge_nearest(source: Array, result: Array, step: Callable[[], None]) -> None:
    """Each voxel of ``result`` (X', Y', Z') takes the value of the voxel of ``source`` (X, Y, Z) that it lies in.

    ``step`` is called after each slice of the result.
    """
    x, y, z = (nearest_indices(a, b) for a, b in zip(source.shape, result.shape, strict=True))
    for k, place in enumerate(z):
        result[:, :, k] = source[:, :, place][np.ix_(x, y)]
        step()
