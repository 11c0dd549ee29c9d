from __future__ import annotations

import math

import numpy as np
import pytest

from superres.degrade.applying import apply_steps
from superres.degrade.blur import blur
from superres.degrade.codec import jpeg, webp
from superres.degrade.kernels import gaussian_kernel, sinc_kernel
from superres.degrade.noise import gaussian_noise
from superres.degrade.resampling import resample
from superres.degrade.steps import Blur, Codec, Noise, Resize, Ringing, Step, describe
from superres.errors import OptionError

from .support import textured


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def floats(picture: np.ndarray) -> np.ndarray:
    return (picture / 255).astype(np.float32)


def test_no_steps_change_nothing() -> None:
    picture = textured(24, 20)
    assert np.array_equal(apply_steps(picture, [], (24, 20), generator()), picture)


def test_blur_counts_in_pixels_of_the_result() -> None:
    picture = floats(textured(60, 48))
    made = apply_steps(picture, [Blur("gaussian", (0.5, 0.5)), Resize(1, "area")], (15, 12), generator())
    # Half a pixel of the result is two of the picture, which is four times as large.
    expected = resample(blur(picture, gaussian_kernel(2.0), tolerance=1e-6), (15, 12), "area")
    np.testing.assert_allclose(made, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("step", "alone"),
    [
        (Blur("gaussian", (1.0, 1.0)), lambda x: blur(x, gaussian_kernel(1.0), tolerance=1e-6)),
        (Ringing(2.0), lambda x: blur(x, sinc_kernel(2.0, math.ceil(2 * math.pi)), tolerance=0.02)),
        (Noise("gaussian", 9.0, True), lambda x: gaussian_noise(x, 9.0, generator(), grey=True)),
        (Codec("jpeg", 40, False), lambda x: jpeg(x, 40, subsampled=False)),
        (Codec("webp", 40), lambda x: webp(x, 40)),
    ],
)
def test_each_step_is_the_function_of_its_name(step: Step, alone: object) -> None:
    picture = floats(textured(24, 20))
    made = apply_steps(picture, [step], (24, 20), generator())
    np.testing.assert_allclose(made, alone(picture), atol=1e-6)  # type: ignore[operator]
    assert not np.array_equal(made, picture)


def test_steps_are_done_in_order() -> None:
    picture = floats(textured(24, 20))
    steps = [Noise("gaussian", 20.0), Blur("gaussian", (1.0, 1.0)), Blur("gaussian", (0.7, 0.7)), Codec("jpeg", 80)]
    one_by_one = picture
    random = generator()
    for step in steps:
        one_by_one = apply_steps(one_by_one, [step], (24, 20), random)
    np.testing.assert_allclose(apply_steps(picture, steps, (24, 20), generator()), one_by_one, atol=1 / 255)
    turned = apply_steps(picture, steps[::-1], (24, 20), generator())
    assert np.abs(turned - one_by_one).max() > 5 / 255


def test_a_detour_over_another_size_comes_back_to_the_right_one() -> None:
    picture = textured(60, 44)
    steps = [Resize(1.37, "area"), Noise("gaussian", 2.0), Resize(0.61, "bilinear"), Resize(1.0)]
    assert apply_steps(picture, steps, (15, 11), generator()).shape == (15, 11, 3)
    assert apply_steps(picture[None].repeat(2, axis=0), steps, (15, 11), generator()).shape == (2, 15, 11, 3)


def test_steps_that_end_elsewhere_are_refused() -> None:
    picture = textured(60, 44)
    for steps in ([], [Resize(0.5)], [Resize(1), Resize(2)]):
        with pytest.raises(OptionError, match="end at"):
            apply_steps(picture, steps, (15, 11), generator())


@pytest.mark.parametrize(
    ("make", "near"),
    [
        (lambda: Blur("gausian", (1, 1)), "gaussian"),
        (lambda: Noise("poison", 1), "poisson"),
        (lambda: Codec("jepg", 50), "jpeg"),
        (lambda: Resize(1, "bicubik"), "bicubic"),
    ],
)
def test_unknown_kinds_are_refused_with_the_nearest(make: object, near: str) -> None:
    with pytest.raises(OptionError, match=f"did you mean '{near}'"):
        make()  # type: ignore[operator]


def test_too_narrow_a_blur_is_none() -> None:
    assert Blur("gaussian", (0.01, 0.1)).kernel(1.0) is None
    assert Blur("gaussian", (0.01, 0.1)).kernel(4.0) is not None
    assert Ringing(math.pi).kernel(1.0) is None


def test_description_names_every_step() -> None:
    steps = [Blur("plateau", (0.5, 1), 0.5, 1.5), Ringing(2), Resize(0.8, "area"), Noise("speckle", 3, True)]
    text = describe([*steps, Codec("webp", 70), Codec("jpeg", 71, False)])
    for word in ("plateau blur 0.50/1.00", "sinc 0.64 pi", "area to 0.80", "grey speckle noise 3.0", "webp 70"):
        assert word in text
    assert text.endswith("jpeg 71 4:4:4")
