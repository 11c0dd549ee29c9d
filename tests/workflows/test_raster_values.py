"""Pure parts of the way of rasters: value ranges, gaps, windows, means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.resize import axis_resampler
from superres.workflows.bands import ValueRange, grown, kept_apart, stored
from superres.workflows.raster_bands import sampled, values_in
from superres.workflows.raster_grid import Axis, boxes, pieces
from superres.workflows.raster_means import consistent, reach_of, redistributed

SEEDS = st.integers(0, 10_000)
Array = npt.NDArray[Any]


# --- Ranges ---------------------------------------------------------------------------------------------------------


@given(SEEDS, st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_a_range_is_inverted(seed: int, offset: float, spread: float) -> None:
    samples = offset + spread * np.random.default_rng(seed).standard_normal(500)
    values = ValueRange.robust(samples)
    normal = values.normalised(samples)
    assert normal.dtype == np.float32
    assert normal.min() == 0 and normal.max() == pytest.approx(1)
    # float32 differences from the offset: 24 bits of the range.
    assert np.abs(values.restored(normal) - samples).max() <= 2**-23 * values.scale + 1e-12 * abs(offset)


def test_odd_values_do_not_squeeze_the_others() -> None:
    samples = np.concatenate([np.linspace(0, 100, 1000), [1e6, -1e6]])
    values = ValueRange.robust(samples)
    assert -450 <= values.offset <= 0 and values.scale < 1000
    assert values.restored(values.normalised(np.array([1e6])))[0] == pytest.approx(1e6)


@pytest.mark.parametrize(("samples", "expected"), [([], (0, 1)), ([5, 5, 5], (5, 1)), ([0] * 500 + [8], (0, 8))])
def test_ranges_of_hardly_anything(samples: list[float], expected: tuple[float, float]) -> None:
    values = ValueRange.robust(np.array(samples, np.float64))
    assert (values.offset, values.scale) == expected


@pytest.mark.parametrize(
    ("dtype", "largest", "value", "expected"),
    [
        ("uint8", 255, 254.5, 255),
        ("uint8", 255, 300.0, 255),
        ("uint8", 255, -1.0, 0),
        ("uint16", 4095, 5000.0, 4095),
        ("int16", 32767, -2.5, -2),
        ("int64", 2**63 - 1, 1e30, 2**63 - 1024),
        ("int64", 2**63 - 1, -1e30, -(2**63)),
        ("uint64", 2**64 - 1, 1e30, 2**64 - 2048),
        ("float32", np.inf, 1e300, np.finfo(np.float32).max),
        ("float64", np.inf, 0.1, 0.1),
    ],
)
def test_stored(dtype: str, largest: float, value: float, expected: float) -> None:
    made = stored(np.array([value]), np.dtype(dtype), largest)
    assert made.dtype == dtype and made[0] == np.array(expected, dtype)


@pytest.mark.parametrize(
    ("dtype", "nodata", "largest"), [("uint8", 0, 255), ("uint8", 255, 255), ("int16", -1, 32767), ("uint16", 9, 9)]
)
def test_values_are_kept_apart_from_nodata(dtype: str, nodata: int, largest: int) -> None:
    samples = np.array([nodata, nodata, 5, nodata], dtype)
    kept_apart(samples, np.array([True, False, False, False]), nodata, largest)
    assert samples[0] == nodata and samples[2] == 5
    assert set(np.abs(samples[[1, 3]].astype(int) - nodata)) == {1} and samples.max() <= largest


@pytest.mark.parametrize("nodata", [-9999.0, float(np.finfo(np.float32).max), 0.0])
def test_floats_are_kept_apart_by_the_smallest_step(nodata: float) -> None:
    samples = np.array([nodata, nodata], np.float32)
    kept_apart(samples, np.array([True, False]), nodata, np.inf)
    assert samples[0] == np.float32(nodata) and samples[1] != samples[0]
    assert samples[1] == pytest.approx(nodata, rel=1e-6, abs=1e-30)


class _Raster:
    """As much of an open raster as sampling looks at."""

    def __init__(self, samples: Array) -> None:
        self.samples, self.read_pixels = samples, 0
        layout = SimpleNamespace(block_height=256, block_width=256)
        self.raster = SimpleNamespace(height=samples.shape[0], width=samples.shape[1], layout=layout)

    def has_gaps(self, band: int) -> bool:
        return False

    def read(self, band: int, box: tuple[int, int, int, int]) -> Array:
        part = self.samples[box[0] : box[1], box[2] : box[3]].copy()
        self.read_pixels += part.size
        return part


def test_a_large_raster_is_sampled_and_a_nearly_empty_one_looked_through() -> None:
    rng = np.random.default_rng(0)
    full = _Raster(rng.integers(0, 200, (3000, 4000), np.uint8))
    values = ValueRange.robust(sampled(cast(Any, full), 1))
    assert (values.offset, values.scale) == (0, 199) and full.read_pixels == 2048 * 2048
    empty = _Raster(np.zeros((3000, 4000), np.uint8))
    empty.samples[130:180, 140:200] = rng.integers(100, 200, (50, 60))  # between the windows
    found = sampled(cast(Any, empty), 1)
    assert ValueRange.robust(found).scale > 180
    assert empty.read_pixels >= empty.samples.size
    some = values_in(cast(Any, full), 1, (0, 1000, 0, 1000), 500)
    assert some.size == 2000 and some.base is None  # a view would keep all that was read in memory


# --- Gaps -----------------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 6))
def test_gaps_are_filled_the_same_in_any_window(seed: int, depth: int) -> None:
    """What is farther than twice the depth does not matter, so windows may be cut anywhere."""
    rng = np.random.default_rng(seed)
    values = rng.random((50, 60)).astype(np.float32)
    gaps = rng.random((50, 60)) < 0.2
    gaps[10:40, 15:50] = True
    top, left = (int(at) for at in rng.integers(2 * depth, 30, 2))
    inner = slice(top, top + 10), slice(left, left + 12)
    outer = slice(top - 2 * depth, top + 10 + 2 * depth), slice(left - 2 * depth, left + 12 + 2 * depth)
    part = grown(values[outer], gaps[outer], depth)[2 * depth : 2 * depth + 10, 2 * depth : 2 * depth + 12]
    assert np.array_equal(part, grown(values, gaps, depth)[inner])


def test_filling_reaches_as_far_as_it_must() -> None:
    values, gaps = np.full((41, 41), 7, np.float32), np.zeros((41, 41), np.bool_)
    gaps[5:, 5:] = True
    values[gaps] = np.nan
    filled = grown(values, gaps, 6)
    near = np.minimum(*np.mgrid[:41, :41]) < 5 + 6
    assert filled[near] == pytest.approx(7)
    assert filled[30:, 30:].max() == 0
    assert np.array_equal(grown(values, np.ones_like(gaps), 6), np.zeros_like(values))


# --- Windows --------------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 500), st.integers(1, 500), st.tuples(st.integers(1, 64), st.integers(1, 64)), st.integers(1, 50_000)
)
def test_boxes_cover_a_result_once_in_whole_blocks(
    width: int, height: int, block: tuple[int, int], pixels: int
) -> None:
    count = np.zeros((height, width), int)
    for top, bottom, left, right in boxes(width, height, block, pixels):
        count[top:bottom, left:right] += 1
        assert top % block[0] == 0 and (bottom % block[0] == 0 or bottom == height)
        assert left % block[1] == 0 or block[1] >= width
        high, wide = bottom - top, right - left
        assert high * wide <= pixels or high <= block[0] or wide <= block[1]
    assert (count == 1).all()


def test_pieces() -> None:
    assert list(pieces((10, 30, 5, 16), 15, 8)) == [
        (10, 25, 5, 13),
        (10, 25, 13, 16),
        (25, 30, 5, 13),
        (25, 30, 13, 16),
    ]


@given(st.integers(1, 90), st.integers(1, 4), st.integers(0, 20), st.data())
def test_an_axis(length: int, scale: int, halo: int, data: st.DataObject) -> None:
    result = data.draw(st.integers(max(1, length * scale // 2), length * scale))
    axis = Axis.of(length, scale, result)
    start = data.draw(st.integers(0, result - 1))
    stop = data.draw(st.integers(start + 1, result))
    first, last = axis.large(start, stop)
    assert 0 <= first < last <= length * scale
    low, high = axis.window(first, last, halo)
    assert 0 <= low <= max(0, first // scale - halo) and min(length, (last - 1) // scale + 1 + halo) <= high <= length
    assert axis.nearest(start, stop).tolist() == [
        min(int((u + 0.5) * length / result), length - 1) for u in range(start, stop)
    ]
    values = np.random.default_rng(length).random(length * scale).astype(np.float32)
    whole = values if axis.resampler is None else axis.resampler.apply(values, 0)
    assert axis.fitted(values[first:last], 0, start, stop) == pytest.approx(whole[start:stop], abs=1e-6)


# --- Means ----------------------------------------------------------------------------------------------------------


def made_and_source(seed: int, scale: int, shape: tuple[int, int] = (24, 30)) -> tuple[Array, Array]:
    """What a careless network made, near the bounds in places, and the source that it made it of."""
    rng = np.random.default_rng(seed)
    source = np.clip(rng.random((shape[0] // 2, shape[1] // 2)).repeat(2, 0).repeat(2, 1) * 2 - 0.5, 0, 1)
    source = source[:, :, None].astype(np.float32)
    made = source.repeat(scale, 0).repeat(scale, 1) * 0.97 + 0.3 * rng.standard_normal(
        (shape[0] * scale, shape[1] * scale, 1)
    )
    return made.astype(np.float32), source


def corrected(made: Array, source: Array, scale: int, window: tuple[int, int, int, int], bounds: bool) -> Array:
    axes = []
    for length, span in zip(source.shape, (window[:2], window[2:]), strict=False):
        up, down = axis_resampler(length, length * scale), axis_resampler(length * scale, length)
        axes.append(reach_of(span, min(scale, 4), up, down))
    rows, columns = axes
    part = made[slice(*rows.fine), slice(*columns.fine)]
    values = consistent(part, source[slice(*rows.coarse), slice(*columns.coarse)], rows, columns)
    near = source[slice(*rows.near_coarse), slice(*columns.near_coarse)]
    low, high = (0.0, 1.0) if bounds else (-np.inf, np.inf)
    return redistributed(values, near, rows, columns, low, high)


@given(SEEDS, st.integers(2, 4), st.booleans())
def test_means_are_kept(seed: int, scale: int, bounds: bool) -> None:
    made, source = made_and_source(seed, scale)
    whole = (0, made.shape[0], 0, made.shape[1])
    result = corrected(made, source, scale, whole, bounds)
    assert result.shape == made.shape
    assert abs(made.mean() / source.mean() - 1) > 1e-3
    assert result.mean() == pytest.approx(source.mean(), rel=2e-3 if bounds else 1e-5)
    if bounds:
        assert result.min() >= 0 and result.max() <= 1
        clipped = np.clip(corrected(made, source, scale, whole, False), 0, 1)
        assert abs(result.mean() - source.mean()) <= abs(clipped.mean() - source.mean()) + 1e-4


@given(SEEDS, st.integers(2, 4), st.booleans(), st.data())
def test_means_are_kept_the_same_way_in_any_window(seed: int, scale: int, bounds: bool, data: st.DataObject) -> None:
    made, source = made_and_source(seed, scale)
    height, width = made.shape[:2]
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    part = corrected(made, source, scale, (top, bottom, left, right), bounds)
    whole = corrected(made, source, scale, (0, height, 0, width), bounds)[top:bottom, left:right]
    # Where nothing is clipped within reach a window skips the second step, which then changes next to nothing.
    assert np.abs(part - whole).max() < (0.05 if bounds else 1e-5)
    assert np.abs(part - whole).mean() < (0.005 if bounds else 1e-6)


def test_what_is_within_bounds_and_right_is_left_alone() -> None:
    source = np.full((12, 12, 3), 0.5, np.float32)
    made = np.full((24, 24, 3), 0.5, np.float32)
    assert np.abs(corrected(made, source, 2, (3, 20, 4, 21), True) - 0.5).max() < 1e-6
