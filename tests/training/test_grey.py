from __future__ import annotations

import numpy as np
import pytest

from superres.resize import resize
from superres.training import grey
from superres.training.grey import grey_pair, random_mix, row_pair

from .conftest import noise, wave


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_weights_are_a_mean_and_single_colours_are_among_them() -> None:
    mixes = np.array([random_mix(generator(seed)) for seed in range(200)])
    assert mixes.shape == (200, 3)
    assert mixes.min() >= 0
    np.testing.assert_allclose(mixes.sum(axis=1), 1, rtol=1e-6)
    assert (mixes.max(axis=1) == 1).any()


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_both_sides_are_the_same_plane(scale: int) -> None:
    """Whatever was drawn, the input is the reduced truth, but for rounding in bytes."""
    high = wave(16 * scale, 12 * scale, 3)
    low = resize(high, scale=1 / scale) if scale > 1 else high
    for seed in range(40):
        small, large = grey_pair(low, high, scale, generator(seed))
        assert (small.shape, large.shape) == ((16, 12, 1), (16 * scale, 12 * scale, 1))
        assert small.dtype == large.dtype == np.uint8
        made = large.astype(np.float32)
        made = resize(made, scale=1 / scale) if scale > 1 else made
        # Half a step of rounding on each side, and the input's own, once for rows and once for columns.
        assert np.abs(np.clip(made, 0, 255) - small).max() <= 2.5


def test_of_either_polarity_and_contrast(monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("_NOISY", "_CURVED", "_SOFT"):
        monkeypatch.setattr(grey, other, 0.0)
    picture = noise(12, 12)
    spans, signs = set(), set()
    for seed in range(60):
        mixed = picture.astype(float) @ random_mix(generator(seed))
        made = grey_pair(picture, picture, 1, generator(seed))[1][:, :, 0].astype(float)
        factor = np.polyfit(mixed.ravel(), made.ravel(), 1)[0]
        assert grey._CONTRAST - 0.01 < abs(factor) < 1.01
        spans.add(round(abs(factor), 1))
        signs.add(factor > 0)
    assert signs == {True, False}
    assert len(spans) > 3


def test_noise_softness_and_curves_belong_to_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    for chosen in ("_NOISY", "_CURVED", "_SOFT"):
        for other in ("_NOISY", "_CURVED", "_SOFT", "_FAINT", "_INVERTED"):
            monkeypatch.setattr(grey, other, float(other == chosen))
        high = wave(32, 24, 3) // 2 + 60  # far from black and white, where clipping comes in
        low = resize(high, scale=0.5)
        changes: list[float] = []
        for seed in range(8):
            plain = high.astype(np.float32) @ random_mix(generator(seed))
            small, large = (side[:, :, 0].astype(np.float32) for side in grey_pair(low, high, 2, generator(seed)))
            changes.append(np.abs(large - plain).max())
            assert np.abs(resize(large, scale=0.5) - small).max() <= 2.5
        assert max(changes) > 5, chosen


def test_white_of_any_mix_has_an_inverse_of_any_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    for always in ("_INVERTED", "_CURVED"):
        monkeypatch.setattr(grey, always, 1.0)
    for never in ("_NOISY", "_FAINT"):
        monkeypatch.setattr(grey, never, 0.0)
    white = np.full((8, 8, 3), 255, np.uint8)
    for seed in range(60):  # warnings are errors here
        assert not any(side.any() for side in grey_pair(white, white, 1, generator(seed)))


def test_what_else_the_input_lacks_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that is darker than its truth is so after any draw, by as much as contrast and polarity leave of it."""
    monkeypatch.setattr(grey, "_CURVED", 0.0)
    high = np.full((16, 16, 3), 120, np.uint8)
    for seed in range(20):
        plain, dark = (
            grey_pair(np.full((8, 8, 3), value, np.uint8), high, 2, generator(seed))[0].mean() for value in (120, 100)
        )
        assert 20 * grey._CONTRAST - 1 < abs(plain - dark) < 21


@pytest.mark.parametrize("scale", [2, 3, 6])
def test_thick_rows_are_means_of_thin_ones(scale: int) -> None:
    high = wave(8 * scale, 10 * scale, 3)
    low = resize(high, scale=1 / scale)
    for seed in range(10):
        thick, thin = row_pair(low, high, scale, generator(seed))
        assert (thick.shape, thin.shape) == ((8, 10, 1), (8 * scale, 10, 1))
        assert thick.dtype == thin.dtype == np.uint8
        assert np.abs(thin.reshape(8, scale, 10, 1).mean(1) - thick).max() <= 0.5


def test_it_depends_on_its_generator_alone() -> None:
    picture = noise(8, 8)
    one, other = (grey_pair(picture, picture, 1, generator(7)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
