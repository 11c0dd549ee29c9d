from __future__ import annotations

import numpy as np
import pytest

from superres.degrade.video import degrade_clip
from superres.errors import OptionError
from superres.resize import resize


def clip(side: int, frames: int = 3) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return np.stack([127 + 90 * np.sin((x + 2 * t) / 9) * np.cos(y / 11) for t in range(frames)]).astype(np.uint8)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_clip_becomes_small_and_stays_itself(scale: int) -> None:
    high = clip(64 * scale)
    before = high.copy()
    for seed in range(8):
        low = degrade_clip(high, scale, np.random.default_rng(seed))
        assert low.shape == (3, 64, 64) and low.dtype == np.uint8
        plain = np.stack([resize(frame[..., None], scale=1 / scale)[..., 0] for frame in high]).astype(float)
        assert ((low - plain) ** 2).mean() < 120  # 27 dB
    np.testing.assert_array_equal(high, before)


def test_seeds_decide() -> None:
    high = clip(128)
    first, again, other = (degrade_clip(high, 2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sizes_that_encoders_do_not_take_are_refused() -> None:
    with pytest.raises(OptionError, match="expected multiples of 4"):
        degrade_clip(clip(130), 2, np.random.default_rng(0))
