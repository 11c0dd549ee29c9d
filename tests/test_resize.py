from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from superres.errors import OptionError
from superres.resize import KERNELS, axis_resampler, resize

Array = npt.NDArray[np.float64]
NAMES = ["baby", "bird", "butterfly", "head", "woman"]


# --- MATLAB's own files ---------------------------------------------------------------------------------------------


def load(path: Path) -> npt.NDArray[np.uint8]:
    with Pillow.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def pair(data_root: Path, name: str, scale: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Ground truth, cropped to a multiple of the scale, and MATLAB's small picture."""
    truth = load(data_root / "test" / "Set5" / f"{name}.webp")
    height, width = (length // scale * scale for length in truth.shape[:2])
    small = load(data_root / "test" / "Set5_matlab_bicubic" / f"x{scale}" / f"{name}x{scale}.png")
    return truth[:height, :width], small


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_equals_matlab_on_uint8(data_root: Path, name: str, scale: int) -> None:
    truth, small = pair(data_root, name, scale)
    assert np.array_equal(resize(truth, scale=1 / scale), small)


@pytest.mark.parametrize("name", NAMES)
def test_equals_matlab_on_double(data_root: Path, name: str) -> None:
    truth, small = pair(data_root, name, 8)
    made = resize(truth / 255, scale=1 / 8)
    assert np.array_equal(np.clip(np.floor(made * 255 + 0.5), 0, 255), small)


# --- An independent implementation: MATLAB's documented contributions, dense, one sample at a time -------------------


def keys(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def lanczos(x: float) -> float:
    if x == 0:
        return 1.0
    pi = np.pi * x
    return float(3 * np.sin(pi) * np.sin(pi / 3) / pi**2) if abs(x) < 3 else 0.0


REFERENCE = {"bicubic": (keys, 2), "bilinear": (triangle, 1), "lanczos3": (lanczos, 3)}


def dense(in_length: int, out_length: int, kernel: str, factor: float, antialias: bool = True) -> Array:
    """The matrix, from the definition: for each output sample the kernel at every sample of a long mirrored axis."""
    function, radius = REFERENCE[kernel]
    stretch = min(factor, 1.0) if antialias else 1.0
    matrix = np.zeros((out_length, in_length))
    reach = int(np.ceil(radius / stretch)) + 2
    for row in range(out_length):
        centre = (row + 0.5) / factor - 0.5
        for position in range(int(np.floor(centre)) - reach, int(np.ceil(centre)) + reach + 1):
            folded = position % (2 * in_length)
            folded = folded if folded < in_length else 2 * in_length - 1 - folded
            matrix[row, folded] += function(stretch * (centre - position))
        matrix[row] /= matrix[row].sum()
    return matrix


SIZES = [(12, 6), (12, 4), (12, 3), (13, 7), (5, 11), (7, 7), (1, 4), (9, 1), (3, 2), (100, 9)]


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("kernel", sorted(REFERENCE))
@pytest.mark.parametrize(("in_length", "out_length"), SIZES)
def test_equals_a_dense_implementation(in_length: int, out_length: int, kernel: str, antialias: bool) -> None:
    made = axis_resampler(in_length, out_length, kernel, antialias=antialias).matrix()
    expected = dense(in_length, out_length, kernel, out_length / in_length, antialias)
    np.testing.assert_allclose(made, expected, atol=1e-12)


def test_area_is_the_mean_over_the_covered_interval() -> None:
    made = axis_resampler(5, 2, "area").matrix()
    expected = np.array([[1, 1, 0.5, 0, 0], [0, 0, 0.5, 1, 1]]) / 2.5
    np.testing.assert_allclose(made, expected, atol=1e-15)


def test_scale_is_kept_when_the_size_is_rounded_up() -> None:
    # MATLAB: imresize(x, 0.5) of 5 samples gives 3 at a spacing of exactly 2, not of 5 / 3.
    made = axis_resampler(5, 3, scale=0.5).matrix()
    np.testing.assert_allclose(made, dense(5, 3, "bicubic", 0.5), atol=1e-12)
    assert resize(np.zeros((5, 5)), scale=0.5).shape == (3, 3)


def test_uint8_is_rounded_after_each_axis_rows_first() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (8, 8), np.uint8)
    half = dense(8, 4, "bicubic", 0.5)
    tall = np.clip(np.floor(half @ picture + 0.5), 0, 255)
    expected = np.clip(np.floor(tall @ half.T + 0.5), 0, 255)
    once = np.clip(np.floor(half @ picture @ half.T + 0.5), 0, 255)
    assert np.array_equal(resize(picture, scale=0.5), expected)
    assert not np.array_equal(once, expected), "the picture does not tell one rounding from two"


def test_doubles_are_not_rounded() -> None:
    picture = np.random.default_rng(2).random((8, 6))
    expected = dense(8, 4, "bicubic", 0.5) @ picture @ dense(6, 3, "bicubic", 0.5).T
    np.testing.assert_allclose(resize(picture, scale=0.5), expected, atol=1e-13)


def test_known_weights_of_halving() -> None:
    # The antialiased cubic at factor 1/2: [-3 -9 29 111 111 29 -9 -3] / 256.
    row = axis_resampler(16, 8).matrix()[4]
    np.testing.assert_allclose(row[5:13] * 256, [-3, -9, 29, 111, 111, 29, -9, -3], atol=1e-12)


def test_the_axis_with_the_smaller_factor_goes_first() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (8, 12), np.uint8)
    tall, wide = dense(8, 6, "bicubic", 0.75), dense(12, 4, "bicubic", 1 / 3)
    narrow = np.clip(np.floor(picture @ wide.T + 0.5), 0, 255)
    expected = np.clip(np.floor(tall @ narrow + 0.5), 0, 255)
    rows_first = np.clip(np.floor(np.clip(np.floor(tall @ picture + 0.5), 0, 255) @ wide.T + 0.5), 0, 255)
    assert np.array_equal(resize(picture, (6, 4)), expected)
    assert not np.array_equal(rows_first, expected), "the picture does not tell the order"


def test_overshoot_is_clipped_not_wrapped() -> None:
    step = np.repeat(np.array([0, 255], np.uint8), 6)[None].repeat(4, axis=0)
    large = resize(step, scale=2)
    assert large.min() == 0
    assert large.max() == 255
    assert np.all(np.diff(large[0].astype(int)) >= 0), "an edge that wraps around falls"


# --- Kinds of input -------------------------------------------------------------------------------------------------


def test_uint16() -> None:
    picture = np.random.default_rng(4).integers(0, 65536, (9, 6, 3), np.uint16)
    made = resize(picture, scale=1 / 3)
    half = np.clip(np.floor(np.einsum("oi,ijc->ojc", dense(9, 3, "bicubic", 1 / 3), picture) + 0.5), 0, 65535)
    expected = np.clip(np.floor(np.einsum("oj,ijc->ioc", dense(6, 2, "bicubic", 1 / 3), half) + 0.5), 0, 65535)
    assert made.dtype == np.uint16
    assert np.array_equal(made, expected)


def test_float32_stays_float32_and_near_double() -> None:
    picture = np.random.default_rng(5).random((20, 14, 3))
    made = resize(picture.astype(np.float32), (7, 9))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, resize(picture, (7, 9)), atol=2e-6)


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_memory_layout_does_not_matter(kernel: str) -> None:
    picture = np.random.default_rng(6).integers(0, 256, (12, 10, 3), np.uint8)
    whole = resize(picture, (5, 7), kernel=kernel)
    assert np.array_equal(resize(np.asfortranarray(picture), (5, 7), kernel=kernel), whole)
    wider = np.zeros((12, 20, 6), np.uint8)
    wider[:, ::2, ::2] = picture
    assert np.array_equal(resize(wider[:, ::2, ::2], (5, 7), kernel=kernel), whole)
    frozen = picture.copy()
    frozen.flags.writeable = False
    assert np.array_equal(resize(frozen, (5, 7), kernel=kernel), whole)


