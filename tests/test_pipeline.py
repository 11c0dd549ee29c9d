from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tiny_models import NEAREST_HALO, TINY_HALO, NearestBackend, nearest_model, open_nearest, picture, put

import superres
from superres.backends import Backend, Precision, openvino
from superres.backends.openvino import has_bf16
from superres.errors import InferenceError, LimitError, ModelError, OptionError
from superres.formats import Limits, read_image
from superres.image import Image, Metadata
from superres.pipeline import Options, Upscaler, target_size
from superres.resize import resize
from superres.zoo import Int8, Model

Opener = Callable[..., Backend]
Array = npt.NDArray[Any]

#: Samples in one step of 8 bits, the bar for every "equals".
LSB = {"uint8": 1, "uint16": 257, "float32": 1 / 255}
#: Far inside that bar: float32 arithmetic in another order, so a step of rounding at most.
CLOSE = {"uint8": 1, "uint16": 2, "float32": 1e-5}


@pytest.fixture
def enlarge(tiny_folder: Path, opener: Opener) -> Callable[..., Image]:
    """Enlarge with the tiny network in float32: ``enlarge(image, scale=4, tile=8)``."""

    def run(image: Image, **options: Any) -> Image:
        options.setdefault("precision", "fp32")
        if "size" not in options:
            options.setdefault("scale", 2)
        with Upscaler(Options(model="tiny", **options), folder=tiny_folder, opener=opener) as upscaler:
            return upscaler.image(image)

    return run


@pytest.fixture
def repeat(tiny_folder: Path) -> Callable[..., Image]:
    """Enlarge with the fake nearest-neighbour backend, whose results are known exactly."""

    def run(image: Image, opener: Opener = open_nearest, **options: Any) -> Image:
        if "size" not in options:
            options.setdefault("scale", 2)
        with Upscaler(Options(model="nearest", **options), folder=tiny_folder, opener=opener) as upscaler:
            return upscaler.image(image)

    return run


def apart(first: Image, second: Image) -> float:
    assert first.info == second.info
    return float(np.abs(first.samples.astype(np.float64) - second.samples).max())


def times(samples: Array, scale: int) -> Array:
    return samples.repeat(scale, axis=0).repeat(scale, axis=1)


# --- Where every sample goes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [2, 4, 6, 16])
def test_nearest_neighbour_is_exact(repeat: Any, channels: int, dtype: str, scale: int) -> None:
    image = picture(21, 34, channels, dtype)
    large = repeat(image, scale=scale, tile=16)
    if dtype == "float32":
        # One channel goes through as the mean of three equal ones.
        np.testing.assert_allclose(large.samples, times(image.samples, scale), rtol=3e-7)
    else:
        assert np.array_equal(large.samples, times(image.samples, scale))


@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (37, 1), (2, 3), (33, 47), (8, 8), (9, 17)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_size_and_tile(repeat: Any, shape: tuple[int, int], channels: int) -> None:
    image = picture(*shape, channels)
    if image.info.alpha:
        image.samples[:, :, -1] = 255
    for tile in (8, 9, 16, 512):
        assert np.array_equal(repeat(image, scale=3, tile=tile).samples, times(image.samples, 3))


def test_every_window_has_one_shape(tiny_folder: Path) -> None:
    backends: list[NearestBackend] = []

    def opener(name: str, model: bytes, **_: Any) -> Backend:
        backends.append(NearestBackend(model))
        return backends[-1]

    with Upscaler(Options(scale=2, model="nearest", tile=16), folder=tiny_folder, opener=opener) as upscaler:
        upscaler.image(picture(35, 50))
    (backend,) = backends
    assert len(backend.shapes) == 12
    assert len(set(backend.shapes)) == 1, "a runtime prepares each shape anew"
    assert backend.shapes[0][2] <= 16 + 2 * NEAREST_HALO
    assert backend.closed


