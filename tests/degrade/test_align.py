from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from superres.degrade.align import align_pair, estimate_shift, pair_scale
from superres.degrade.testing import measurement_set
from superres.errors import InputError, OptionError
from superres.resize import resize

from .support import textured

SCENE = textured(420, 440, seed=3)


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 5))
def test_equals_scikit_image(down: int, across: int, seed: int) -> None:
    scene = textured(120, 130, seed).mean(axis=2)
    reference, moved = scene[20:100, 20:110], scene[20 - down : 100 - down, 20 - across : 110 - across]
    expected = phase_cross_correlation(moved, reference, upsample_factor=100, normalization=None)[0]
    # Both take the largest of a grid; where two neighbours are equal to rounding they may differ by a step.
    np.testing.assert_allclose(estimate_shift(reference, moved, window=False), expected, atol=0.0101)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.37, -0.82), (3.5, 2.25), (-6.1, 0.49)])
def test_finds_a_sub_pixel_shift(shift: tuple[float, float]) -> None:
    scene = SCENE[..., 0].astype(float)
    moved = ndimage.fourier_shift(np.fft.fft2(scene), shift)
    found = estimate_shift(scene, np.fft.ifft2(moved).real)
    np.testing.assert_allclose(found, shift, atol=0.03)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_recovers_a_known_shift_of_a_degraded_pair(scale: int) -> None:
    random = np.random.default_rng(scale)
    for index in range(2):
        # In ground-truth pixels, so that the low grid falls between the high one's blocks.
        down, across = random.integers(-14, 15, 2)
        high = SCENE[30:330, 40:364]
        low = measurement_set(SCENE[30 + down : 330 + down, 40 + across : 364 + across], scale, index)
        cut_low, cut_high, found = align_pair(low, high, scale)
        assert found.shift == pytest.approx((-down / scale, -across / scale), abs=0.12)
        assert cut_high.shape == (cut_low.shape[0] * scale, cut_low.shape[1] * scale, 3)
        assert max(map(abs, found.residual)) <= 0.5 / scale + 1e-9
        # Nothing was resampled: both are windows of what came in, and of all but the shifted border.
        assert cut_low.shape[0] >= low.shape[0] - abs(down) // scale - 2
        assert _holds(high, cut_high) and _holds(low, cut_low)
        again = align_pair(cut_low, cut_high, scale)[2]
        assert max(map(abs, again.shift)) < 0.5 / scale + 0.05


def _holds(picture: np.ndarray, part: np.ndarray) -> bool:
    views = np.lib.stride_tricks.sliding_window_view(picture[..., 0], part.shape[:2])
    corners = np.argwhere(np.all(views[..., 0, :8] == part[0, :8, 0], axis=-1))
    return any(np.array_equal(picture[y : y + part.shape[0], x : x + part.shape[1]], part) for y, x in corners)


def test_a_pair_that_fits_already_is_left_whole() -> None:
    high = SCENE[:240, :240]
    low = resize(high, scale=1 / 4)
    cut_low, cut_high, found = align_pair(low, high, 4)
    assert np.array_equal(cut_low, low) and np.array_equal(cut_high, high)
    assert found.correlation > 0.99
    assert found.gain == (1.0, 1.0, 1.0) and found.offset == (0.0, 0.0, 0.0)


def test_sizes_need_not_be_exact() -> None:
    high = SCENE[:243, :238]
    low = resize(SCENE[:240, :244], scale=1 / 4)
    cut_low, cut_high, _ = align_pair(low, high, 4)
    assert cut_low.shape == (60, 59, 3)
    assert np.array_equal(cut_high, high[:240, :236])


def test_photometric_gives_the_high_picture_the_look_of_the_low_one() -> None:
    high = SCENE[:240, :240]
    gain, offset = np.array([0.8, 0.9, 0.7]), np.array([0.1, 0.02, 0.05])
    low = np.rint(resize(high, scale=1 / 2) * gain + 255 * offset).astype(np.uint8)
    _, matched, found = align_pair(low, high, 2, photometric=True)
    assert found.gain == pytest.approx(gain, abs=0.01)
    assert found.offset == pytest.approx(offset, abs=0.01)
    difference = np.abs(resize(matched, scale=1 / 2).astype(int) - low)
    assert difference.mean() < 0.7 and np.mean(difference > 2) < 1e-3


def test_pictures_of_different_scenes_are_refused_with_the_numbers() -> None:
    with pytest.raises(InputError, match=r"correlates at -?0\.\d\d .* expected 0\.50"):
        align_pair(resize(textured(200, 200, seed=8), scale=1 / 2), SCENE[:200, :200], 2)


def test_a_turned_picture_is_refused() -> None:
    high = SCENE[:240, :240]
    low = resize(ndimage.rotate(high, 8, axes=(0, 1), reshape=False, mode="reflect"), scale=1 / 2)
    with pytest.raises(InputError, match="turned"):
        align_pair(low, high, 2)


def test_flat_pictures_are_refused() -> None:
    with pytest.raises(InputError, match="correlates at 0.00"):
        align_pair(np.full((40, 40, 3), 9, np.uint8), np.full((80, 80, 3), 9, np.uint8), 2)


def test_too_little_in_common_is_refused() -> None:
    with pytest.raises(InputError, match="12 x 12"):
        align_pair(SCENE[:12, :12], SCENE[:12, :12], 1)


def test_scale_is_found_from_the_sizes() -> None:
    low = np.zeros((50, 60, 3), np.uint8)
    assert pair_scale(low, np.zeros((200, 240, 3), np.uint8)) == 4
    assert pair_scale(low, np.zeros((155, 176, 3), np.uint8)) == 3
    for size in ((200, 120), (70, 84), (900, 1080)):
        with pytest.raises(InputError, match="expected about the same whole number"):
            pair_scale(low, np.zeros((*size, 3), np.uint8))


def test_what_is_no_pair_is_refused() -> None:
    low, high = SCENE[:50, :50], SCENE[:200, :200]
    with pytest.raises(InputError, match="not about 2 times 50 x 50"):
        align_pair(low, high, 2)
    with pytest.raises(OptionError, match="scale 0"):
        align_pair(low, high, 0)
    with pytest.raises(OptionError, match="cannot align"):
        align_pair(low[..., :1], high, 4)
    with pytest.raises(OptionError, match="cannot align"):
        align_pair(low.astype(np.float32), high, 4)
