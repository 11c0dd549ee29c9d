from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superres.resize import axis_resampler, resize
from superres.workflows.through_plane import crossing_axes, cubic_network, enlarge_axis, shipped_network

Floats = npt.NDArray[np.float32]


def repeated(plane: Floats, size: tuple[int, int]) -> Floats:
    """Stands in for the networks: repeats samples."""
    assert size[0] % plane.shape[0] == size[1] % plane.shape[1] == 0
    return plane.repeat(size[0] // plane.shape[0], 0).repeat(size[1] // plane.shape[1], 1)


def cubic(plane: Floats, size: tuple[int, int]) -> Floats:
    return resize(plane, size)


def volume(shape: tuple[int, int, int] = (5, 6, 4), seed: int = 0) -> Floats:
    return np.random.default_rng(seed).random(shape, np.float32)


def enlarged(
    source: Floats, axis: int, length: int, enlarge: Callable[[Floats, tuple[int, int]], Floats] = repeated
) -> Floats:
    shape = [length if k == axis else n for k, n in enumerate(source.shape)]
    result, steps = np.full(shape, np.float32(-9)), []
    enlarge_axis(source, axis, length, shipped_network(enlarge), result, lambda: steps.append(1))
    crossing = crossing_axes(source.shape, axis)
    assert len(steps) == sum(source.shape[3 - axis - across] for across in crossing)
    return result


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("factor", [2, 3, 16])
def test_one_axis_grows_the_others_come_back(axis: int, factor: int) -> None:
    source = volume()
    made = enlarged(source, axis, factor * source.shape[axis])
    np.testing.assert_allclose(made, source.repeat(factor, axis), atol=1e-6)


def test_both_orientations_count_half() -> None:
    seen: list[Floats] = []

    def marked(plane: Floats, size: tuple[int, int]) -> Floats:
        seen.append(plane)
        sign = np.where(np.arange(size[0])[:, None] % 2, np.float32(1), np.float32(-1))  # keeps every mean
        return repeated(plane, size) + sign * np.float32(1.0 if plane.shape[1] == 5 else 3.0)  # along x, along y

    source = volume((5, 6, 4))
    sign = np.where(np.arange(8) % 2, 1, -1)
    np.testing.assert_allclose(enlarged(source, 2, 8, marked), source.repeat(2, 2) + 2 * sign, atol=1e-6)
    assert sorted({plane.shape for plane in seen}) == [(4, 5), (4, 6)]
    assert any(np.array_equal(plane, source[:, 3, :].T) for plane in seen)
    assert any(np.array_equal(plane, source[2, :, :].T) for plane in seen)


def test_planes_of_a_single_column_are_left_out() -> None:
    assert crossing_axes((5, 6, 4), 2) == (0, 1)
    assert crossing_axes((5, 1, 4), 2) == (0,)
    assert crossing_axes((1, 6, 4), 2) == (1,)
    assert crossing_axes((1, 1, 4), 2) == (0,)
    np.testing.assert_allclose(enlarged(volume((1, 1, 4)), 2, 8), volume((1, 1, 4)).repeat(2, 2), rtol=1e-6)


def test_beyond_the_networks_reach_the_rest_is_interpolated() -> None:
    source = volume((3, 3, 2))
    sizes = []

    def marked(plane: Floats, size: tuple[int, int]) -> Floats:
        sizes.append(size)
        return repeated(plane, size)

    made = enlarged(source, 2, 40, marked)
    assert set(sizes) == {(32, 48)}
    expected = resize(source[:, 0, :].repeat(16, 1), (3, 40))
    missing = source[:, 0] - expected.reshape(3, 2, 20).mean(2)
    np.testing.assert_allclose(made[:, 0], expected + resize(missing, (3, 40)), atol=1e-6)


def test_factors_between_whole_ones() -> None:
    ramp = np.broadcast_to(np.linspace(0.2, 0.8, 12, dtype=np.float32), (4, 5, 12))
    made = enlarged(ramp, 2, 30, cubic)
    centres = (np.arange(30) + 0.5) / 2.5 - 0.5
    inner = slice(5, 25)
    np.testing.assert_allclose(
        made[2, 2, inner], (0.2 + 0.6 * centres / 11)[inner], atol=2e-3
    )  # means of parts of voxels
    np.testing.assert_allclose(made, np.broadcast_to(made[:1, :1], made.shape), atol=1e-6)


@pytest.mark.parametrize("length", [8, 10, 12])
def test_means_come_near_to_the_slices(length: int) -> None:
    def brighter(plane: Floats, size: tuple[int, int]) -> Floats:
        return resize(plane, size) + np.float32(0.2)

    source = volume((5, 6, 4))
    means = axis_resampler(length, 4, "area").apply(enlarged(source, 2, length, brighter), 2)
    without = axis_resampler(4, length).apply(source, 2)
    missing = np.abs(axis_resampler(length, 4, "area").apply(without, 2) - source)
    assert np.abs(means - source).max() < 0.5 * missing.max()


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_gaps_stay_where_they_are(gap: float) -> None:
    source = volume()
    source[1, 2, 3] = source[4, :, 0] = gap

    def finite_only(plane: Floats, size: tuple[int, int]) -> Floats:
        assert np.isfinite(plane).all()
        return repeated(plane, size)

    made = enlarged(source, 2, 8, finite_only)
    np.testing.assert_allclose(made, source.repeat(2, 2), rtol=1e-6)


@settings(max_examples=10)
@given(st.permutations([0, 1, 2]), st.sets(st.integers(0, 2)), st.integers(0, 2))
def test_commutes_with_flips_and_permutations(order: list[int], flips: set[int], axis: int) -> None:
    source = volume((5, 6, 4))
    turned = np.flip(source, tuple(flips)).transpose(order)
    made = enlarged(turned, order.index(axis), 2 * source.shape[axis], cubic)
    expected = np.flip(enlarged(source, axis, 2 * source.shape[axis], cubic), tuple(flips)).transpose(order)
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_the_network_gets_the_rows_it_is_to_grow() -> None:
    network = shipped_network(repeated)(volume((5, 6, 4)), 2, 12)
    plane = volume((4, 6, 1))[:, :, 0]
    np.testing.assert_allclose(network(plane), plane.repeat(3, 0), rtol=1e-6)


def test_cubic_is_the_interpolation_of_every_line() -> None:
    source, result = volume((5, 6, 4)), np.empty((5, 6, 10), np.float32)
    enlarge_axis(source, 2, 10, cubic_network, result, lambda: None)
    np.testing.assert_allclose(result, axis_resampler(4, 10).apply(source, 2), atol=1e-6)