# --- Any tile size equals the whole picture -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_tile_equals_the_whole(enlarge: Any, channels: int, dtype: str) -> None:
    image = picture(45, 61, channels, dtype)
    whole = enlarge(image, tile=512)
    assert whole.samples.dtype == dtype
    assert whole.samples.shape == (90, 122, channels)
    for tile in (8, 13, 31, 64):
        # Straight colours below little alpha carry its rounding, magnified.
        bar = LSB[dtype] / 8 if image.info.alpha and dtype == "uint16" else CLOSE[dtype]
        assert apart(enlarge(image, tile=tile), whole) <= bar


@pytest.mark.parametrize("scale", [3, 4, 6, 1.5, 2.7])
def test_any_tile_equals_the_whole_at_other_scales(enlarge: Any, scale: float) -> None:
    image = picture(29, 43, 3, "float32")
    whole = enlarge(image, scale=scale, tile=512)
    for tile in (8, 17):
        assert apart(enlarge(image, scale=scale, tile=tile), whole) <= 1e-5


def test_a_wrong_halo_would_be_noticed(tiny_folder: Path, opener: Opener, tmp_path: Path) -> None:
    """The tests above can fail: with a halo too small the tiles show."""
    from superres.zoo import load_model

    model = load_model("tiny", 2, tiny_folder)
    put(replace(model, card=replace(model.card, halo=TINY_HALO - 2)), tmp_path)
    image, results = picture(45, 61, 3, "uint16"), []
    for tile in (8, 512):
        options = Options(scale=2, model="tiny", tile=tile, precision="fp32")
        with Upscaler(options, folder=tmp_path, opener=opener) as upscaler:
            results.append(upscaler.image(image))
    assert apart(*results) > LSB["uint16"]


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bfloat16")
def test_any_tile_equals_the_whole_in_bf16(enlarge: Any) -> None:
    image = picture(45, 61)
    whole = enlarge(image, tile=512, precision="bf16")
    for tile in (8, 31):
        assert apart(enlarge(image, tile=tile, precision="bf16"), whole) <= 1


def test_mirroring_at_the_borders(enlarge: Any) -> None:
    """A picture equals the middle of its mirrored tiling: no network sees a border that is not there."""
    image = picture(20, 15, 3, "float32")
    padded = np.pad(image.samples, ((7, 7), (7, 7), (0, 0)), mode="symmetric")
    inner = enlarge(Image.from_array(padded)).samples[14:-14, 14:-14]
    np.testing.assert_allclose(enlarge(image).samples, inner, atol=1e-5)


def test_flips_of_mirrors_agree(repeat: Any) -> None:
    image = picture(19, 27)
    turned = Image.from_array(np.ascontiguousarray(image.samples[::-1, ::-1]))
    large = repeat(image, scale=2.5)
    assert np.abs(repeat(turned, scale=2.5).samples[::-1, ::-1].astype(int) - large.samples).max() <= 1


