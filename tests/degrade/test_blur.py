from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from superres.degrade.blur import blur
from superres.degrade.kernels import Kernel, gaussian_kernel, plateau_kernel, sinc_kernel
from superres.degrade.linear import filter_and_resize
from superres.degrade.resampling import resample
from superres.errors import OptionError
from superres.resize import resize

from .support import textured

KERNELS = [gaussian_kernel(2.0), gaussian_kernel(3.0, 1.0, 0.5), plateau_kernel(1.5, shape=1.5), sinc_kernel(2.0, 6)]
IDENTITY = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0.0]])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("height", "width"), [(40, 31), (300, 9), (5, 6), (1, 1), (2, 30)])
def test_equals_an_independent_correlation(kernel: Kernel, height: int, width: int) -> None:
    # Away from 0 and 1, so that nothing clips.
    picture = np.random.default_rng(1).uniform(0.3, 0.7, (height, width, 3)).astype(np.float32)
    radius = len(kernel) // 2
    padded = np.pad(picture.astype(np.float64), ((radius, radius), (radius, radius), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape, axis=(0, 1))
    expected = np.einsum("hwcij,ij->hwc", windows, kernel)
    np.testing.assert_allclose(blur(picture, kernel, tolerance=1e-9), expected, atol=3e-6)
    assert np.abs(blur(picture, kernel) - expected).max() < 0.25 / 255


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("resampling", ["area", "bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("size", [(75, 35), (33, 60), (200, 210), (1, 3)])
def test_blur_and_resize_in_one_pass_equals_one_after_the_other(
    kernel: Kernel, resampling: str, size: tuple[int, int]
) -> None:
    picture = np.random.default_rng(2).random((150, 140, 2))
    expected = resize(ndimage.correlate(picture, kernel[:, :, None], mode="reflect"), size, kernel=resampling)
    made = filter_and_resize(picture.astype(np.float32), kernel, size, resampling, 1e-9)
    np.testing.assert_allclose(made, expected, atol=3e-6)


@given(st.integers(0, 3), st.integers(0, 9))
def test_blur_keeps_the_mean_of_a_picture_that_ends_in_flat_borders(which: int, seed: int) -> None:
    picture = np.full((48, 56, 3), 0.5, np.float32)
    picture[16:-16, 16:-16] = np.random.default_rng(seed).uniform(0.3, 0.7, (16, 24, 3))
    made = blur(picture, KERNELS[which])
    np.testing.assert_allclose(made.mean(axis=(0, 1)), picture.mean(axis=(0, 1)), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_flat_picture_stays_flat(dtype: type) -> None:
    picture = np.full((30, 20, 3), 77 if dtype is np.uint8 else 0.3, dtype)
    for kernel in KERNELS:
        np.testing.assert_allclose(blur(picture, kernel), picture, atol=0 if dtype is np.uint8 else 1e-6)


def test_identity_kernel_and_size_change_nothing() -> None:
    picture = textured(20, 30)
    assert np.array_equal(blur(picture, IDENTITY), picture)
    assert np.array_equal(resample(picture, (20, 30)), picture)


def test_batches_bytes_and_floats_agree() -> None:
    stack = np.stack([textured(24, 20, seed) for seed in range(3)])
    for step in (lambda x: blur(x, KERNELS[1]), lambda x: resample(x, (7, 11), "area")):
        made = step(stack)
        assert made.dtype == np.uint8
        for one, whole in zip(stack, made, strict=True):
            assert np.array_equal(step(one), whole)
        as_float = step((stack / 255).astype(np.float32))
        assert as_float.dtype == np.float32
        assert np.abs(as_float * 255 - made).max() <= 0.501
        assert as_float.min() >= 0 and as_float.max() <= 1


def test_memory_layout_does_not_matter_and_the_input_stays() -> None:
    picture = textured(24, 20)
    before = picture.copy()
    made = blur(picture, KERNELS[1])
    assert np.array_equal(picture, before)
    assert np.array_equal(blur(np.asfortranarray(picture), KERNELS[1]), made)
    picture.flags.writeable = False
    assert np.array_equal(blur(picture, KERNELS[1]), made)


@pytest.mark.parametrize("kernel", ["area", "bilinear", "bicubic"])
@given(st.integers(12, 60), st.integers(12, 60))
def test_resampling_to_any_size_keeps_the_centres_of_a_ramp(kernel: str, height: int, width: int) -> None:
    # A ramp along each axis, whose value is its position: a shift of the grid would show as an offset.
    y, x = (np.arange(40) + 0.5) / 40, (np.arange(50) + 0.5) / 50
    ramp = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).astype(np.float32)
    made = resample(ramp, (height, width), kernel)
    rows, columns = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    down, across = made[:, width // 2, 0] - rows, made[height // 2, :, 1] - columns
    # Area takes samples for flat: up to half of one off where it enlarges, to either side.
    slack = 0.5 if kernel == "area" else 0.1
    for error, sample in ((down, 1 / 40), (across, 1 / 50)):
        inner = error[len(error) // 4 : len(error) - len(error) // 4]
        assert np.abs(inner).max() <= slack * sample
        assert abs(inner.mean()) <= 0.02 * sample


def test_what_is_no_picture_kernel_or_size_is_refused() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    for bad in (np.ones((2, 2)) / 4, np.ones((3, 3)), np.ones((3, 5)) / 15, np.ones(3) / 3):
        with pytest.raises(OptionError, match="blur kernel"):
            blur(picture, bad)
    for other in (picture.astype(np.float64), picture[0], picture[:0], picture.astype(np.int32)):
        with pytest.raises(OptionError, match="cannot degrade"):
            blur(other, IDENTITY)
        with pytest.raises(OptionError, match="cannot degrade"):
            resample(other, (4, 4))
    with pytest.raises(OptionError, match="at least 1"):
        resample(picture, (0, 4))
    with pytest.raises(OptionError, match="did you mean 'bicubic'"):
        resample(picture, (4, 4), "bicubik")
