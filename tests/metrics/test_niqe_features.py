from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import correlate
from scipy.special import gamma
from scipy.stats import gennorm

from superres.metrics.niqe_features import FEATURES, PATCH, patch_features
from superres.resize import resize

Floats = npt.NDArray[np.float64]


def _plane(seed: int, shape: tuple[int, int] = (PATCH, PATCH)) -> Floats:
    random = np.random.default_rng(seed)
    return np.clip(np.cumsum(random.normal(0, 6, shape), axis=1) + random.normal(120, 8, shape), 0, 255)


def _fit(values: Floats) -> tuple[float, float, float]:
    """The authors' estimator of an asymmetric generalised Gaussian, written from the paper."""
    shapes = np.arange(0.2, 10.0005, 0.001)
    table = gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))
    left, right = np.sqrt(np.mean(values[values < 0] ** 2)), np.sqrt(np.mean(values[values > 0] ** 2))
    g = left / right
    moments = np.mean(np.abs(values)) ** 2 / np.mean(values**2) * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    shape = shapes[np.argmin((table - moments) ** 2)]
    ratio = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * ratio, right * ratio


def _independent(plane: Floats) -> list[float]:
    """One patch, one number after the other."""
    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    described = []
    for level in (plane, resize(plane, scale=0.5)):
        mean = correlate(level, window, mode="nearest")
        deviation = np.sqrt(np.abs(correlate(level * level, window, mode="nearest") - mean**2))
        values = (level - mean) / (deviation + 1)
        shape, left, right = _fit(values)
        described += [shape, (left + right) / 2]
        for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
            shape, left, right = _fit(values * np.roll(values, shift, (0, 1)))
            described += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return described


@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_paper_written_out(seed: int) -> None:
    plane = _plane(seed)
    features, _ = patch_features(plane)
    assert features.shape == (1, FEATURES)
    # A step of the table of shapes is 0.001.
    assert features[0] == pytest.approx(_independent(plane), abs=2e-3)


@pytest.mark.parametrize("shape", [0.7, 1.0, 2.0])
def test_the_shape_of_known_distributions_is_found(shape: float) -> None:
    from superres.metrics import niqe_features

    values = gennorm.rvs(shape, scale=3.0, size=(1, 300, 300), random_state=3)
    found, left, right = niqe_features._fitted(values)
    assert found[0] == pytest.approx(shape, rel=0.03)
    assert (left[0] + right[0]) / 2 == pytest.approx(3.0, rel=0.05)


def test_patches_are_counted_from_the_top_left_and_the_rest_is_not_seen() -> None:
    plane = _plane(5, (2 * PATCH + 40, PATCH + 95))
    features, sharpness = patch_features(plane)
    assert features.shape == (2, FEATURES)
    spoilt = plane.copy()
    spoilt[2 * PATCH :], spoilt[:, PATCH:] = 0, 255
    assert np.array_equal(patch_features(spoilt)[0], features)
    assert sharpness.shape == (2,)


def test_sharpness_tells_detail_from_haze() -> None:
    plane = _plane(6, (PATCH, 2 * PATCH))
    plane[:, PATCH:] = 128 + (plane[:, PATCH:] - 128) / 8
    sharpness = patch_features(plane)[1]
    assert sharpness[0] > 4 * sharpness[1]


def test_flat_patches_have_no_numbers_and_raise_no_warning() -> None:
    plane = _plane(7, (PATCH, 2 * PATCH))
    plane[:, :PATCH] = 200
    features, _ = patch_features(np.concatenate([np.full((PATCH, PATCH), 200.0), plane], axis=1))
    assert np.isnan(features[0]).any()
    assert np.isfinite(features[2]).all()
