from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from superres.errors import OptionError
from superres.metrics.psnr import psnr


@pytest.mark.parametrize(("dtype", "data_range"), [(np.uint8, 255), (np.uint16, 65535)])
def test_equals_scikit_image(dtype: type, data_range: int) -> None:
    random = np.random.default_rng(1)
    a, b = (random.integers(0, data_range + 1, (21, 17, 3)).astype(dtype) for _ in range(2))
    assert psnr(a, b, data_range) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=data_range), abs=1e-9)


def test_unsigned_samples_do_not_wrap() -> None:
    # 0 - 255 in uint8 would be 1: an error of the full range must not look like one of a single step.
    assert psnr(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)) == pytest.approx(0.0)


def test_equal_pictures_are_infinitely_close() -> None:
    assert psnr(np.ones((3, 3)), np.ones((3, 3))) == math.inf


def test_half_the_error_is_six_decibels() -> None:
    zero = np.zeros((5, 5))
    assert psnr(zero, zero + 1) - psnr(zero, zero + 2) == pytest.approx(20 * math.log10(2))


@pytest.mark.parametrize("shapes", [((4, 4), (4, 5)), ((0, 4), (0, 4)), ((4, 4), (4, 4, 1))])
def test_shapes_that_differ_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(OptionError, match="non-empty shape"):
        psnr(np.zeros(shapes[0]), np.zeros(shapes[1]))
