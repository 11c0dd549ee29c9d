from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from superres.errors import OptionError
from superres.metrics.ssim import ssim

Plane = npt.NDArray[np.float64]


def _independent(a: Plane, b: Plane, data_range: float) -> float:
    """scikit-image's SSIM with the paper's window, over positions where the window lies wholly inside."""
    _, full = structural_similarity(
        a, b, data_range=data_range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    return float(full[5:-5, 5:-5].mean())


@pytest.mark.parametrize("shape", [(11, 11), (12, 31), (40, 23)])
@pytest.mark.parametrize("data_range", [255.0, 1.0, 65535.0])
def test_equals_scikit_image(shape: tuple[int, int], data_range: float) -> None:
    random = np.random.default_rng(2)
    a = random.random(shape) * data_range
    b = np.clip(a + random.normal(0, 0.1, shape) * data_range, 0, data_range)
    assert ssim(a, b, data_range) == pytest.approx(_independent(a, b, data_range), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0.5, 200))
def test_symmetric_and_below_one(seed: int, noise: float) -> None:
    random = np.random.default_rng(seed)
    a = random.random((13, 14)) * 255
    b = a + random.normal(0, noise, a.shape)
    assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-12)
    assert ssim(a, b) < 1
    assert ssim(a, a) == pytest.approx(1, abs=1e-12)


def test_more_noise_is_less_similar() -> None:
    random = np.random.default_rng(3)
    a, noise = random.random((32, 32)) * 255, random.normal(0, 1, (32, 32))
    values = [ssim(a, a + strength * noise) for strength in (1, 4, 16, 64)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("shape", [(10, 20), (20, 10), (16, 16, 3)])
def test_what_the_window_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="11 x 11"):
        ssim(np.zeros(shape), np.zeros(shape))
