from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.degrade.generated import GENERATORS, generate
from superres.degrade.generated.colours import ink_and_paper, luminance, palette
from superres.degrade.generated.lines import _fill, _stroke
from superres.degrade.generated.textures import noise_field
from superres.errors import OptionError

KINDS = sorted(GENERATORS)


@pytest.fixture(autouse=True)
def _fonts(request: pytest.FixtureRequest) -> None:
    if "text" in request.node.name:
        try:
            generate("text", (32, 32), np.random.default_rng(0))
        except OptionError as error:
            pytest.skip(f"GENERATED TEXT NOT TESTED: {error}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(16, 16), (40, 70)])
@pytest.mark.parametrize("oversampling", [2, 4])
def test_shape_dtype_and_determinism(kind: str, size: tuple[int, int], oversampling: int) -> None:
    for seed in range(3):
        made = generate(kind, size, np.random.default_rng(seed), oversampling=oversampling)
        assert made.shape == (*size, 3)
        assert made.dtype == np.uint8
        again = generate(kind, size, np.random.default_rng(seed), oversampling=oversampling)
        assert np.array_equal(made, again)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_differ_and_hold_something(kind: str) -> None:
    pictures = [generate(kind, (48, 48), np.random.default_rng(seed), oversampling=2) for seed in range(8)]
    assert len({picture.tobytes() for picture in pictures}) == 8
    spread = [picture.astype(float).std(axis=(0, 1)).max() for picture in pictures]
    assert np.median(spread) > 10
    # Neighbours are alike within things and unlike at edges.
    steps = np.concatenate([np.abs(np.diff(picture.astype(int), axis=1)).ravel() for picture in pictures])
    assert np.mean(steps <= 8) > 0.25
    assert np.mean(steps >= 40) > 0.005


def test_leaves_sizes_follow_a_power_law_over_octaves() -> None:
    # A scale-invariant picture looks alike when it is reduced: contrast of details falls slowly from octave to octave.
    contrasts = []
    for seed in range(4):
        picture = generate("leaves", (96, 96), np.random.default_rng(seed), oversampling=2).mean(axis=2)
        octaves = []
        for _ in range(4):
            octaves.append(np.abs(np.diff(picture, axis=1)).mean())
            picture = picture.reshape(len(picture) // 2, 2, -1, 2).mean(axis=(1, 3))
        contrasts.append(octaves)
    ratios = np.array(contrasts).mean(axis=0)
    assert np.all(ratios[1:] / ratios[:-1] > 0.6)
    assert np.all(ratios[1:] / ratios[:-1] < 1.7)


@given(st.integers(0, 100), st.sampled_from([(4.0, 16.0), (2.0, float("inf")), (20.0, float("inf"))]))
def test_noise_is_of_the_band_asked_for(seed: int, band: tuple[float, float]) -> None:
    shortest, longest = band
    field = noise_field(64, 48, np.random.default_rng(seed), shortest=shortest, longest=longest, slope=0.0)
    assert field.shape == (64, 48)
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-3)
    window = np.outer(np.hanning(64), np.hanning(48))
    power = np.abs(np.fft.fft2(field * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(48))
    # The window spreads every frequency over its neighbours.
    slack = 3 / 48
    inside = (frequency <= 1 / shortest + slack) & (frequency >= 1 / longest - slack)
    assert power[inside].sum() > 0.98 * power.sum()


@given(st.integers(0, 1000), st.integers(1, 64))
def test_colours_are_colours(seed: int, count: int) -> None:
    colours = palette(count, np.random.default_rng(seed))
    assert colours.shape == (count, 3)
    assert colours.min() >= 0 and colours.max() <= 1
    ink, paper = ink_and_paper(np.random.default_rng(seed))
    assert abs(float(luminance(ink) - luminance(paper))) > 0.25


def test_a_stroke_covers_its_length_times_its_thickness() -> None:
    canvas = np.zeros((200, 200, 3), np.float32)
    _stroke(canvas, np.array([[40.0, 30.0], [160.0, 117.0]]), 6.0, np.ones(3, np.float32))
    expected = np.hypot(120, 87) * 6 + np.pi * 3**2
    assert canvas[..., 0].sum() == pytest.approx(expected, rel=0.01)
    # Two pieces that lie over each other are one stroke, also at its soft rim.
    twice = np.zeros_like(canvas)
    _stroke(twice, np.array([[40.0, 30.0], [160.0, 117.0], [40.0, 30.0]]), 6.0, np.ones(3, np.float32))
    np.testing.assert_allclose(twice, canvas, atol=1e-5)


def test_a_polygon_is_filled_by_the_even_odd_rule() -> None:
    canvas = np.zeros((60, 60, 3), np.float32)
    _fill(canvas, np.array([[10.0, 10], [10, 50], [50, 50], [50, 10], [10, 10]]), np.ones(3, np.float32))
    assert canvas[..., 0].sum() == pytest.approx(1600, rel=0.06)
    assert canvas[30, 30, 0] == 1 and canvas[5, 30, 0] == 0 and canvas[30, 55, 0] == 0


def test_text_has_ink_and_paper() -> None:
    picture = generate("text", (96, 96), np.random.default_rng(3)).astype(int)
    levels = np.unique(picture.reshape(-1, 3), axis=0)
    assert len(levels) > 20, "antialiased edges have many levels"


def test_text_without_fonts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvips

    def no_text(*_: object, **__: object) -> object:
        raise pyvips.Error("no such operation text")

    monkeypatch.setattr(pyvips.Image, "text", no_text, raising=False)
    with pytest.raises(OptionError, match="install a font"):
        generate("text", (32, 32), np.random.default_rng(0))


def test_refused() -> None:
    random = np.random.default_rng(0)
    with pytest.raises(OptionError, match="did you mean 'lines'"):
        generate("line", (32, 32), random)
    for size, oversampling in (((8, 32), 3), ((32, 32), 1), ((32, 32), 5)):
        with pytest.raises(OptionError, match="expected at least 16 x 16"):
            generate("lines", size, random, oversampling=oversampling)
