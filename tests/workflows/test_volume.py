from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from superres.errors import InferenceError, InputError
from superres.formats.mapped import mapped_array
from superres.options import VolumeOptions
from superres.pipeline import Options, Upscaler
from superres.workflows.growth import Grid, Growth, plan_growth
from superres.workflows.through_plane import PlaneNetwork, enlarge_axis
from superres.workflows.volume import Values, enlarge_nearest, enlarge_volume, picture_enlarger

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def repeated(plane: Floats, size: tuple[int, int]) -> Floats:
    return plane.repeat(size[0] // plane.shape[0], 0).repeat(size[1] // plane.shape[1], 1)


def repeated_rows(volume: Floats, axis: int, length: int) -> PlaneNetwork:
    return PlaneNetwork(lambda plane: plane.repeat(length // len(plane), 0))


def nothing() -> None:
    """No one is told of progress."""


def enlarged(source: Array, axes: str, scale: float = 2) -> Array:
    growth = plan_growth(source.shape, (1, 1, 1), scale, VolumeOptions(axes), "a")
    result = np.zeros(growth.after, source.dtype)
    fill(source, result, growth, Values.of(source, "a"), lambda grid: np.zeros(grid, np.float32))
    return result


def fill(source: Array, result: Array, growth: Growth, values: Values, scratch: Callable[[Grid], Floats]) -> None:
    """The volume enlarged by repeated pixels."""
    enlarge_volume(source, result, growth, values, repeated, repeated_rows, scratch, nothing)


# --- What networks see ----------------------------------------------------------------------------------------------


@given(hnp.arrays(np.dtype("int16"), (3, 4, 2)))
def test_integers_come_back_exactly(volume: Array) -> None:
    values = Values.of(volume, "a")
    seen = values.normalised(volume)
    assert seen.dtype == np.float32 and seen.min() == 0 and seen.max() in (0, 1)
    np.testing.assert_array_equal(values.stored(seen, volume.dtype), volume)


@pytest.mark.parametrize("dtype", ["uint8", ">i2", "uint16", "<i4", "int64", "uint64"])
def test_results_are_rounded_and_clipped(dtype: str) -> None:
    limits = np.iinfo(dtype)
    values = Values(float(limits.min), float(limits.max) - float(limits.min))
    made = values.stored(np.array([[-0.5, 1.5, 0.0]], np.float32), np.dtype(dtype))
    assert made.dtype == np.dtype(dtype)
    assert made[0, 0] == made[0, 2] == limits.min
    assert made[0, 1] >= limits.max - 2048  # doubles are that far apart at 2**64
    rounded = Values(0.0, 1.0).stored(np.array([[6.5, 7.49]], np.float32), np.dtype(dtype))
    assert rounded.tolist() == [[7, 7]]


@pytest.mark.parametrize("odd", [-9999.0, 1e5])
def test_an_odd_voxel_spoils_nothing_but_its_place(odd: float) -> None:
    """Sentinels and single hot voxels of quantitative maps: all other slices are as if they were not there."""
    random = np.random.default_rng(0)
    volume = random.random((40, 44, 2)).astype(np.float32)
    results = []
    for value in (float(volume[3, 4, 0]), odd):
        changed = volume.copy()
        changed[3, 4, 0] = value
        growth = plan_growth(volume.shape, (1, 1, 1), 2, VolumeOptions("xy"), "a")
        result = np.zeros(growth.after, np.float32)
        with Upscaler(Options(scale=2, model="realtime", threads=1)) as upscaler:
            values, enlarge = Values.of(changed, "a"), picture_enlarger(upscaler)
            enlarge_volume(
                changed,
                result,
                growth,
                values,
                enlarge,
                repeated_rows,
                lambda grid: np.zeros(grid, np.float32),
                nothing,
            )
        results.append(result)
    difference = np.abs(results[1] - results[0])
    assert difference[6:8, 8:10, 0].min() > abs(odd) / 3
    assert difference[:, :, 1].max() < 0.2
    assert difference[24:, 24:, 0].max() < 0.2


def test_an_odd_voxel_goes_past_the_network_across_slices() -> None:
    volume = np.random.default_rng(0).random((5, 6, 8)).astype(np.float32)
    volume[2, 3, 4], seen = 900, []

    def watching(planes: Floats, axis: int, length: int) -> PlaneNetwork:
        def run(plane: Floats) -> Floats:
            seen.append(float(plane.max()))
            return plane.repeat(2, 0)

        return PlaneNetwork(run)

    result = np.zeros((5, 6, 16), np.float32)
    enlarge_axis(volume, 2, 16, watching, result, nothing)
    assert max(seen) <= 1.25
    assert result[2, 3, 8:10].min() > 600
    result[2, 3, 6:12] = 0
    np.testing.assert_array_equal(result, np.where(result, volume.repeat(2, 2), 0))


def test_floats_are_not_clipped() -> None:
    volume = np.array([[[-1000.0, 3000.0]]], np.float32)
    values = Values.of(volume, "a")
    made = values.stored(np.array([[-0.25, 1.25]], np.float32), volume.dtype)
    assert made.tolist() == [[-2000.0, 4000.0]]


def test_gaps_do_not_count_and_stay() -> None:
    volume = np.array([[[np.nan, 2.0, np.inf, 6.0, -np.inf]]])
    values = Values.of(volume, "a")
    assert (values.low, values.span) == (2.0, 4.0)
    seen = values.normalised(volume[0])
    np.testing.assert_array_equal(seen, np.array([[np.nan, 0, np.inf, 1, -np.inf]], np.float32))
    np.testing.assert_array_equal(values.stored(seen, volume.dtype), volume[0])


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_constant_and_empty_volumes(value: float) -> None:
    volume = np.full((2, 3, 2), value)
    values = Values.of(volume, "a")
    np.testing.assert_array_equal(values.stored(values.normalised(volume[0]), volume.dtype), volume[0])


def test_small_differences_of_large_values_survive() -> None:
    volume = 1e6 + np.linspace(0, 1, 24).reshape(2, 3, 4)
    values = Values.of(volume, "a")
    made = values.stored(values.normalised(volume[0]), volume.dtype)
    np.testing.assert_allclose(made - 1e6, volume[0] - 1e6, atol=1e-7)


def test_values_too_far_apart_are_refused() -> None:
    with pytest.raises(InputError, match="too far apart"):
        Values.of(np.array([[[-1e308, 1e308]]]), "a")


# --- Where voxels go ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["x", "y", "z", "xy", "xz", "yz", "xyz"])
@pytest.mark.parametrize("dtype", ["uint8", ">i2", "float32"])
def test_every_voxel_becomes_a_block(axes: str, dtype: str) -> None:
    source = np.random.default_rng(0).integers(0, 255, (4, 5, 3)).astype(dtype)
    expected = source
    for axis in axes:
        expected = expected.repeat(2, "xyz".index(axis))
    made = enlarged(source, axes)
    assert made.dtype == source.dtype
    np.testing.assert_allclose(made, expected, rtol=1e-6)


@given(
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6),
    st.sampled_from([1.5, 2, 3]),
    st.permutations([0, 1, 2]),
    st.sets(st.integers(0, 2)),
)
def test_nearest_neighbour_commutes(shape: tuple[int, ...], scale: float, order: list[int], flips: set[int]) -> None:
    # Flips only by whole factors: otherwise a centre may lie on a border, where one side has to win.
    flips = flips if scale != 1.5 else set()
    source = np.random.default_rng(1).integers(0, 99, shape)

    def nearest(volume: Array) -> Array:
        result = np.empty([round(length * scale) for length in volume.shape], volume.dtype)
        enlarge_nearest(volume, result, nothing)
        return result

    turned = np.flip(source, tuple(flips)).transpose(order)
    np.testing.assert_array_equal(nearest(turned), np.flip(nearest(source), tuple(flips)).transpose(order))
    if scale == 2:
        np.testing.assert_array_equal(nearest(nearest(source)), source.repeat(4, 0).repeat(4, 1).repeat(4, 2))


def test_memory_is_a_few_slices(tmp_path: Path) -> None:
    side = 64
    source = mapped_array(tmp_path, np.dtype(np.float32), (side, side, side))
    source[...] = np.random.default_rng(0).random((side, side, side), np.float32)
    growth = plan_growth((side, side, side), (1, 1, 1), 2, VolumeOptions("xyz"), "a")
    result = mapped_array(tmp_path, np.dtype(np.float32), growth.after)
    values = Values.of(source, "a")
    tracemalloc.start()
    try:
        fill(source, result, growth, values, lambda grid: mapped_array(tmp_path, np.dtype(np.float32), grid))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Mapped pages are the system's to drop.  A slice of the result has 66 KB, the volume 8 MB.
    assert peak < 16 * result[:, :, 0].nbytes
    np.testing.assert_allclose(result[::2, ::2, ::2], source, atol=1e-6)


@pytest.mark.parametrize(("reach", "fits"), [(0.02, True), (0.5, False)])
def test_overshoot_counts_beside_the_volume_not_beside_a_faint_slice(reach: float, fits: bool) -> None:
    class Sharpener:
        """Differences become six times as large, as some networks do with faint noise."""

        def strips(self, info: Any, size: tuple[int, int], reader: Any, _: None) -> Iterator[Floats]:
            rows = reader.read(0, info.height)
            yield (rows - rows.mean()) * 6 + rows.mean()

    plane = (0.3 + reach * (np.random.default_rng(0).random((6, 5), np.float32) - 0.5)).astype(np.float32)
    enlarge = picture_enlarger(Sharpener())  # type: ignore[arg-type]
    if fits:
        assert np.ptp(enlarge(plane, (6, 5))) > 5 * np.ptp(plane)
    else:
        with pytest.raises(InferenceError, match="left the range"):
            enlarge(plane, (6, 5))
