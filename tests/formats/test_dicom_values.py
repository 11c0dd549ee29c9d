"""Stored values, modality values and what networks see: pure functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.formats.dicom_values import (
    Held,
    Layout,
    Rescale,
    Window,
    held_samples,
    measured,
    normalised,
    restored,
    stored_values,
)

GREY = Layout(3, 4, 1, 1, 16, 12, False, "MONOCHROME2", labels=False)
SIGNED = replace(GREY, signed=True)


def test_limits_of_what_is_stored() -> None:
    assert (GREY.lowest, GREY.highest, GREY.dtype) == (0, 4095, np.uint16)
    assert (SIGNED.lowest, SIGNED.highest, SIGNED.dtype) == (-2048, 2047, np.int16)
    byte = replace(SIGNED, bits_allocated=8, bits_stored=8)
    assert (byte.lowest, byte.highest, byte.dtype) == (-128, 127, np.int8)
    assert (replace(GREY, bits_allocated=1, bits_stored=1).highest, replace(GREY, bits_allocated=1).dtype) == (
        1,
        np.uint8,
    )


def test_bits_above_the_stored_ones_do_not_count() -> None:
    raw = np.array([[0xF123, 0x0FFF, 0x8800]], np.uint16)
    assert stored_values(raw, GREY).tolist() == [[0x123, 0xFFF, 0x800]]
    # In two's complement of 12 bits 0xFFF is -1 and 0x800 is -2048.
    assert stored_values(raw.view(np.int16), SIGNED).tolist() == [[0x123, -1, -2048]]


@given(st.integers(1, 16), st.booleans(), st.integers(0, 2**16 - 1))
def test_what_fits_is_read_as_it_is(bits: int, signed: bool, number: int) -> None:
    layout = replace(GREY, bits_stored=bits, signed=signed and bits > 1)
    value = layout.lowest + number % (layout.highest - layout.lowest + 1)
    assert stored_values(np.array([value], layout.dtype), layout).tolist() == [value]


def test_padding_is_held_although_it_does_not_fit_the_bits_stored() -> None:
    raw = np.array([[63536, 0x830, 7]], np.uint16)
    # 63536 is 0xF830: cut to 12 bits it would be the measurement beside it.
    assert held_samples(raw, GREY, Held(padding=(63536, 63536))).tolist() == [[True, False, False]]
    assert held_samples(raw, GREY, Held(padding=(7, 9))).tolist() == [[False, False, True]]
    # Where it fits, bits above it may hold anything.
    assert held_samples(np.array([[0xF007]], np.uint16), GREY, Held(padding=(7, 7))).tolist() == [[True]]
    assert not held_samples(raw, GREY, Held()).any()


def test_palette_indices_are_held() -> None:
    raw = np.array([[99, 100, 4000]], np.uint16)
    assert held_samples(raw, GREY, Held(colours_from=100)).tolist() == [[False, True, True]]


def test_measured_values_are_in_modality_units() -> None:
    raw = np.array([[10, 4095, 20]], np.uint16)
    found = measured(raw, GREY, Held(padding=(4095, 4095)), Rescale(2.0, -1000.0))
    assert found.tolist() == [-980.0, -960.0]


def test_the_window_spans_everything_and_clips_nothing() -> None:
    assert Window.of([np.array([3.0, -1.0]), np.array([]), np.array([8.0])]) == Window(-1.0, 9.0)
    assert Window.of([]) == Window(0.0, 0.0)


@st.composite
def meanings(draw: st.DrawFn) -> tuple[Layout, Held, Rescale, Window, np.ndarray]:
    bits = draw(st.integers(2, 16))
    layout = replace(GREY, bits_stored=bits, signed=draw(st.booleans()))
    numbers = draw(st.lists(st.integers(layout.lowest, layout.highest), min_size=12, max_size=12))
    raw = np.array(numbers, layout.dtype).reshape(3, 4)
    low = draw(st.integers(layout.lowest, layout.highest))
    held = Held(padding=draw(st.sampled_from([None, (low, low), (low, min(low + 3, layout.highest))])))
    slope = draw(st.floats(1e-4, 1e4)) * draw(st.sampled_from([1, -1]))
    rescale = Rescale(slope, draw(st.floats(-3000, 3000)))
    return layout, held, rescale, Window.of([measured(raw, layout, held, rescale)]), raw


@given(meanings())
def test_to_the_networks_and_back_is_exact(case: tuple[Layout, Held, Rescale, Window, np.ndarray]) -> None:
    layout, held, rescale, window, raw = case
    unit = normalised(raw, layout, held, rescale, window)
    mask = held_samples(raw, layout, held)
    assert unit.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(unit), mask)
    assert np.all((unit[~mask] >= -1e-6) & (unit[~mask] <= 1 + 1e-6))
    back = restored(unit, raw, layout, held, rescale, window)
    assert back.dtype == layout.dtype
    np.testing.assert_array_equal(back, raw)


@given(meanings(), st.integers(0, 99))
def test_no_result_is_out_of_range_or_becomes_padding(
    case: tuple[Layout, Held, Rescale, Window, np.ndarray], seed: int
) -> None:
    layout, held, rescale, window, raw = case
    unit = np.random.default_rng(seed).normal(0.5, 2, raw.shape).astype(np.float32)
    back = restored(unit, raw, layout, held, rescale, window)
    assert back.min() >= layout.lowest and back.max() <= layout.highest
    mask = held_samples(raw, layout, held)
    np.testing.assert_array_equal(back[mask], raw[mask])
    if held.padding is not None and held.padding != (layout.lowest, layout.highest):
        np.testing.assert_array_equal(held_samples(back, layout, held), mask)


@pytest.mark.parametrize(
    ("unit", "padding", "expected"),
    [
        (0.1004, (100, 100), 101),  # 100.4 rounds into the padding, and lies above its middle
        (0.0996, (100, 100), 99),
        (0.0, (0, 2), 3),  # nothing lies below
        (0.0, (0, 0), 1),
        (1.0, (990, 4095), 989),  # nothing lies above
    ],
)
def test_measurements_stand_beside_the_padding(unit: float, padding: tuple[int, int], expected: int) -> None:
    near = np.array([[500]], np.uint16)
    layout = replace(GREY, rows=1, columns=1)
    back = restored(np.array([[unit]], np.float32), near, layout, Held(padding=padding), Rescale(), Window(0, 1000))
    assert back.tolist() == [[expected]]


def test_measurements_do_not_become_colours() -> None:
    near = np.array([[500, 2000]], np.uint16)
    unit = np.array([[1.5, 0.2]], np.float32)
    layout = replace(GREY, rows=1, columns=2)
    back = restored(unit, near, layout, Held(colours_from=1024), Rescale(), Window(0, 1000))
    assert back.tolist() == [[1023, 2000]]


def test_a_constant_picture_stays_whatever_a_network_adds() -> None:
    raw = np.full((2, 2), 77, np.uint16)
    window = Window.of([measured(raw, GREY, Held(), Rescale(3.0, 5.0))])
    unit = normalised(raw, GREY, Held(), Rescale(3.0, 5.0), window) + np.float32(0.4)
    assert restored(unit, raw, GREY, Held(), Rescale(3.0, 5.0), window).tolist() == [[77, 77], [77, 77]]


@given(st.integers(0, 99), st.floats(1, 4), st.floats(1, 4), st.sampled_from([(), (3,)]))
def test_clipping_keeps_the_mean_of_each_source_sample(
    seed: int, down: float, across: float, colours: tuple[int, ...]
) -> None:
    rows, columns = round(3 * down), round(4 * across)
    rng = np.random.default_rng(seed)
    unit = rng.normal(0.5, 0.5, (rows, columns, *colours)).astype(np.float32)
    whole = Window(0, 4095)
    found = restored(unit, np.zeros(unit.shape, np.uint16), GREY, Held(), Rescale(), whole).astype(float)
    for i in range(3):
        for j in range(4):
            of = np.ix_((np.arange(rows) + 0.5) * 3 // rows == i, (np.arange(columns) + 0.5) * 4 // columns == j)
            wanted = np.clip((unit[of].astype(float) * 4095).mean(axis=(0, 1)), 0, 4095)
            # Rounding moves a sample by half a step at most.
            np.testing.assert_allclose(found[of].mean(axis=(0, 1)), wanted, atol=0.51)


def test_what_lies_within_the_range_is_not_touched() -> None:
    unit = np.random.default_rng(0).uniform(0, 1, (6, 8)).astype(np.float32)
    found = restored(unit, np.zeros((6, 8), np.uint16), GREY, Held(), Rescale(), Window(0, 4095))
    np.testing.assert_array_equal(found, np.floor(unit.astype(float) * 4095 + 0.5))
