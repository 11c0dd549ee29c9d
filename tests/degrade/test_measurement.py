from __future__ import annotations

import numpy as np
import pytest

from superres.degrade.steps import Blur, Codec, Noise
from superres.degrade.testing import measurement_set, measurement_steps
from superres.errors import OptionError

from .support import textured


def test_the_same_arguments_give_the_same_picture_and_others_another() -> None:
    picture = textured(48, 40)
    first = measurement_set(picture, 2, 5)
    assert first.shape == (24, 20, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, measurement_set(picture, 2, 5))
    assert not np.array_equal(first, measurement_set(picture, 2, 6))


def test_a_hundred_pictures_cover_the_ranges_evenly() -> None:
    rows = []
    for index in range(100):
        blur, _, noise, codec = measurement_steps(index)
        assert isinstance(blur, Blur) and isinstance(noise, Noise) and isinstance(codec, Codec)
        rows.append((blur.sigmas[0], noise.sigma, codec.quality))
    table = np.array(rows)
    for column, (low, high) in zip(table.T, ((0, 1), (0, 15), (30, 90)), strict=True):
        assert low <= column.min() and column.max() <= high
        counts, _ = np.histogram(column, 5, (low, high))
        assert counts.min() >= 15 and counts.max() <= 25
    assert np.abs(np.corrcoef(table.T) - np.eye(3)).max() < 0.1


def test_settings_are_fixed() -> None:
    # What published figures rest on: a change here changes every table.
    blur, _, noise, codec = measurement_steps(0)
    assert isinstance(blur, Blur) and isinstance(noise, Noise) and isinstance(codec, Codec)
    assert (round(blur.sigmas[0], 4), round(noise.sigma, 4), codec.quality) == (0.3192, 2.5657, 33)


def test_refused() -> None:
    with pytest.raises(OptionError, match="index -1"):
        measurement_set(textured(8, 8), 2, -1)
    with pytest.raises(OptionError, match="8 x 8"):
        measurement_set(textured(8, 8), 3, 0)
