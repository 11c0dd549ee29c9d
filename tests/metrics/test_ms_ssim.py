from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchmetrics.functional.image import structural_similarity_index_measure as similarity

from superres.errors import OptionError
from superres.metrics.ms_ssim import ms_ssim
from superres.metrics.ssim import ssim

RANDOM = np.random.default_rng(1)


def _planes(shape: tuple[int, int], data_range: float) -> tuple[np.ndarray, np.ndarray]:
    a = RANDOM.random(shape) * data_range
    return a, np.clip(a + RANDOM.normal(0, 0.15, shape) * data_range, 0, data_range)


def _independent(a: np.ndarray, b: np.ndarray, data_range: float) -> float:
    """Scale by scale from torchmetrics' SSIM, windows that lie wholly inside only, as in the authors' program."""
    x, y = (torch.from_numpy(plane)[None, None] for plane in (a, b))
    product = 1.0
    for weight in (0.0448, 0.2856, 0.3001, 0.2363):
        _, contrast = similarity(x, y, data_range=data_range, return_contrast_sensitivity=True)
        product *= float(contrast) ** weight
        x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
    _, full = similarity(x, y, data_range=data_range, return_full_image=True)
    return product * float(full[..., 5:-5, 5:-5].mean()) ** 0.1333


@pytest.mark.parametrize(("shape", "data_range"), [((176, 176), 255.0), ((183, 201), 255.0), ((190, 177), 1.0)])
def test_equals_torchmetrics_scale_by_scale(shape: tuple[int, int], data_range: float) -> None:
    a, b = _planes(shape, data_range)
    assert ms_ssim(a, b, data_range) == pytest.approx(_independent(a, b, data_range), abs=1e-6)


def test_is_near_torchmetrics_which_counts_mirrored_borders_at_the_coarsest_scale() -> None:
    a, b = _planes((256, 256), 255.0)
    x, y = (torch.from_numpy(plane)[None, None] for plane in (a, b))
    expected = float(multiscale_structural_similarity_index_measure(x, y, data_range=255.0))
    assert ms_ssim(a, b) == pytest.approx(expected, abs=2e-3)


def test_equal_pictures_score_one_and_blur_less() -> None:
    plane = RANDOM.random((180, 180)) * 255
    assert ms_ssim(plane, plane) == pytest.approx(1, abs=1e-12)
    soft = (plane + np.roll(plane, 1, axis=0) + np.roll(plane, 1, axis=1)) / 3
    assert ssim(soft, plane) < ms_ssim(soft, plane) < 1


def test_opposite_structure_counts_as_zero_not_as_a_complex_number() -> None:
    plane = RANDOM.random((176, 176)) * 255
    assert ms_ssim(plane, 255 - plane) == 0


@pytest.mark.parametrize("shape", [(175, 300), (300, 175), (200, 200, 3)])
def test_what_the_coarsest_window_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="176 x 176"):
        ms_ssim(np.zeros(shape), np.zeros(shape))
