from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.degrade import DEGRADATIONS, load_degradation
from superres.degrade.align import estimate_shift
from superres.degrade.applying import apply_steps
from superres.degrade.blind import BlindOptions, degrade, degrade_blind, draw_steps
from superres.degrade.steps import Blur, Codec, Noise, Resize, Ringing
from superres.errors import OptionError

from .support import blob, centroid, textured

NEUTRAL = BlindOptions(
    blur_probability=0,
    noise_probability=0,
    codec_probability=0,
    ringing_probability=0,
    second_probability=0,
    resize_kinds={"bicubic": 1},
)
#: Every kind of everything, often.
STRONG = BlindOptions(
    blur_probability=1,
    ringing_probability=0.5,
    second_probability=0.6,
    blur_kinds={"gaussian": 1, "generalised": 1, "plateau": 1},
    resize_kinds={"area": 1, "bilinear": 1, "bicubic": 1},
    codec_kinds={"jpeg": 1, "webp": 1},
)


@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 2, 3, 4]),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([1, 3]),
)
def test_shape_dtype_and_determinism(seed: int, scale: int, height: int, width: int, channels: int) -> None:
    picture = textured(16 * scale, 16 * scale, channels=channels)[: height * scale, : width * scale]
    before = picture.copy()
    made = degrade_blind(picture, scale, np.random.default_rng(seed), STRONG)
    assert made.shape == (height, width, channels)
    assert made.dtype == np.uint8
    assert np.array_equal(picture, before)
    assert np.array_equal(made, degrade_blind(picture, scale, np.random.default_rng(seed), STRONG))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_neutral_options_are_the_bicubic_degradation(scale: int) -> None:
    picture = textured(24 * scale, 20 * scale)
    made = degrade_blind(picture, scale, np.random.default_rng(0), NEUTRAL).astype(int)
    # MATLAB rounds after each axis, this once.
    assert np.abs(made - load_degradation("bicubic")(picture, scale)).max() <= (0 if scale == 1 else 1)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_nothing_shifts_whatever_the_kernels_and_sizes(scale: int) -> None:
    silent = replace(STRONG, noise_probability=0, codec_probability=0)
    random = np.random.default_rng(scale)
    for _ in range(25):
        centre = random.uniform(18, 21, 2) * scale
        picture = blob(40 * scale, 40 * scale, centre, 2.5 * scale)
        found = centroid(degrade_blind(picture, scale, random, silent))
        expected = (centre + 0.5) / scale - 0.5
        assert np.abs(found - expected).max() < 0.05


@pytest.mark.parametrize("scale", [2, 4])
def test_nothing_shifts_under_noise(scale: int) -> None:
    picture = textured(96 * scale, 96 * scale, seed=scale)
    straight = load_degradation("bicubic")(picture, scale).mean(axis=2)
    random, options = np.random.default_rng(scale), replace(STRONG, codec_probability=0)
    for _ in range(15):
        noisy = degrade_blind(picture, scale, random, options).mean(axis=2)
        assert np.abs(estimate_shift(straight, noisy, window=False)).max() < 0.05


def test_nothing_shifts_under_compression() -> None:
    # What a codec drops from one picture can look like a shift; over many pictures it must cancel.
    shifts = []
    for seed in range(30):
        picture, random = textured(96, 96, seed), np.random.default_rng(seed)
        straight = load_degradation("bicubic")(picture, 2).mean(axis=2)
        made = degrade_blind(picture, 2, random, replace(STRONG, codec_probability=1)).mean(axis=2)
        shifts.append(estimate_shift(straight, made, window=False))
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.02


def test_a_shift_would_be_seen() -> None:
    picture = textured(192, 192, seed=2)
    straight = load_degradation("bicubic")(picture, 2).mean(axis=2)
    moved = load_degradation("bicubic")(np.roll(picture, 1, axis=1), 2).mean(axis=2)
    assert estimate_shift(straight, moved)[1] == pytest.approx(0.5, abs=0.05)


