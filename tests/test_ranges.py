"""What networks are shown of values: odd ones do not squeeze the others, and nothing is lost of them."""

from __future__ import annotations

import numpy as np
import pytest

from superres.ranges import UsualRange, split


def test_nothing_has_no_range() -> None:
    seen = UsualRange()
    seen.add(np.array([]))
    assert seen.whole is None
    assert seen.usual is None


@pytest.mark.parametrize("odd", [-9999.0, 1e6])
def test_an_odd_value_is_left_out(odd: float) -> None:
    random, seen = np.random.default_rng(0), UsualRange()
    for _ in range(5):
        seen.add(random.random(20_000))
    seen.add(np.array([odd]))
    assert seen.whole is not None
    assert odd in seen.whole
    assert seen.usual is not None
    low, high = seen.usual
    assert 0 <= low < 0.001
    assert 0.999 < high <= 1


def test_long_tails_and_few_values_are_not_odd() -> None:
    seen = UsualRange()
    seen.add(np.random.default_rng(0).exponential(size=100_000))
    assert seen.usual == seen.whole
    few = UsualRange()
    few.add(np.array([0, 0, 0, 7000], np.int16))
    assert few.usual == (0, 7000)
    equal = UsualRange()
    equal.add(np.r_[np.zeros(100_000), 5.0])
    assert equal.usual == (0, 5)


def test_both_parts_add_up_and_gaps_stay() -> None:
    plane = np.array([[0.0, 1.2, -0.2, 7.0, -50.0, np.nan, np.inf]], np.float32)
    inside, beyond = split(plane)
    assert beyond is not None
    np.testing.assert_array_equal(inside, np.array([[0.0, 1.2, -0.2, 1.25, -0.25, np.nan, np.inf]], np.float32))
    np.testing.assert_array_equal((inside + beyond)[:, :5], plane[:, :5])
    assert (beyond[:, 5:] == 0).all()
    assert split(plane[:, :3])[1] is None
