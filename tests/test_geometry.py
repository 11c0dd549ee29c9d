from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.geometry import (
    enlargement,
    first_centre_shift,
    nearest_indices,
    scaled_affine,
    scaled_bounds,
    scaled_edge,
    scaled_index,
    scaled_length,
    scaled_position,
    scaled_rpc,
    scaled_spacing,
    scaled_transform,
)

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


# --- Volumes --------------------------------------------------------------------------------------------------------

NUMBERS = st.floats(-10, 10).map(lambda value: round(value, 3))
SHAPES = st.tuples(*[st.integers(1, 40)] * 3)
FACTORS = st.tuples(*[st.sampled_from([1, 1.5, 2, 3, 4])] * 3)


@st.composite
def affines(draw: st.DrawFn) -> npt.NDArray[np.float64]:
    """Any placement of a volume: rotated, sheared, mirrored, even flat."""
    rows = draw(st.lists(st.tuples(*[NUMBERS] * 4), min_size=3, max_size=3))
    return np.array([*rows, (0, 0, 0, 1)], np.float64)


def corners(affine: npt.NDArray[np.float64], shape: Sequence[float]) -> npt.NDArray[np.float64]:
    """World positions of the eight outer corners of the field of view."""
    ends = [(-0.5, length - 0.5) for length in shape]
    return np.array([affine @ (*corner, 1) for corner in itertools.product(*ends)])


