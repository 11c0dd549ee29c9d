from __future__ import annotations

import numpy as np
import pytest

from superres.degrade.compression import ENCODERS, compress
from superres.errors import OptionError


def clip(side: int = 64, frames: int = 4) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    random = np.random.default_rng(0)
    noise = random.normal(0, 6, (side, side))
    return np.stack(
        [np.clip(127 + 70 * np.sin((x + t) / 4) * np.cos(y / 5) + noise, 0, 255) for t in range(frames)]
    ).astype(np.uint8)


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(((one.astype(float) - other) ** 2).mean())


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_worse_quality_is_further_from_the_clip_and_nothing_else_changes(encoder: str) -> None:
    whole = clip()
    before = whole.copy()
    results = [compress(whole, encoder, crf, preset="ultrafast") for crf in (4, 24, 44)]
    np.testing.assert_array_equal(whole, before)
    assert all(result.shape == whole.shape and result.dtype == np.uint8 for result in results)
    errors = [error(result, whole) for result in results]
    assert errors[0] < errors[1] < errors[2]
    assert errors[0] < 4
    # Frames stay in their order: each is nearest to its own original.
    nearest = [int(np.argmin([error(frame, other) for other in whole])) for frame in results[0]]
    assert nearest == list(range(len(whole)))


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_the_same_clip_gives_the_same_bits(encoder: str) -> None:
    one, other = (compress(clip(), encoder, 30, interval=2) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("encoder", "crf", "shape", "message"),
    [
        ("h246", 20, (2, 64, 64), "did you mean 'h264'"),
        ("h264", 52, (2, 64, 64), "crf 52: expected 0 to 51"),
        ("h264", 20, (2, 63, 64), "even sides"),
        ("h264", 20, (64, 64), "even sides"),
        ("hevc", 20, (2, 32, 64), "at least 64 a side"),
    ],
)
def test_what_cannot_be_compressed_is_refused(encoder: str, crf: int, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        compress(np.zeros(shape, np.uint8), encoder, crf)