# --- Sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "how", "expected"),
    [
        (10, 20, {}, (40, 80)),
        (10, 20, {"scale": 1.5}, (15, 30)),
        (7, 3, {"scale": 1.5}, (10, 4)),
        (1, 1, {"scale": 16}, (16, 16)),
        (10, 20, {"size": (30, 60)}, (30, 60)),
        (10, 20, {"size": (30, 0)}, (30, 60)),
        (10, 20, {"size": (0, 30)}, (15, 30)),
        (1000, 1, {"size": (2000, 0)}, (2000, 2)),
        (1920, 1081, {"size": (3840, 2160)}, (3840, 2160)),
        (10, 20, {"size": (10, 21)}, (10, 21)),
        (10, 20, {"scale": 1}, (10, 20)),  # for a model that only cleans
    ],
)
def test_target_size(width: int, height: int, how: dict[str, Any], expected: tuple[int, int]) -> None:
    assert target_size(width, height, Options(**how)) == expected


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"scale": 0.5}, "more than 1"),
        ({"scale": -4}, "more than 1"),
        ({"scale": float("nan")}, "more than 1"),
        ({"scale": float("inf")}, "more than 1"),
        ({"size": (0, 0)}, "expected WIDTHxHEIGHT"),
        ({"size": (-1, 0)}, "expected WIDTHxHEIGHT"),
        ({"size": (40, -1)}, "expected WIDTHxHEIGHT"),
        ({"size": (2**31, 0)}, "expected WIDTHxHEIGHT"),
        ({"size": (0, 10**400)}, "expected WIDTHxHEIGHT"),
        ({"scale": 1.01}, r"1\.01 would not change the size of 10x20"),
        ({"scale": 1e300}, "at most 16"),
        ({"size": (10, 20)}, "not larger"),
        ({"size": (5, 0)}, "not larger"),
        ({"size": (9, 40)}, "not larger"),
        ({"size": (40, 40)}, "aspect ratio.*use 40x80 or 40x"),
    ],
)
def test_target_size_refuses(how: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        target_size(10, 20, Options(**how))


@pytest.mark.parametrize("how", [{"scale": 16.5}, {"size": (65, 0)}])
def test_too_large_a_scale(repeat: Any, how: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="at most 16"):
        repeat(picture(4, 4), **how)


@pytest.mark.parametrize("size", [(43, 29), (61, 40), (170, 113), (171, 115), (200, 0), (0, 300)])
def test_exact_sizes(repeat: Any, size: tuple[int, int]) -> None:
    image = Image.from_array(np.full((28, 42, 3), 77, np.uint8))
    large = repeat(image, size=size)
    expected = target_size(42, 28, Options(size=size))
    assert (large.info.width, large.info.height) == expected
    assert np.all(large.samples == 77)


@pytest.mark.parametrize("scale", [1.2, 1.5, 2.7, 3.3, 5.5, 15.9])
def test_fractional_scales_are_one_antialiased_resize(repeat: Any, scale: float) -> None:
    image = picture(23, 31, 3, "float32")
    large = repeat(image, scale=scale, tile=8).samples
    nets = next(s for s in (2, 3, 4, 6, 8, 9, 12, 16) if s >= scale)
    np.testing.assert_allclose(large, resize(times(image.samples, nets), large.shape[:2]), atol=3e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2)])
@pytest.mark.parametrize("scale", [1.6, 2.5, 7.3])
def test_fractional_scales_of_thin_pictures(repeat: Any, shape: tuple[int, int], scale: float) -> None:
    large = repeat(picture(*shape), scale=scale)
    assert large.samples.shape[:2] == (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale)))


# --- Memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 1.7])
@pytest.mark.parametrize(("channels", "dtype"), [(3, "uint8"), (4, "uint16"), (1, "float32")])
def test_a_small_budget_gives_the_same_bits(repeat: Any, scale: float, channels: int, dtype: str) -> None:
    image = picture(150, 40, channels, dtype)
    generous = repeat(image, scale=scale)
    for memory in (500_000, 900_000, 1_500_000):
        assert np.array_equal(repeat(image, scale=scale, memory=memory).samples, generous.samples)


def test_a_small_budget_with_a_real_network(enlarge: Any) -> None:
    image = picture(150, 40)
    assert apart(enlarge(image, memory=200_000), enlarge(image)) <= 1


def test_a_budget_too_small_names_one_that_is_enough(repeat: Any) -> None:
    image = picture(20, 1000)
    with pytest.raises(OptionError, match=r"at least (\d+) MB") as caught:
        repeat(image, memory=1)
    enough = int(str(caught.value).split("at least ")[1].split()[0]) * 1_000_000
    repeat(image, memory=enough)
    with pytest.raises(OptionError):
        repeat(image, memory=enough - 1_000_000)


@pytest.mark.parametrize(
    "bad", [{"memory": 0}, {"tile": -1}, {"tile": 7}, {"precision": "fp16"}, {"scale": 2, "size": (4, 4)}]
)
def test_options_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"expected|give one"):
        Options(**bad)


class Hungry(NearestBackend):
    """Has memory for ``most`` pixels at a time."""

    most = 300

    def run(self, batch: Array) -> Array:
        if batch.shape[2] * batch.shape[3] > self.most:
            raise MemoryError("too many")
        return super().run(batch)


