from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from superres.formats.labels import are_labels

Array = npt.NDArray[Any]


def planes(volume: Array) -> Iterator[Array]:
    return iter(np.moveaxis(volume, 2, 0))


@functools.cache
def parcels(regions: int, side: int = 28, seed: int = 0) -> Array:
    """Each voxel has the number of the nearest of ``regions`` points."""
    points = np.random.default_rng(seed).uniform(0, side, (regions, 3))
    grid = np.stack(np.mgrid[:side, :side, :side], 3).reshape(-1, 1, 3)
    parts = [((part - points) ** 2).sum(2).argmin(1) for part in np.array_split(grid, 16)]
    return np.concatenate(parts).reshape(side, side, side)


def smooth(top: float, side: int = 40) -> Array:
    """A bright ball with soft shading and some noise, on empty ground."""
    x, y, z = np.mgrid[:side, :side, :side] / (side - 1) - 0.5
    distance = np.sqrt(x * x + y * y + z * z)
    noise = np.random.default_rng(1).normal(0, 0.02, distance.shape)
    return np.where(distance < 0.45, np.clip((1 - distance + noise) * top, 0, top), 0)


@pytest.mark.parametrize("regions", [1, 2, 20, 100])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32"])
def test_parcellations_are_labels(regions: int, dtype: str) -> None:
    volume = (parcels(regions) * (2 if dtype == "uint8" else 7)).astype(dtype)
    assert are_labels(planes(volume))


@pytest.mark.parametrize(("top", "dtype"), [(60, "uint8"), (255, "uint8"), (1000, "int16"), (30_000, "uint16")])
def test_intensities_are_not(top: float, dtype: str) -> None:
    assert not are_labels(planes(smooth(top).astype(dtype)))


def test_a_saturated_area_does_not_decide() -> None:
    # A probability map: most of it 0 or 255, every step between in the rim.
    x, y, z = np.mgrid[:48, :48, :48]
    distance = np.sqrt((x - 23.3) ** 2 + (y - 23.1) ** 2 + (z - 23.7) ** 2)
    volume = np.clip((18 - distance) / 6 + 0.5, 0, 1) * 255
    assert (volume == 255).mean() > 0.1
    assert not are_labels(planes(volume.astype(np.uint8)))


def test_an_empty_beginning_does_not_decide() -> None:
    volume = np.zeros((20, 20, 12), np.int16)
    volume[:, :, 8:] = np.random.default_rng(2).integers(0, 900, (20, 20, 4))
    assert not are_labels(planes(volume))


def test_reading_stops_at_too_many_values() -> None:
    seen = []

    def endless() -> Iterator[Array]:
        for k in range(1000):
            seen.append(k)
            yield np.arange(1600, dtype=np.int32).reshape(40, 40) + 1600 * k

    assert not are_labels(endless())
    assert len(seen) == 3


def test_values_without_neighbours_are_not() -> None:
    assert not are_labels(np.arange(30, dtype=np.int16).reshape(30, 1, 1))
    assert are_labels(np.arange(3, dtype=np.int16).reshape(3, 1, 1))
