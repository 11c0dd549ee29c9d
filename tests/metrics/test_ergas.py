from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import error_relative_global_dimensionless_synthesis

from superres.errors import OptionError
from superres.metrics.ergas import ergas


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_equals_torchmetrics(scale: int) -> None:
    random = np.random.default_rng(scale)
    b = random.random((16, 13, 4)) + 0.2
    a = b + random.normal(0, 0.05, b.shape)
    x, y = (torch.from_numpy(cube).permute(2, 0, 1)[None] for cube in (a, b))
    expected = float(error_relative_global_dimensionless_synthesis(x, y, ratio=scale))
    assert ergas(a, b, scale=scale) == pytest.approx(expected, rel=1e-6)


def test_units_do_not_matter() -> None:
    random = np.random.default_rng(0)
    a, b = random.random((2, 8, 8, 3)) + 1
    assert ergas(a * 1000, b * 1000, 1000.0) == pytest.approx(ergas(a, b, 1.0))


def test_a_band_of_zeros() -> None:
    reference = np.full((3, 3, 2), 7)
    reference[:, :, 1] = 0
    assert ergas(reference, reference) == 0
    assert ergas(reference + 1, reference) == math.inf


@pytest.mark.parametrize(("shape", "scale"), [((4, 4), 4), ((4, 4, 3), 0), ((4, 4, 3), math.nan)])
def test_other_shapes_and_scales_are_refused(shape: tuple[int, ...], scale: float) -> None:
    with pytest.raises(OptionError, match="positive scale"):
        ergas(np.ones(shape), np.ones(shape), scale=scale)
