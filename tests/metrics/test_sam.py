from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import spectral_angle_mapper

from superres.errors import OptionError
from superres.metrics.sam import sam


@pytest.mark.parametrize("bands", [2, 3, 8])
def test_equals_torchmetrics_in_degrees(bands: int) -> None:
    random = np.random.default_rng(bands)
    a, b = (random.random((12, 17, bands)) + 0.01 for _ in range(2))
    x, y = (torch.from_numpy(cube).permute(2, 0, 1)[None] for cube in (a, b))
    assert sam(a, b) == pytest.approx(math.degrees(float(spectral_angle_mapper(x, y))), abs=1e-6)


def test_brightness_does_not_matter_and_equal_spectra_are_exactly_zero() -> None:
    cube = np.random.default_rng(0).integers(1, 100, (9, 9, 4))
    assert sam(cube, cube) == 0
    assert sam(cube * 2.0, cube) == pytest.approx(0, abs=1e-6)


def test_perpendicular_spectra_and_unsigned_samples() -> None:
    a, b = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    a[:, :, 0], b[:, :, 1] = 200, 255
    assert sam(a, b) == pytest.approx(90)


def test_black_pixels_have_no_direction() -> None:
    a, b = np.full((1, 2, 3), 10.0), np.full((1, 2, 3), 20.0)
    a[0, 0] = 0
    b[0, 1] = (20, 0, 0)
    assert sam(a, b) == pytest.approx(math.degrees(math.acos(1 / math.sqrt(3))))
    assert sam(np.zeros((2, 2, 3)), b[:, :1].repeat(2, 0).repeat(2, 1)) == 0


@pytest.mark.parametrize("shapes", [((4, 4), (4, 4)), ((4, 4, 1), (4, 4, 1)), ((4, 4, 3), (4, 5, 3))])
def test_what_has_no_spectrum_is_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(OptionError):
        sam(np.ones(shapes[0]), np.ones(shapes[1]))
