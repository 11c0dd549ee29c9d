from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from superres.degrade import load_degradation
from superres.training.augment import cutblur, decorrelated, exchanged, mixed, roughened, turned

from .conftest import noise


@given(st.integers(0, 7))
def test_turns_are_distinct_symmetries(turn: int) -> None:
    patch = noise(5, 5)
    result = turned(patch, turn)
    assert sorted(map(tuple, result.reshape(-1, 3))) == sorted(map(tuple, patch.reshape(-1, 3)))
    assert all(not np.array_equal(result, turned(patch, other)) for other in range(8) if other != turn)


@given(st.integers(0, 1000))
def test_colours_are_exchanged_alike_and_never_kept(seed: int) -> None:
    low, high = noise(4, 4, 1), noise(8, 8, 2)
    new_low, new_high = exchanged(low, high, np.random.default_rng(seed))
    order = [next(k for k in range(3) if np.array_equal(new_low[..., c], low[..., k])) for c in range(3)]
    assert sorted(order) == [0, 1, 2] and order != [0, 1, 2]
    assert np.array_equal(new_high, high[..., order])


@given(st.integers(0, 1000))
def test_each_channel_is_turned_and_inverted_on_its_own_and_alike_on_both_sides(seed: int) -> None:
    high = noise(16, 16, 2)
    reduce = load_degradation("bicubic")
    low = reduce(high, 2)
    new_low, new_high = decorrelated(low, high, np.random.default_rng(seed))
    assert new_high.dtype == np.uint8 and new_high.shape == high.shape
    # Rounding a half may go the other way in an inverted channel.
    assert np.abs(new_low.astype(int) - reduce(new_high, 2)).max() <= 1
    for channel in range(3):
        ways = [turned(high[..., channel], turn) ^ np.uint8(255 * way) for turn in range(8) for way in (0, 1)]
        assert sum(np.array_equal(new_high[..., channel], way) for way in ways) == 1


@given(st.integers(0, 1000), st.sampled_from((2, 3, 4)))
def test_the_truth_of_a_rough_input_holds_its_roughness(seed: int, scale: int) -> None:
    """Reduced again it is the rough input, but for clipping and for what interpolation takes from fine noise."""
    high = noise(32 * scale, 24 * scale, 2) // 8 + np.uint8(112)
    reduce = load_degradation("bicubic")
    low = reduce(high, scale)
    new_low, new_high = roughened(low, high, scale, np.random.default_rng(seed))
    assert new_low.dtype == new_high.dtype == np.uint8
    assert new_low.shape == low.shape and new_high.shape == high.shape
    before = np.abs(new_low.astype(int) - low).mean()
    after = np.abs(new_low.astype(int) - reduce(new_high, scale)).mean()
    assert after <= 0.6 * before + 0.5
    again = roughened(low, high, scale, np.random.default_rng(seed))
    assert np.array_equal(again[0], new_low) and np.array_equal(again[1], new_high)


def test_inputs_are_made_rough_in_many_ways() -> None:
    high = noise(64, 64, 2)
    low = load_degradation("bicubic")(high, 4)
    changes = [
        float(np.abs(roughened(low, high, 4, np.random.default_rng(k))[0].astype(int) - low).mean()) for k in range(64)
    ]
    assert min(changes) < 4 and max(changes) > 25


@given(st.integers(0, 1000))
def test_mixing_takes_one_share_of_both_sides(seed: int) -> None:
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    low, high = mixed(black, black, white, white, np.random.default_rng(seed))
    assert low.dtype == np.uint8
    assert len(np.unique(low)) == 1 and np.array_equal(low, high)
    same, _ = mixed(white, white, white, white, np.random.default_rng(seed))
    assert np.array_equal(same, white)


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9))
def test_cutblur_takes_every_pixel_from_one_of_the_two(seed: int, height: int, width: int) -> None:
    low, clean = np.zeros((height, width, 3), np.uint8), np.full((height, width, 3), 9, np.uint8)
    result = cutblur(low, clean, np.random.default_rng(seed))
    inside = result[..., 0] == 9
    assert np.isin(result, (0, 9)).all()
    rows, columns = np.nonzero(inside if inside.mean() <= 0.64 else ~inside)
    if len(rows):  # what is taken, or what is left, is one rectangle
        box = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
        other_rows, other_columns = np.nonzero(~inside)
        other = (np.ptp(other_rows) + 1) * (np.ptp(other_columns) + 1) if len(other_rows) else 0
        assert box == len(rows) or other == len(other_rows)
