from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.geometry import first_centre_shift, scaled_index, scaled_length

SCALES = st.floats(0.1, 16)


def test_the_documented_rule() -> None:
    assert scaled_index(0, 4) == 1.5
    assert scaled_index(3, 2) == 6.5
    assert first_centre_shift(4) == pytest.approx(-0.375)


@given(SCALES, st.integers(1, 10_000))
def test_the_extent_stays(scale: float, length: int) -> None:
    # The field of view reaches half a sample beyond the outer centres, in input as in output steps.
    assert scaled_index(-0.5, scale) == pytest.approx(-0.5)
    assert scaled_index(length - 0.5, scale) == pytest.approx(length * scale - 0.5)


@given(SCALES, st.integers(1, 10_000), st.floats(0, 1))
def test_commutes_with_a_flip(scale: float, length: int, where: float) -> None:
    index = where * (length - 1)
    flipped = scaled_index(length - 1 - index, scale)
    assert flipped == pytest.approx(length * scale - 1 - scaled_index(index, scale), abs=1e-6 * length * scale)


@given(SCALES, SCALES, st.floats(-100, 100))
def test_two_enlargements_are_one(first: float, second: float, index: float) -> None:
    assert scaled_index(scaled_index(index, first), second) == pytest.approx(scaled_index(index, first * second))


@given(SCALES, SCALES)
def test_shifts_add_up(first: float, second: float) -> None:
    # The second shift is in steps of the first result, which are 1 / first of an input step.
    total = first_centre_shift(first) + first_centre_shift(second) / first
    assert total == pytest.approx(first_centre_shift(first * second))


@given(SCALES)
def test_shift_and_index_agree(scale: float) -> None:
    # Output sample 0 lies at input position `shift`, which maps back to output index 0.
    assert scaled_index(first_centre_shift(scale), scale) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("length", "scale", "expected"), [(1, 0.01, 1), (10, 4, 40), (3, 1.5, 4), (7, 1.01, 7)])
def test_scaled_length(length: int, scale: float, expected: int) -> None:
    assert scaled_length(length, scale) == expected
