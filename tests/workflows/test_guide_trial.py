from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from superres.chain import NetworkChain
from superres.resize import resize
from superres.workflows import guide_trial
from superres.workflows.guide_trial import SMALLEST, best_share

Floats = npt.NDArray[np.float32]
SIDE = 2 * SMALLEST


def noise(seed: int, side: int = SIDE) -> Floats:
    return np.random.default_rng(seed).random((side, side), np.float32)


def bicubic(plane: Floats, size: tuple[int, int]) -> Floats:
    return resize(plane, size)


@pytest.fixture(autouse=True)
def _shows_the_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guided networks that give the guide back."""

    def sharpened(plane: Floats, guide: Floats, chains: Sequence[NetworkChain]) -> Floats:
        assert guide.shape == (2 * plane.shape[0], 2 * plane.shape[1])
        return guide

    monkeypatch.setattr(guide_trial, "sharpened", sharpened)


def test_a_guide_that_is_the_truth_has_all() -> None:
    assert best_share([(noise(1), noise(1))], 2, bicubic, ()) == 1.0


def test_a_guide_of_something_else_has_next_to_nothing() -> None:
    share = best_share([(noise(seed), noise(seed + 100)) for seed in range(4)], 2, bicubic, ())
    assert share is not None
    assert share < 0.3


def test_in_between_the_share_is_the_best_there_is() -> None:
    plane, other = noise(1, 96), noise(2, 96)
    guide = plane + 0.5 * (other - 0.5)
    share = best_share([(plane, guide)], 2, bicubic, ())
    assert share is not None
    assert 0.05 < share < 0.95
    without, inner = bicubic(resize(plane, scale=0.5), plane.shape), (slice(4, -4), slice(4, -4))

    def error(part: float) -> float:
        return float(((without + part * (guide - without) - plane)[inner] ** 2).mean())

    assert error(share) <= min(error(share - 0.05), error(share + 0.05))


def test_where_nothing_can_be_tried() -> None:
    assert best_share([], 2, bicubic, ()) is None
    assert best_share([(noise(1, 20), noise(1, 20))], 2, bicubic, ()) is None


def test_where_both_say_the_same() -> None:
    flat = np.full((SIDE, SIDE), 0.5, np.float32)
    assert best_share([(flat, flat)], 2, bicubic, ()) == 0.0
