from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from superres.errors import InputError
from superres.formats.geotiff_meaning import Band, Layout, Place, Raster
from superres.workflows.raster_guide import Alignment, aligned

LAYOUT = Layout(False, 40, 1, "", 1, "pixel", 0, False, False, False)
BAND = Band(1, "gray", None, 1.0, 0.0, None, {}, None)


def raster(width: int, height: int, transform: tuple[float, ...] | None, crs: Any = "EPSG:32633") -> Raster:
    place = Place(crs, transform, (), None)  # type: ignore[arg-type]
    return Raster(width, height, np.dtype(np.uint16), None, (BAND,), place, {}, False, (), "nearest", LAYOUT)


LOW = raster(40, 30, (20, 0, 1000, 0, -20, 5000))


def test_the_same_corner() -> None:
    guide = raster(80, 60, (10, 0, 1000, 0, -10, 5000))
    found = aligned(LOW, guide, "low", "guide")
    assert found == Alignment(2, 0, 0)
    assert found.box((1, 3, 4, 7)) == (2, 6, 8, 14)


def test_a_guide_that_reaches_further() -> None:
    guide = raster(300, 200, (5, 0, 1000 - 35, 0, -5, 5000 + 20))
    assert aligned(LOW, guide, "low", "guide") == Alignment(4, 4, 7)


def test_turned_rasters_that_are_turned_alike() -> None:
    low, high = (12, 16, 7, 16, -12, 3), (6, 8, 7, 8, -6, 3)
    assert aligned(raster(10, 8, low), raster(20, 16, high), "low", "guide") == Alignment(2, 0, 0)


def test_without_a_place_the_sizes_decide() -> None:
    bare = raster(40, 30, None)
    assert aligned(bare, raster(120, 90, None), "low", "guide") == Alignment(3, 0, 0)
    with pytest.raises(InputError, match="smaller by 2.5 across and 3 down"):
        aligned(bare, raster(100, 90, None), "low", "guide")


@pytest.mark.parametrize(
    ("guide", "message"),
    [
        (
            raster(80, 60, (10, 0, 1000, 0, -10, 5000), "EPSG:32632"),
            "its coordinates are EPSG:32632, expected EPSG:32633",
        ),
        (raster(80, 60, None), "guide does not say where it lies"),
        (raster(80, 60, (8, 0, 1000, 0, -8, 5000)), "smaller by 2.5 across and 2.5 down, expected one whole number"),
        (raster(40, 30, (20, 0, 1000, 0, -20, 5000)), "smaller by 1 across"),
        (raster(80, 60, (10, 0, 1003, 0, -10, 5000)), r"off by -0\.300 across and [-+]0\.000 down"),
        (raster(80, 59, (10, 0, 1000, 0, -10, 5000)), "does not cover low.*rows 0 to 60.*of 59 and 80"),
        (raster(80, 60, (10, 0, 1010, 0, -10, 5000)), "does not cover low.*columns -1 to 79"),
        (raster(80, 60, (7, 7, 1000, 7, -7, 5000)), "turned against it"),
        (raster(80, 60, (10, 0, 1000, 0, 10, 5000)), "smaller by 2 across and -2 down"),
        (raster(80, 60, (0, 0, 1000, 0, 0, 5000)), "has no area"),
    ],
)
def test_what_does_not_lie_on_the_grid_is_refused(guide: Raster, message: str) -> None:
    with pytest.raises(InputError, match=message):
        aligned(LOW, guide, "low", "guide")


def test_a_low_raster_that_does_not_say_where_it_lies() -> None:
    with pytest.raises(InputError, match="low does not say where it lies"):
        aligned(replace(LOW, place=replace(LOW.place, transform=None)), raster(80, 60, (1, 0, 0, 0, -1, 0)), "low", "g")