def test_out_of_memory_halves_the_tile(repeat: Any) -> None:
    image = picture(40, 33)
    opened: list[Hungry] = []

    def opener(name: str, model: bytes, **_: Any) -> Backend:
        opened.append(Hungry(model))
        return opened[-1]

    assert np.array_equal(repeat(image, opener, scale=4, tile=64).samples, times(image.samples, 4))
    assert len(opened[0].shapes) > 4


def test_out_of_memory_with_a_real_network(tiny_folder: Path, opener: Opener, enlarge: Any) -> None:
    class Limited:
        precision: Precision = "fp32"
        lanes = 1

        def __init__(self, inner: Backend) -> None:
            self.inner, self.refused = inner, 0

        def run(self, batch: Array) -> Array:
            if batch.shape[2] * batch.shape[3] > 2500:
                self.refused += 1
                raise MemoryError
            return self.inner.run(batch)

        def close(self) -> None:
            pass

    made: list[Limited] = []

    def limited(name: str, model: bytes, **options: Any) -> Backend:
        made.append(Limited(opener(name, model, **options)))
        return made[-1]

    image = picture(50, 41, 3, "float32")
    options = Options(scale=6, model="tiny", precision="fp32")
    with Upscaler(options, folder=tiny_folder, opener=limited) as upscaler:
        result = upscaler.image(image)
    assert sum(backend.refused for backend in made) > 0
    assert apart(result, enlarge(image, scale=6)) <= 1e-5


def test_out_of_memory_for_the_smallest_tile_is_an_error(repeat: Any) -> None:
    class Starved(Hungry):
        most = 0

    with pytest.raises(InferenceError, match="out of memory even for"):
        repeat(picture(20, 20), lambda name, model, **_: Starved(model))


# --- Transparency ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("scale", [2, 1.5])
def test_colours_under_full_transparency_do_not_leak(enlarge: Any, channels: int, dtype: str, scale: float) -> None:
    image = picture(30, 30, channels, dtype)
    image.samples[:, :, -1] = np.asarray(image.info.sample_range, dtype)
    image.samples[10:20, 5:25, -1] = 0
    garbage = image.samples.copy()
    garbage[10:20, 5:25, :-1] = np.asarray(image.info.sample_range, dtype) - garbage[10:20, 5:25, :-1]
    results = [enlarge(Image.from_array(samples), scale=scale) for samples in (image.samples, garbage)]
    assert np.array_equal(results[0].samples, results[1].samples)
    assert results[0].samples[:, :, -1].min() == 0
    assert results[0].samples[:, :, -1].max() == image.samples.max()


class Smooth(NearestBackend):
    """Bicubic: linear as nearest neighbour, but it overshoots beside edges as networks do."""

    def run(self, batch: Array) -> Array:
        return resize(batch[0].transpose(1, 2, 0), scale=self.scale).transpose(2, 0, 1)[None]


@pytest.mark.parametrize("scale", [2, 4, 1.5])
def test_no_fringe_at_the_edge_of_one_colour(repeat: Any, scale: float) -> None:
    """A disc of one colour on nothing: wherever it shows, it has its colour."""
    y, x = np.mgrid[:40, :40]
    samples = np.zeros((40, 40, 4), np.float32)
    samples[:, :, 3] = np.clip(15.5 - np.hypot(y - 20, x - 20), 0, 1)
    samples[samples[:, :, 3] > 0, :3] = (0.9, 0.5, 0.1)
    large = repeat(Image.from_array(samples), lambda name, model, **_: Smooth(model), scale=scale).samples
    assert large[:, :, 3].min() == 0
    assert large[:, :, 3].max() == 1
    shown = large[:, :, 3] > 1 / 255
    np.testing.assert_allclose(large[shown][:, :3], np.broadcast_to((0.9, 0.5, 0.1), (shown.sum(), 3)), atol=1e-4)