def test_the_input_is_not_changed() -> None:
    picture = np.random.default_rng(7).random((6, 6))
    before = picture.copy()
    resize(picture, scale=1.0)[...] = 0
    resize(picture, scale=2.0)
    assert np.array_equal(picture, before)


# --- What is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one"),
        ({"size": (2, 2), "scale": 0.5}, "exactly one"),
        ({"scale": 0.0}, "not a positive number"),
        ({"scale": -1.0}, "not a positive number"),
        ({"scale": float("nan")}, "not a positive number"),
        ({"scale": float("inf")}, "not a positive number"),
        ({"size": (0, 2)}, "at least 1"),
        ({"size": (2, -1)}, "at least 1"),
        ({"size": (2, 2), "kernel": "bicubik"}, "did you mean 'bicubic'"),
    ],
)
def test_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resize(np.zeros((4, 4)), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [{"size": (2, 2)}, {"scale": 2.0}])
def test_an_empty_picture_is_refused(how: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="at least 1"):
        resize(np.zeros((0, 4)), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_a_size_that_floating_point_rounds_up(kernel: str) -> None:
    # 0.68 * 75 is 51.00000000000001, whose ceiling MATLAB takes too; the last sample then lies beyond the input.
    small = resize(np.full((75, 75), 0.25), scale=0.68, kernel=kernel)
    assert small.shape == (52, 52)
    np.testing.assert_allclose(small, 0.25)
