from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from superres.errors import OptionError
from superres.metrics import METRICS, load_metric
from superres.metrics.protocol import luma, score, shave


def _studio_luma(red: int, green: int, blue: int) -> float:
    """ITU-R BT.601: Y' = 0.299 R' + 0.587 G' + 0.114 B', then 219 steps above 16."""
    return 16 + 219 * (0.299 * red + 0.587 * green + 0.114 * blue) / 255


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (12, 200, 99)])
def test_luma_is_that_of_bt601(colour: tuple[int, int, int]) -> None:
    picture = np.full((2, 3, 3), colour, np.uint8)
    assert luma(picture) == pytest.approx(np.full((2, 3), _studio_luma(*colour)), abs=2e-3)


def test_luma_equals_scikit_image() -> None:
    picture = np.random.default_rng(4).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    assert luma(picture) == pytest.approx(rgb2ycbcr(picture)[:, :, 0], abs=1e-9)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1)])
def test_grey_has_the_luma_of_three_equal_channels(shape: tuple[int, ...]) -> None:
    grey = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    rgb = grey.reshape(5, 6, 1).repeat(3, axis=2)
    assert luma(grey) == pytest.approx(luma(rgb), abs=1e-9)


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros(4, np.uint8)])
def test_luma_refuses_other_samples(picture: np.ndarray) -> None:
    with pytest.raises(OptionError, match="uint8"):
        luma(picture)


def test_shave_cuts_every_side() -> None:
    plane = np.arange(42).reshape(6, 7)
    assert np.array_equal(shave(plane, 2), [[16, 17, 18], [23, 24, 25]])
    assert np.array_equal(shave(plane, 0), plane)
    with pytest.raises(OptionError, match="border of 3"):
        shave(plane, 3)


def test_score_leaves_the_border_out() -> None:
    reference = np.random.default_rng(6).integers(0, 256, (24, 25, 3), dtype=np.uint8)
    result = reference.copy()
    result[:4], result[-4:], result[:, :4], result[:, -4:] = 0, 0, 0, 0
    assert score(result, reference, 4).psnr == np.inf
    assert score(result, reference, 3).psnr < 40


def test_score_is_psnr_of_unrounded_luma() -> None:
    random = np.random.default_rng(7)
    result, reference = (random.integers(0, 256, (20, 19, 3), dtype=np.uint8) for _ in range(2))
    inner = (slice(2, -2), slice(2, -2), 0)
    expected = peak_signal_noise_ratio(rgb2ycbcr(reference)[inner], rgb2ycbcr(result)[inner], data_range=255)
    assert score(result, reference, 2).psnr == pytest.approx(expected, abs=1e-9)


def test_every_metric_of_the_table_loads_and_unknown_ones_name_the_nearest() -> None:
    equal = np.random.default_rng(8).random((16, 16)) * 255
    for name in METRICS:
        assert load_metric(name)(equal, equal, 255.0) >= 1
    with pytest.raises(OptionError, match="did you mean 'ssim'"):
        load_metric("sim")