def test_no_fringe_at_all_with_nearest_neighbour(repeat: Any) -> None:
    samples = np.zeros((20, 20, 4), np.float32)
    samples[:, :, 3] = np.linspace(0, 1, 20)[None]
    samples[:, :, :3] = (0.9, 0.5, 0.1)
    samples[:, 0, :3] = (0, 1, 1)
    large = repeat(Image.from_array(samples), scale=2.5).samples
    shown = large[:, :, 3] > 1 / 255
    np.testing.assert_allclose(large[shown][:, :3], np.broadcast_to((0.9, 0.5, 0.1), (shown.sum(), 3)), atol=1e-5)


def test_alpha_outside_its_range_does_not_brighten(repeat: Any) -> None:
    samples = np.full((6, 6, 4), 0.5, np.float32)
    samples[:3, :, 3], samples[3:, :, 3] = 1.5, -0.5
    large = repeat(Image.from_array(samples)).samples
    np.testing.assert_allclose(large[:6], np.broadcast_to((0.5, 0.5, 0.5, 1), (6, 12, 4)), atol=1e-6)
    assert np.all(large[6:, :, 3] == 0)


def test_an_opaque_picture_stays_opaque(enlarge: Any) -> None:
    image = picture(20, 20, 4)
    image.samples[:, :, 3] = 255
    large = enlarge(image).samples
    assert np.all(large[:, :, 3] == 255)
    assert np.array_equal(large[:, :, :3], enlarge(Image.from_array(image.samples[:, :, :3].copy())).samples)


# --- Gaps: NaN and infinity ----------------------------------------------------------------------------------------

BAD = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [2, 3, 1.5])
def test_gaps_are_restored_where_they_were(repeat: Any, channels: int, scale: float) -> None:
    image = picture(24, 26, channels, "float32")
    if image.info.alpha:
        image.samples[:, :, -1] = 1
    clean = repeat(image, scale=scale).samples
    spoilt = image.samples.copy()
    for index, bad in enumerate(BAD):
        spoilt[4 + 6 * index, 5:9, 0] = bad
    large = repeat(Image.from_array(spoilt), scale=scale, tile=8).samples
    rows, columns = (
        ((np.arange(large.shape[axis]) + 0.5) * spoilt.shape[axis] / large.shape[axis]).astype(int) for axis in (0, 1)
    )
    expected = spoilt[np.ix_(rows, columns)]
    wrong = ~np.isfinite(expected)
    assert wrong.any()
    np.testing.assert_array_equal(large[wrong], expected[wrong])
    assert np.isfinite(large[~wrong]).all()
    # Two samples away (the reach of the resize) nothing has changed; other channels nowhere.
    assert np.array_equal(large[:, :, 1:], clean[:, :, 1:])
    near = np.zeros(spoilt.shape[:2], bool)
    near[~np.isfinite(spoilt[:, :, 0])] = True
    for _ in range(3):
        near = np.pad(near, 1)
        near = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:] | near[1:-1, 1:-1]
    far = ~near[np.ix_(rows, columns)]
    np.testing.assert_allclose(large[far], clean[far], atol=1e-6)


@pytest.mark.parametrize("scale", [2, 1.5])
def test_gaps_do_not_spread_beyond_the_halo(enlarge: Any, scale: float) -> None:
    image = picture(40, 40, 3, "float32")
    spoilt = image.samples.copy()
    spoilt[18:21, 19:22] = np.nan
    spoilt[30, 5, 1] = np.inf
    large = enlarge(Image.from_array(spoilt), scale=scale).samples
    clean = enlarge(image, scale=scale).samples
    rows = ((np.arange(large.shape[0]) + 0.5) / scale).astype(int)
    far = np.ones((40, 40), bool)
    reach = TINY_HALO + 2
    far[18 - reach : 21 + reach, 19 - reach : 22 + reach] = False
    far[30 - reach : 31 + reach, 5 - reach : 6 + reach] = False
    chosen = far[np.ix_(rows, rows)]
    np.testing.assert_allclose(large[chosen], clean[chosen], atol=1e-5)
    assert np.isnan(large).sum() == pytest.approx(27 * scale**2, rel=0.4)
    assert np.isinf(large).sum() >= 1