def close(found: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_documented_affine() -> None:
    affine = np.array([[2, 0, 0.5, 10], [0, 3, 0, 20], [0, 0, 8, 30], [0, 0, 0, 1]], np.float64)
    made = scaled_affine(affine, (2, 4, 1))
    close(made[:3, :3], affine[:3, :3] / [2, 4, 1])
    close(made[:3, 3], affine[:3, 3] - 0.5 * (1 - 1 / 2) * affine[:3, 0] - 0.5 * (1 - 1 / 4) * affine[:3, 1])
    close(made[3], affine[3])
    assert affine[0, 0] == 2, "the argument has been changed"


@given(affines(), SHAPES, FACTORS)
def test_the_field_of_view_stays(
    affine: npt.NDArray[np.float64], shape: tuple[int, ...], scales: tuple[float, ...]
) -> None:
    grown = [length * scale for length, scale in zip(shape, scales, strict=True)]
    close(corners(scaled_affine(affine, scales), grown), corners(affine, shape))


@given(affines(), SHAPES, FACTORS, st.integers(0, 2))
def test_an_affine_commutes_with_flips(
    affine: npt.NDArray[np.float64], shape: tuple[int, ...], scales: tuple[float, ...], axis: int
) -> None:
    def flip(length: float) -> npt.NDArray[np.float64]:
        matrix = np.eye(4)
        matrix[axis, axis], matrix[axis, 3] = -1, length - 1
        return matrix

    first = scaled_affine(affine @ flip(shape[axis]), scales)
    close(first, scaled_affine(affine, scales) @ flip(shape[axis] * scales[axis]))


@given(affines(), FACTORS, st.permutations([0, 1, 2]))
def test_an_affine_commutes_with_permutations(
    affine: npt.NDArray[np.float64], scales: tuple[float, ...], order: list[int]
) -> None:
    columns = [*order, 3]
    close(
        scaled_affine(affine[:, columns], [scales[axis] for axis in order]), scaled_affine(affine, scales)[:, columns]
    )


@given(affines(), FACTORS, FACTORS)
def test_two_affines_are_one(
    affine: npt.NDArray[np.float64], first: tuple[float, ...], second: tuple[float, ...]
) -> None:
    both = [a * b for a, b in zip(first, second, strict=True)]
    close(scaled_affine(scaled_affine(affine, first), second), scaled_affine(affine, both))


# --- Rasters --------------------------------------------------------------------------------------------------------

Transform = tuple[float, float, float, float, float, float]
FACTORS = st.sampled_from([1.5, 2.0, 3.0, 4.0, 7.3])
STEPS = st.floats(-1000, 1000).filter(lambda step: abs(step) > 1e-3)
TRANSFORMS = st.tuples(STEPS, STEPS, st.floats(-1e7, 1e7), STEPS, STEPS, st.floats(-1e7, 1e7))
SIDES = st.integers(1, 5000)


def on_the_ground(transform: Transform, column: float, row: float) -> tuple[float, float]:
    a, b, c, d, e, f = transform
    return a * column + b * row + c, d * column + e * row + f


def mirrored(transform: Transform, width: float) -> Transform:
    """Of the raster whose columns run the other way."""
    a, b, _, d, e, _ = transform
    x, y = on_the_ground(transform, width, 0)
    return -a, b, x, -d, e, y


def turned(transform: Transform, width: float) -> Transform:
    """Of the raster turned by a quarter, its rows the columns of this one, the last first."""
    a, b, _, d, e, _ = transform
    x, y = on_the_ground(transform, width, 0)
    return b, -a, x, e, -d, y


@given(TRANSFORMS, FACTORS, FACTORS, SIDES, SIDES)
def test_a_raster_covers_the_same_ground(
    transform: Transform, across: float, down: float, width: int, height: int
) -> None:
    larger = scaled_transform(transform, across, down)
    for column, row in ((0, 0), (width, 0), (0, height), (width, height), (width / 3, height / 7)):
        before = on_the_ground(transform, column, row)
        after = on_the_ground(larger, scaled_edge(column, across), scaled_edge(row, down))
        assert after == pytest.approx(before, rel=1e-9, abs=1e-6)


@given(TRANSFORMS, FACTORS, SIDES)
def test_a_raster_commutes_with_flips_and_quarter_turns(transform: Transform, scale: float, width: int) -> None:
    larger = scaled_transform(transform, scale, scale)
    for change in (mirrored, turned):
        expected = change(larger, width * scale)
        assert scaled_transform(change(transform, width), scale, scale) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(TRANSFORMS)
def test_a_raster_twice_doubled_is_one_times_four(transform: Transform) -> None:
    assert scaled_transform(scaled_transform(transform, 2, 2), 2, 2) == scaled_transform(transform, 4, 4)


@given(st.floats(-1e5, 1e5), st.floats(1, 1e5), FACTORS, st.floats(-1, 1))
def test_rational_polynomials_see_the_same_ground(offset: float, scale: float, factor: float, where: float) -> None:
    """A normalised coordinate names a pixel, counted from the centre of the first one: the same place after it."""
    new_offset, new_scale = scaled_rpc(offset, scale, factor)
    before, after = where * scale + offset, where * new_scale + new_offset
    assert after == pytest.approx(scaled_index(before, factor), rel=1e-9, abs=1e-6)
    assert scaled_edge(before + 0.5, factor) == pytest.approx(after + 0.5, rel=1e-9, abs=1e-6)


@given(st.floats(-1e5, 1e5), st.floats(1, 1e5))
def test_rational_polynomials_twice_doubled(offset: float, scale: float) -> None:
    assert scaled_rpc(*scaled_rpc(offset, scale, 2), 2) == pytest.approx(scaled_rpc(offset, scale, 4))


# Pictures in space: a position, two directions, two spacings.


@dataclass(frozen=True)
class Slice:
    """A picture in a patient: first pixel's centre, directions along a row and a column, spacing (rows, columns)."""

    position: npt.NDArray[np.float64]
    along_row: npt.NDArray[np.float64]
    along_column: npt.NDArray[np.float64]
    spacing: tuple[float, float]
    size: tuple[int, int]

    def scaled(self, rows: float, columns: float) -> Slice:
        scale = (rows, columns)
        position = scaled_position(self.position, self.along_row, self.along_column, self.spacing, scale)
        down, across = scaled_spacing(self.spacing, scale)
        size = round(self.size[0] * rows), round(self.size[1] * columns)
        return Slice(np.array(position), self.along_row, self.along_column, (down, across), size)

    def mirrored(self) -> Slice:
        """The same pixels with the columns counted from the other end."""
        last = self.position + (self.size[1] - 1) * self.spacing[1] * self.along_row
        return Slice(last, -self.along_row, self.along_column, self.spacing, self.size)

    def transposed(self) -> Slice:
        """The same pixels with rows for columns; with :meth:`mirrored` it makes every quarter turn."""
        return Slice(self.position, self.along_column, self.along_row, self.spacing[::-1], self.size[::-1])

    def corners(self) -> npt.NDArray[np.float64]:
        """Of the field of view, half a pixel beyond the outer centres."""
        down, across = self.spacing[0] * self.along_column, self.spacing[1] * self.along_row
        return np.array(
            [
                self.position + (i - 0.5) * down + (j - 0.5) * across
                for i, j in itertools.product((0, self.size[0]), (0, self.size[1]))
            ]
        )


def same(a: Slice, b: Slice) -> bool:
    parts = ((a.position, b.position), (a.along_row, b.along_row), (a.along_column, b.along_column))
    return a.size == b.size and all(np.allclose(x, y, atol=1e-6) for x, y in (*parts, (a.spacing, b.spacing)))


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    turned, _ = np.linalg.qr(np.random.default_rng(draw(st.integers(0, 999))).normal(size=(3, 3)))
    position = np.array(draw(st.tuples(*[st.floats(-500, 500)] * 3)))
    spacing = draw(st.tuples(st.floats(0.05, 5), st.floats(0.05, 5)))
    size = draw(st.tuples(st.integers(1, 99), st.integers(1, 99)))
    return Slice(position, turned[0], turned[1], spacing, size)


WHOLE = st.integers(1, 8)


def test_the_documented_position() -> None:
    # Rows 2 mm apart along y, columns 1 mm along x: at x4 the first centre moves by 3/8 of each.
    assert scaled_position((0, 0, 5), (1, 0, 0), (0, 1, 0), (2, 1), (4, 4)) == (-0.375, -0.75, 5)
    assert scaled_spacing((2, 1), (4, 2)) == (0.5, 0.5)


@given(slices(), WHOLE, WHOLE)
def test_a_slice_keeps_its_field_of_view(one: Slice, rows: int, columns: int) -> None:
    np.testing.assert_allclose(one.scaled(rows, columns).corners(), one.corners(), atol=1e-6)


@given(slices(), WHOLE, WHOLE)
def test_a_slice_commutes_with_flips_and_quarter_turns(one: Slice, rows: int, columns: int) -> None:
    assert same(one.mirrored().scaled(rows, columns), one.scaled(rows, columns).mirrored())
    assert same(one.transposed().scaled(columns, rows), one.scaled(rows, columns).transposed())


@given(slices(), WHOLE, WHOLE)
def test_a_slice_enlarged_twice(one: Slice, first: int, second: int) -> None:
    assert same(one.scaled(first, first).scaled(second, second), one.scaled(first * second, first * second))


@given(st.integers(0, 50), st.integers(0, 50), WHOLE)
def test_bounds_hold_every_sample_of_the_run(first: int, more: int, scale: int) -> None:
    start, end = scaled_bounds(first, first + more, scale)
    assert (start, end - start + 1) == (first * scale, (more + 1) * scale)
    assert scaled_bounds(*scaled_bounds(first, first + more, scale), 2) == scaled_bounds(first, first + more, 2 * scale)


def test_bounds_hold_a_sample_at_least() -> None:
    assert scaled_bounds(3, 3, 0.1) == (0, 0)


@given(st.integers(1, 60), WHOLE)
def test_nearest_repeats(length: int, scale: int) -> None:
    assert nearest_indices(length, length * scale).tolist() == np.arange(length).repeat(scale).tolist()


@given(st.integers(1, 60), st.integers(1, 300))
def test_nearest_takes_the_sample_that_holds_the_centre(length: int, out_length: int) -> None:
    found = nearest_indices(length, out_length)
    assert found.min() >= 0 and found.max() < length
    centres = (2 * np.arange(out_length) + 1) * length  # in halves of an output sample
    assert np.all(2 * out_length * found <= centres) and np.all(centres < 2 * out_length * (found + 1))


def test_networks_must_reach_the_axis_that_grows_most() -> None:
    assert enlargement((10, 20), (25, 40)) == 2.5
    assert enlargement((10, 20), (20, 41)) == 2.05
