from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.degrade import load_degradation
from superres.errors import OptionError
from superres.metrics.consistency import consistency


@given(scale=st.sampled_from([2, 3, 4, 7]), height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_ground_truth_is_consistent_with_its_own_low_resolution(
    scale: int, height: int, width: int, seed: int
) -> None:
    high = np.random.default_rng(seed).integers(0, 256, (height * scale, width * scale, 3), dtype=np.uint8)
    assert consistency(high, load_degradation("bicubic")(high, scale)) == math.inf


def test_a_constant_step_is_its_own_error() -> None:
    low = np.full((5, 6, 3), 100, np.uint8)
    assert consistency(np.full((10, 12, 3), 101, np.uint8), low) == pytest.approx(20 * math.log10(255))


@pytest.mark.parametrize(
    "result",
    [np.zeros((10, 13, 3), np.uint8), np.zeros((10, 18, 3), np.uint8), np.zeros((10, 12, 3)), np.zeros((4, 4))],
)
def test_what_is_no_enlargement_is_refused(result: np.ndarray) -> None:
    with pytest.raises(OptionError, match="no enlargement"):
        consistency(result, np.zeros((5, 6, 3), np.uint8))