def test_gaps_are_filled_like_their_surroundings(enlarge: Any) -> None:
    """In a constant picture a gap leaves no trace but itself: no dark rim."""
    samples = np.full((30, 30, 3), 0.75, np.float32)
    samples[10:14, 10:14] = np.nan
    large = enlarge(Image.from_array(samples)).samples
    hole = np.isnan(large)
    assert hole[20:28, 20:28].all()
    assert hole.sum() == 8 * 8 * 3
    np.testing.assert_allclose(large[~hole], 0.75, atol=1e-5)


@pytest.mark.parametrize("tile", [8, 13])
def test_gaps_do_not_depend_on_tiles(enlarge: Any, tile: int) -> None:
    image = picture(40, 45, 4, "float32")
    holes = np.random.default_rng(0).random(image.samples.shape) < 0.05
    image.samples[holes] = np.nan
    image.samples[20:33, 20:30] = np.inf
    whole = enlarge(image).samples
    tiled = enlarge(image, tile=tile).samples
    assert np.array_equal(np.isnan(whole), np.isnan(tiled))
    assert np.array_equal(np.isinf(whole), np.isinf(tiled))
    known = np.isfinite(whole)
    np.testing.assert_allclose(tiled[known], whole[known], atol=1e-4)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("scale", [2, 1.5])
def test_nothing_but_gaps(enlarge: Any, bad: float, scale: float) -> None:
    large = enlarge(Image.from_array(np.full((9, 9, 3), bad, np.float32)), scale=scale).samples
    np.testing.assert_array_equal(large, np.full(large.shape, bad, np.float32))


def test_values_beyond_white_are_kept(repeat: Any) -> None:
    samples = np.array([[-2.0, 0.5], [7.0, 1e4]], np.float32)
    np.testing.assert_allclose(repeat(Image.from_array(samples)).samples[:, :, 0], times(samples, 2), rtol=1e-6)


# --- Constants, repetition, meaning ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [2, 4, 1.3])
def test_constant_in_constant_out(enlarge: Any, channels: int, dtype: str, scale: float) -> None:
    flat = np.empty((11, 13, channels), dtype)
    flat[...] = np.array([0.8, 0.3, 0.1, 0.6])[:channels] * (1 if dtype == "float32" else np.iinfo(dtype).max)
    large = enlarge(Image.from_array(flat), scale=scale).samples.astype(np.float64)
    assert np.abs(large - flat[:1, :1]).max() <= {"uint8": 0, "uint16": 1, "float32": 1e-5}[dtype]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 254, 255])
def test_every_grey_survives(enlarge: Any, value: int) -> None:
    assert np.all(enlarge(Image.from_array(np.full((8, 8), value, np.uint8))).samples == value)


@pytest.mark.parametrize("options", [{}, {"scale": 2.5}, {"tile": 16}, {"precision": "auto"}])
def test_the_same_bits_twice(enlarge: Any, options: dict[str, Any]) -> None:
    image = picture(40, 50, 4)
    assert np.array_equal(enlarge(image, **options).samples, enlarge(image, **options).samples)


def test_the_input_is_not_changed(enlarge: Any) -> None:
    image = picture(20, 20, 4, "float32")
    image.samples[3, 3] = np.nan
    before = image.samples.copy()
    image.samples.flags.writeable = False
    enlarge(image)
    np.testing.assert_array_equal(image.samples, before)


def test_the_meaning_moves_along(repeat: Any) -> None:
    plain = picture(10, 20, 3, "uint16")
    metadata = Metadata(icc=b"icc", exif=b"exif", xmp=b"xmp", dpi=(72, 100))
    image = Image(plain.samples, replace(plain.info, metadata=metadata, format="tiff"))
    info = repeat(image, scale=3).info
    assert (info.height, info.width, info.dtype, info.format) == (30, 60, np.uint16, "tiff")
    assert info.metadata == replace(metadata, dpi=(216, 300))
    # The factors that came about, not the one that was asked for.
    assert repeat(image, scale=1.53).info.metadata.dpi == pytest.approx((72 * 31 / 20, 100 * 15 / 10))


