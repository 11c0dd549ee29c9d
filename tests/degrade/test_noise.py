from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.degrade.noise import gaussian_noise, poisson_noise, speckle_noise
from superres.errors import OptionError

NOISES = [gaussian_noise, poisson_noise, speckle_noise]
Noise = Callable[..., np.ndarray]

#: Standard deviation at brightness x, for a strength of 1.
LAW = {gaussian_noise: lambda x: 1.0, poisson_noise: lambda x: x**0.5, speckle_noise: lambda x: x}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("grey", [False, True])
@given(sigma=st.floats(1, 20), level=st.floats(0.35, 0.65), seed=st.integers(0, 1000))
def test_mean_and_variance_are_right(noise: Noise, grey: bool, sigma: float, level: float, seed: int) -> None:
    picture = np.full((160, 150, 3), level, np.float32)
    difference = noise(picture, sigma, np.random.default_rng(seed), grey=grey) - picture
    independent = difference[..., 0].size * (1 if grey else 3)
    expected = sigma / 255 * LAW[noise](level)
    # Five standard errors: of a mean sigma / sqrt(n), of a deviation sigma / sqrt(2 n).
    assert abs(difference.mean()) < 5 * expected / independent**0.5
    assert difference.std() == pytest.approx(expected, rel=5 / (2 * independent) ** 0.5)


@pytest.mark.parametrize("noise", NOISES)
def test_grey_noise_is_equal_in_all_channels_and_colour_noise_is_not(noise: Noise) -> None:
    picture = np.full((60, 60, 3), 0.5, np.float32)
    difference = noise(picture, 10, np.random.default_rng(1), grey=True) - picture
    np.testing.assert_allclose(difference[..., 0], difference[..., 1], atol=1e-6)
    coloured = noise(picture, 10, np.random.default_rng(1)) - picture
    assert abs(np.corrcoef(coloured[..., 0].ravel(), coloured[..., 1].ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(9, 7, 3), (2, 9, 7, 1)])
def test_shape_dtype_range_and_seed(noise: Noise, dtype: type, shape: tuple[int, ...]) -> None:
    top = 255 if dtype is np.uint8 else 1
    picture = (np.random.default_rng(0).random(shape) * top).astype(dtype)
    before = picture.copy()
    made = noise(picture, 40, np.random.default_rng(5))
    assert made.shape == shape
    assert made.dtype == dtype
    assert made.min() >= 0 and made.max() <= top
    assert np.array_equal(picture, before)
    assert np.array_equal(made, noise(picture, 40, np.random.default_rng(5)))
    assert not np.array_equal(made, noise(picture, 40, np.random.default_rng(6)))


@pytest.mark.parametrize("noise", NOISES)
def test_no_strength_is_no_change_and_no_view(noise: Noise) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    made = noise(picture, 0.0, np.random.default_rng(5))
    assert np.array_equal(made, picture)
    assert not np.shares_memory(made, picture)
    # So weak that no byte changes; the generator of Poisson numbers is not asked for 10^14 photons.
    assert np.array_equal(noise(picture, 2e-5, np.random.default_rng(5)), picture)


@pytest.mark.parametrize("noise", NOISES)
def test_pictures_of_a_batch_get_noise_of_their_own(noise: Noise) -> None:
    made = noise(np.full((2, 20, 20, 3), 128, np.uint8), 10, np.random.default_rng(5))
    assert not np.array_equal(made[0], made[1])


@pytest.mark.parametrize("noise", [poisson_noise, speckle_noise])
def test_black_has_no_noise(noise: Noise) -> None:
    black = np.zeros((20, 20, 3), np.uint8)
    assert not noise(black, 30, np.random.default_rng(5)).any()


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("sigma", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_none_is_refused(noise: Noise, sigma: float) -> None:
    with pytest.raises(OptionError, match="noise sigma"):
        noise(np.zeros((4, 4, 3), np.uint8), sigma, np.random.default_rng(0))
