"""What holds for every resize, whatever the sizes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from superres.resize import KERNELS, axis_resampler, resize

LENGTHS = st.integers(1, 40)
NAMES = st.sampled_from(sorted(KERNELS))
SEEDS = st.integers(0, 2**32 - 1)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@given(LENGTHS, LENGTHS, NAMES, st.booleans())
def test_rows_sum_to_one_and_stay_inside(in_length: int, out_length: int, kernel: str, antialias: bool) -> None:
    resampler = axis_resampler(in_length, out_length, kernel, antialias=antialias)
    np.testing.assert_allclose(resampler.weights.sum(axis=1), 1, atol=1e-12)
    assert resampler.indices.min() >= 0
    assert resampler.indices.max() < in_length
    assert resampler.out_length == out_length


@given(LENGTHS, LENGTHS, LENGTHS, LENGTHS, NAMES, st.integers(0, 255))
def test_constant_in_constant_out(height: int, width: int, high: int, wide: int, kernel: str, value: int) -> None:
    small = np.full((height, width), value, np.uint8)
    assert np.all(resize(small, (high, wide), kernel=kernel) == value)


@given(LENGTHS, LENGTHS, NAMES, SEEDS)
def test_adjoint_identity(in_length: int, out_length: int, kernel: str, seed: int) -> None:
    resampler = axis_resampler(in_length, out_length, kernel)
    x, y = noise(seed, 2, in_length), noise(seed + 1, 2, out_length)
    assert np.isclose(np.sum(resampler.apply(x, 1) * y), np.sum(x * resampler.adjoint(y, 1)), atol=1e-10)


@given(LENGTHS, LENGTHS, NAMES, SEEDS)
def test_matrix_is_what_apply_does(in_length: int, out_length: int, kernel: str, seed: int) -> None:
    resampler = axis_resampler(in_length, out_length, kernel)
    x, y = noise(seed, in_length, 3), noise(seed, out_length, 3)
    np.testing.assert_allclose(resampler.apply(x, 0), resampler.matrix() @ x, atol=1e-12)
    np.testing.assert_allclose(resampler.adjoint(y, 0), resampler.matrix().T @ y, atol=1e-12)


@given(LENGTHS, LENGTHS, NAMES, SEEDS, st.data())
def test_a_window_equals_its_part_of_the_whole(
    in_length: int, out_length: int, kernel: str, seed: int, data: st.DataObject
) -> None:
    resampler = axis_resampler(in_length, out_length, kernel)
    start = data.draw(st.integers(0, out_length - 1))
    stop = data.draw(st.integers(start + 1, out_length))
    first, last = resampler.source_window(start, stop)
    x = noise(seed, in_length, 2).astype(np.float32)
    part = resampler.apply(x[first:last], 0, start=start, stop=stop, offset=first)
    assert np.array_equal(part, resampler.apply(x, 0)[start:stop])


@given(LENGTHS, st.integers(1, 6), SEEDS)
def test_area_keeps_the_mean(out_length: int, factor: int, seed: int) -> None:
    x = noise(seed, out_length * factor)
    small = axis_resampler(out_length * factor, out_length, "area").apply(x, 0)
    np.testing.assert_allclose(small, x.reshape(out_length, factor).mean(axis=1), atol=1e-12)


@given(LENGTHS, LENGTHS, st.sampled_from(["bicubic", "bilinear", "lanczos3", "area"]), SEEDS)
def test_commutes_with_a_flip(in_length: int, out_length: int, kernel: str, seed: int) -> None:
    resampler = axis_resampler(in_length, out_length, kernel)
    x = noise(seed, in_length)
    np.testing.assert_allclose(resampler.apply(x[::-1], 0), resampler.apply(x, 0)[::-1], atol=1e-9)


@given(LENGTHS, LENGTHS, SEEDS)
def test_commutes_with_a_quarter_turn(height: int, width: int, seed: int) -> None:
    x = noise(seed, height, width)
    turned = resize(np.rot90(x), (2 * width, 3 * height))
    np.testing.assert_allclose(turned, np.rot90(resize(x, (3 * height, 2 * width))), atol=1e-9)


@given(LENGTHS, NAMES, SEEDS)
def test_the_same_size_changes_nothing(length: int, kernel: str, seed: int) -> None:
    x = noise(seed, length, length)
    np.testing.assert_allclose(resize(x, (length, length), kernel=kernel), x, atol=1e-12)