def test_draws_stay_within_their_ranges_and_meet_every_kind() -> None:
    random = np.random.default_rng(0)
    steps = [step for _ in range(600) for step in draw_steps(random, STRONG)]
    blurs = [step for step in steps if isinstance(step, Blur)]
    noises = [step for step in steps if isinstance(step, Noise)]
    codecs = [step for step in steps if isinstance(step, Codec)]
    assert {step.kind for step in blurs} == {"gaussian", "generalised", "plateau"}
    assert {step.kind for step in noises} == {"gaussian", "poisson", "speckle"}
    assert {step.kind for step in codecs} == {"jpeg", "webp"}
    assert {step.kernel for step in steps if isinstance(step, Resize)} == {"area", "bilinear", "bicubic"}
    assert any(isinstance(step, Ringing) for step in steps)
    assert all(0 <= sigma <= 1 for step in blurs for sigma in step.sigmas)
    assert all(0 <= step.sigma <= 15 for step in noises)
    assert {30, 95} <= {step.quality for step in codecs}
    assert all(30 <= step.quality <= 95 for step in codecs)
    assert {step.subsampled for step in codecs} == {step.grey for step in noises} == {True, False}
    relative = [step.relative for step in steps if isinstance(step, Resize)]
    assert 0.7 <= min(relative) < 0.75 and 1.4 < max(relative) <= 1.5
    assert any(step.sigmas[0] == step.sigmas[1] for step in blurs)
    assert any(step.sigmas[0] != step.sigmas[1] for step in blurs)


def test_probabilities_are_the_shares_they_say() -> None:
    random, count = np.random.default_rng(1), 1500
    drawn = [draw_steps(random, BlindOptions()) for _ in range(count)]
    second = sum(sum(isinstance(step, Resize) for step in steps) == 2 for steps in drawn) / count
    compressed = sum(any(isinstance(step, Codec) for step in steps[-2:]) for steps in drawn) / count
    # Four standard errors of a share of 1500 are 0.045 at most.
    assert second == pytest.approx(0.25, abs=0.045)
    assert compressed == pytest.approx(0.9, abs=0.045)


def test_the_table_entry_uses_the_defaults_and_the_drawn_steps_are_what_is_done() -> None:
    picture = textured(48, 48)
    made = degrade(picture, 2, np.random.default_rng(4))
    assert np.array_equal(made, degrade_blind(picture, 2, np.random.default_rng(4), BlindOptions()))
    random = np.random.default_rng(4)
    steps = draw_steps(random, BlindOptions())
    assert np.array_equal(made, apply_steps(picture, steps, (24, 24), random))


def test_options_are_frozen_values() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NEUTRAL.grey = 1.0  # type: ignore[misc]
    assert replace(NEUTRAL) == NEUTRAL


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"blur": (1.0, 0.5)}, "blur"),
        ({"noise": (-1.0, 5.0)}, "noise"),
        ({"quality": (0, 50)}, "quality"),
        ({"quality": (50, 101)}, "quality"),
        ({"intermediate": (0.0, 1.0)}, "intermediate"),
        ({"second_probability": 1.5}, "second_probability"),
        ({"grey": float("nan")}, "grey"),
        ({"noise_kinds": {"poison": 1.0}}, "did you mean 'poisson'"),
        ({"codec_kinds": {"jpeg": -1.0}}, "weight"),
        ({"resize_kinds": {}}, "above 0"),
        ({"blur_kinds": {"gaussian": 0.0}}, "above 0"),
    ],
)
def test_options_out_of_bounds_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        BlindOptions(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("height", "width", "scale"), [(8, 9, 2), (7, 8, 4), (8, 8, 0), (34, 34, 17)])
def test_sizes_that_do_not_divide_are_refused(height: int, width: int, scale: int) -> None:
    with pytest.raises(OptionError, match=f"{width} x {height}"):
        degrade(np.zeros((height, width, 3), np.uint8), scale, np.random.default_rng(0))


@pytest.mark.parametrize("name", [name for name, entry in DEGRADATIONS.items() if entry.random])
def test_the_steps_that_are_told_are_those_that_are_done(name: str) -> None:
    high = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    degradation = load_degradation(name)
    for seed in range(12):
        steps = degradation.steps(np.random.default_rng(seed))
        random = np.random.default_rng(seed)
        low = degradation(high, 2, random)
        again = np.random.default_rng(seed)
        assert degradation.steps(again) == steps
        np.testing.assert_array_equal(low, apply_steps(high, steps, (16, 20), again))