def test_grey_is_grey_through_a_colour_network(enlarge: Any) -> None:
    grey = picture(20, 20, 1, "float32")
    as_rgb = enlarge(Image.from_array(grey.samples.repeat(3, axis=2))).samples
    np.testing.assert_allclose(enlarge(grey).samples[:, :, 0], as_rgb.mean(axis=2), atol=1e-6)


def test_precision_follows_the_samples(tiny_folder: Path) -> None:
    asked: list[str] = []

    def opener(name: str, model: bytes, *, precision: Precision, threads: int) -> Backend:
        asked.append(precision)
        return NearestBackend(model, precision)

    for image in (picture(8, 8), picture(8, 8, 3, "uint16"), picture(8, 8, 3, "float32")):
        with Upscaler(Options(scale=2, model="nearest"), folder=tiny_folder, opener=opener) as upscaler:
            upscaler.image(image)
    assert asked == ["bf16" if has_bf16() else "fp32", "fp32", "fp32"]


def test_networks_are_loaded_once(tiny_folder: Path) -> None:
    opened: list[str] = []

    def opener(name: str, model: bytes, **_: Any) -> Backend:
        opened.append(model.decode())
        return NearestBackend(model)

    with Upscaler(Options(scale=6, model="nearest"), folder=tiny_folder, opener=opener) as upscaler:
        for _ in range(3):
            upscaler.image(picture(9, 9))
    assert opened == ["nearest:2", "nearest:3"]


# --- What is refused, and what fails --------------------------------------------------------------------------------


def test_a_result_over_the_limit(repeat: Any) -> None:
    with pytest.raises(LimitError, match=r"20 x 10 would become 80 x 40.*--max-output"):
        repeat(picture(10, 20), scale=4, limits=Limits(output_pixels=3199))
    repeat(picture(10, 20), scale=4, limits=Limits(output_pixels=3200))


def test_an_unknown_model(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"\['nearest', 'tiny'\]; did you mean 'tiny'"):
        Upscaler(Options(model="tinny"), folder=tiny_folder)


def test_a_scale_that_the_model_does_not_reach(tmp_path: Path) -> None:
    put(nearest_model(2), tmp_path)
    with (
        pytest.raises(OptionError, match="reach less"),
        Upscaler(Options(model="nearest", scale=5), folder=tmp_path, opener=open_nearest) as upscaler,
    ):
        upscaler.image(picture(4, 4))


class Failing(NearestBackend):
    """Fails once the window shows the brightest sample in its middle."""

    def run(self, batch: Array) -> Array:
        inner = batch[:, :, NEAREST_HALO:-NEAREST_HALO, NEAREST_HALO:-NEAREST_HALO]
        if inner.max() == 1:
            raise InferenceError("the cable was pulled")
        return super().run(batch)


def test_8_bit_weights_that_would_overflow_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = nearest_model(2), picture(8, 8)
    put(Model(replace(model.card, int8=Int8(model.card.sha256, loss={"Set5": 0.01})), model.onnx), tmp_path)
    (tmp_path / "nearest_x2.int8.onnx").write_bytes(model.onnx)
    monkeypatch.setattr(openvino, "has_int8", lambda code: code <= 64)
    options = Options(scale=2, model="nearest", precision="int8")
    refused = pytest.raises(ModelError, match=r"nearest_x2: its 8-bit weights reach 127.*superres quantize")
    with Upscaler(options, folder=tmp_path, opener=open_nearest) as upscaler, refused:
        upscaler.chain(image.info, (16, 16))
    # ONNX Runtime computes such a file in floats.
    with Upscaler(replace(options, backend="onnxruntime"), folder=tmp_path, opener=open_nearest) as upscaler:
        assert upscaler.chain(image.info, (16, 16)).precision == "int8"


