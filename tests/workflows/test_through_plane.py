from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superres.pipeline import Options, Upscaler
from superres.resize import axis_resampler, resize
from superres.workflows.through_plane import (
    crossing_axes,
    cubic_network,
    enlarge_axis,
    own_factor,
    shipped_network,
)

Floats = npt.NDArray[np.float32]
#: What a network makes of a plane without its border, (n, w), by a factor: (factor * n, w).
Rows = Callable[[Floats, int], Floats]


def repeated(plane: Floats, factor: int) -> Floats:
    """Stands in for the networks: repeats samples."""
    return plane.repeat(factor, 0)


def cubic(plane: Floats, factor: int) -> Floats:
    return axis_resampler(len(plane), factor * len(plane)).apply(plane, 0)


class Chain:
    """As much of a chain of networks as is used; it has every factor."""

    halo, lanes = 3, 2

    def __init__(self, factor: int, made: Rows) -> None:
        self.scale, self._made = factor, made

    def run(self, batch: Floats) -> Floats:
        whole = self._made(batch[0, 0], self.scale)
        return whole[None, None, self.halo * self.scale : -self.halo * self.scale, self.halo : -self.halo]


def chains(made: Rows = repeated) -> Any:
    return lambda factor: Chain(factor, made)


def volume(shape: tuple[int, int, int] = (5, 6, 4), seed: int = 0) -> Floats:
    return np.random.default_rng(seed).random(shape, np.float32)


def enlarged(source: Floats, axis: int, length: int, made: Rows = repeated) -> Floats:
    shape = [length if k == axis else n for k, n in enumerate(source.shape)]
    result, steps = np.full(shape, np.float32(-9)), []
    enlarge_axis(source, axis, length, shipped_network(chains(made)), result, lambda: steps.append(1))
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

    def marked(plane: Floats, factor: int) -> Floats:
        seen.append(plane[3:-3, 3:-3])
        sign = np.where(np.arange(factor * len(plane))[:, None] % 2, np.float32(1), np.float32(-1))  # keeps every mean
        return repeated(plane, factor) + sign * np.float32(0.1 if seen[-1].shape[1] == 5 else 0.3)  # along x, along y

    source = volume((5, 6, 4))
    sign = np.where(np.arange(8) % 2, 1, -1)
    np.testing.assert_allclose(enlarged(source, 2, 8, marked), source.repeat(2, 2) + 0.2 * sign, atol=1e-6)
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
    source, factors = volume((3, 3, 2)), []

    def marked(plane: Floats, factor: int) -> Floats:
        factors.append(factor)
        return repeated(plane, factor)

    made = enlarged(source, 2, 40, marked)
    assert set(factors) == {16}
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


@pytest.mark.parametrize("length", [10, 14])
def test_means_come_near_to_the_slices(length: int) -> None:
    def brighter(plane: Floats, factor: int) -> Floats:
        return cubic(plane, factor) + np.float32(0.2)

    source = volume((5, 6, 4))
    means = axis_resampler(length, 4, "area").apply(enlarged(source, 2, length, brighter), 2)
    without = axis_resampler(4, length).apply(source, 2)
    missing = np.abs(axis_resampler(length, 4, "area").apply(without, 2) - source)
    assert np.abs(means - source).max() < 0.5 * missing.max()


@pytest.mark.parametrize(
    ("samples", "length", "factor"), [(10, 40, 4), (10, 41, 5), (24, 26, 2), (300, 1201, 4), (3, 90, 16)]
)
def test_whole_factors(samples: int, length: int, factor: int) -> None:
    assert own_factor(samples, length) == factor


@pytest.mark.parametrize("shape", [(3, 4), (600, 5), (5, 600)])
def test_planes_larger_than_a_tile_have_no_seams(shape: tuple[int, int]) -> None:
    def soft(plane: Floats, factor: int) -> Floats:
        around = sum(np.roll(plane, (down, across), (0, 1)) for down in range(-3, 4) for across in range(-3, 4))
        return repeated(np.asarray(around, np.float32) / np.float32(49), factor)

    plane = np.random.default_rng(0).random(shape, np.float32)
    made = shipped_network(chains(soft))(plane[:, :, None].transpose(2, 1, 0), 2, 2 * len(plane)).run(plane)
    padded = np.pad(plane, 6, mode="symmetric")
    expected = soft(padded, 2)[12:-12, 6:-6]
    np.testing.assert_allclose(made, expected, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 8, 16])
def test_the_shipped_networks_at_every_factor(factor: int) -> None:
    """Better than cubic interpolation, the same as torch makes of them, and every thick row stays what it was."""
    starts = pytest.importorskip("superres.training.row_start", reason="NO TORCH: pip install 'superres[train]'")
    from superres.training.rows import enlarge_rows

    x, y = np.meshgrid(np.arange(40), np.arange(16 * factor))
    shapes = [(np.hypot(x - 9 - 3 * k, y - factor * (2 + 3 * k)) < 2 + factor * (1 + k / 3)) for k in range(5)]
    truth = np.asarray(sum(shape * np.float32(0.2) for shape in shapes), np.float32)
    thick = truth.reshape(16, factor, 40).mean(1)
    with Upscaler(Options(precision="fp32", threads=1)) as upscaler:
        network = shipped_network(upscaler.rows)(thick.T[:, None], 2, 16 * factor)
        made = network.run(thick)
    np.testing.assert_allclose(made, enlarge_rows(starts.row_start(factor), thick, 1), atol=2e-6)
    np.testing.assert_allclose(made.reshape(16, factor, 40).mean(1), thick, atol=1e-6)
    wrong = [float(np.square(one - truth).mean()) for one in (made, cubic(thick, factor))]
    assert wrong[0] < 0.97 * wrong[1]


def test_a_constant_plane_stays_so_to_the_last_bit() -> None:
    with Upscaler(Options(precision="fp32", threads=1)) as upscaler:
        plane = np.full((5, 6), np.float32(0.3))
        assert (shipped_network(upscaler.rows)(plane.T[:, None], 2, 20).run(plane) == np.float32(0.3)).all()


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_gaps_stay_where_they_are(gap: float) -> None:
    source = volume()
    source[1, 2, 3] = source[4, :, 0] = gap

    def finite_only(plane: Floats, factor: int) -> Floats:
        assert np.isfinite(plane).all()
        return repeated(plane, factor)

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
    network = shipped_network(chains())(volume((5, 6, 4)), 2, 12)
    plane = volume((4, 6, 1))[:, :, 0]
    assert network.lanes == 2
    np.testing.assert_allclose(network.run(plane), plane.repeat(3, 0), rtol=1e-6)


def test_cubic_is_the_interpolation_of_every_line() -> None:
    source, result = volume((5, 6, 4)), np.empty((5, 6, 10), np.float32)
    enlarge_axis(source, 2, 10, cubic_network, result, lambda: None)
    np.testing.assert_allclose(result, axis_resampler(4, 10).apply(source, 2), atol=1e-6)