def test_a_plan_names_what_would_run_and_loads_nothing(tmp_path: Path) -> None:
    info = picture(8, 6).info
    for scale in (2, 4):
        put(nearest_model(scale), tmp_path)
        (tmp_path / f"nearest_x{scale}.onnx").unlink()
    with Upscaler(Options(model="nearest", precision="fp32"), folder=tmp_path, opener=open_nearest) as upscaler:
        choice, precision = upscaler.plan(info, (48, 64))
        assert (choice.names, precision) == (("nearest x2", "nearest x4"), "fp32")
        with pytest.raises(ModelError):
            upscaler.chain(info, (48, 64))
    refused = pytest.raises(OptionError, match="precision int8 serves opaque 8-bit pictures at x2, x4")
    with Upscaler(Options(model="nearest", precision="int8"), folder=tmp_path) as upscaler, refused:
        upscaler.plan(info, (48, 64))


def test_a_failing_tile_names_itself(repeat: Any) -> None:
    image = Image.from_array(np.zeros((40, 50, 3), np.uint8))
    image.samples[21, 36] = 255
    with pytest.raises(InferenceError, match=r"tile at column 32, row 16 of 50 x 40: the cable was pulled") as caught:
        repeat(image, lambda name, model, **_: Failing(model), tile=16)
    assert caught.value.__cause__ is not None
    # The exception, and so the frames, are still held here: the threads must have ended all the same.
    assert not [thread for thread in threading.enumerate() if thread.name == "superres-prefetch"]


def test_upscale_and_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Options] = []

    class Recording(Upscaler):
        def __init__(self, options: Options) -> None:
            seen.append(options)
            self.options = options

        def image(self, image: Image) -> Image:
            return image

        def close(self) -> None:
            """Nothing to free."""

    monkeypatch.setattr("superres.pipeline.Upscaler", Recording)
    image = picture(4, 4)
    superres.upscale(image, 2, model="realtime")
    superres.upscale(image, 2, options=Options(scale=3, model="tiny"))
    assert [(options.scale, options.model) for options in seen] == [(2, "realtime"), (3, "tiny")]


@pytest.mark.parametrize("model", ["standard", "realtime"])
@pytest.mark.parametrize("most", [3.7, 255.0, 31_000.0])
def test_floats_of_any_range_come_out_in_it(model: str, most: float, tmp_path: Path) -> None:
    """Networks know 0 to 1: what goes beyond is brought there by the largest value, and back."""
    samples = picture(40, 44).samples.astype(np.float32) / 255
    samples[3, 3] = np.nan
    samples[0, :4] = 1
    unit, large = Image.from_array(samples), Image.from_array(samples * np.float32(most))
    large.save(tmp_path / "large.tif")
    with Upscaler(Options(scale=2, model=model, threads=1)) as upscaler:
        expected, made = upscaler.image(unit).samples, upscaler.image(large).samples
        upscaler.file(tmp_path / "large.tif", tmp_path / "made.tif")
    np.testing.assert_allclose(made, expected * most, rtol=1e-3, atol=1e-4 * most)
    np.testing.assert_array_equal(read_image(tmp_path / "made.tif").samples, made)
    with Upscaler(Options(scale=2, model=model, threads=1)) as upscaler:  # opacity is of a range of its own
        clear = np.concatenate([large.samples, np.full((*samples.shape[:2], 1), 1, np.float32)], axis=2)
        both = upscaler.image(Image.from_array(clear)).samples
    np.testing.assert_allclose(both[..., :3], made, rtol=1e-3, atol=1e-4 * most)
    np.testing.assert_allclose(both[..., 3], 1, atol=1e-5)
    flat = np.full((20, 24, 3), 0.9 * most, np.float32)
    with Upscaler(Options(scale=2, model=model, threads=1)) as upscaler:
        assert np.abs(upscaler.image(Image.from_array(flat)).samples - 0.9 * most).max() < 0.004 * most
