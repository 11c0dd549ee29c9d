from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import OptionError
from superres.tiling import EDGE, even_tile, mirrored, spans, tile_grid, tile_rows_for_memory


@given(st.integers(1, 500), st.integers(8, 200), st.integers(0, 50), st.integers(0, 60))
def test_spans_cover_the_axis_once_with_windows_of_one_size(length: int, tile: int, halo: int, edge: int) -> None:
    made = list(spans(length, tile, halo, edge))
    assert [position for span in made for position in range(span.start, span.stop)] == list(range(length))
    assert len({span.window_stop - span.window_start for span in made}) == 1
    whole = next(iter(spans(length, length + 8, halo, edge)))
    assert whole.window_start == -min(edge, halo)
    assert 0 <= whole.window_stop - length - min(edge, halo) < 8 and (whole.window_stop - whole.window_start) % 8 == 0
    for span in made:
        # What lies around a tile is the halo, or all that there is of the whole picture.
        assert whole.window_start <= span.window_start <= max(span.start - halo, whole.window_start)
        assert whole.window_stop >= span.window_stop >= min(span.stop + halo, whole.window_stop)
        # Rows behind the end mirror rows that are still held.
        assert edge > EDGE or 2 * length - span.window_stop >= span.window_start - 8


@given(st.integers(1, 500), st.integers(1, 9), st.integers(0, 50))
def test_even_tiles_make_no_more_windows_than_asked_for(length: int, count: int, halo: int) -> None:
    tile = even_tile(length, count, halo)
    assert tile % 8 == 0
    assert len(list(spans(length, tile, halo))) <= count


@pytest.mark.parametrize(("length", "tile", "halo"), [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_impossible_spans_are_refused(length: int, tile: int, halo: int) -> None:
    with pytest.raises(OptionError, match="expected at least"):
        list(spans(length, tile, halo))


@given(st.integers(1, 20), st.integers(0, 70), st.integers(0, 70))
def test_mirrored_equals_symmetric_padding(length: int, before: int, after: int) -> None:
    expected = np.pad(np.arange(length), (before, after), mode="symmetric")
    assert np.array_equal(mirrored(-before, length + after, length), expected)


@given(st.integers(1, 10**7), st.integers(1, 10**9), st.integers(8, 2000))
def test_strips_stay_inside_the_budget(per_row: int, budget: int, largest: int) -> None:
    try:
        rows = tile_rows_for_memory(per_row, budget, largest)
    except OptionError:
        assert per_row * 8 > budget
    else:
        assert 8 <= rows <= largest
        assert rows * per_row <= budget


def test_the_budget_that_the_message_asks_for_is_enough() -> None:
    with pytest.raises(OptionError, match=r"at least 25 MB"):
        tile_rows_for_memory(3_000_001, 10_000_000, 512)
    assert tile_rows_for_memory(3_000_001, 25_000_000, 512) == 8


@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.sampled_from([8, 64, 384, 512]),
    st.integers(0, 40),
    st.integers(1, 8),
    st.sampled_from([0, 8, 200]),
)
def test_tile_grid(width: int, height: int, tile: int, halo: int, lanes: int, most_rows: int) -> None:
    columns, rows = tile_grid(width, height, tile, halo, lanes, most_rows)
    fewest = []
    for length, part, most in ((width, columns, tile), (height, rows, most_rows or tile)):
        windows, least = list(spans(length, part, halo)), list(spans(length, most, halo))
        assert part % 8 == 0
        assert windows[0].window_stop - windows[0].window_start <= most + 8 + 2 * halo
        assert len(windows) <= len(least) or part >= 4 * halo
        fewest.append(even_tile(length, 1 if length <= most else len(least), halo))
    assert _time(columns, rows, width, height, halo, lanes) <= _time(*fewest, width, height, halo, lanes)


def _time(columns: int, rows: int, width: int, height: int, halo: int, lanes: int) -> int:
    across, down = list(spans(width, columns, halo)), list(spans(height, rows, halo))
    window = prod(axis[0].window_stop - axis[0].window_start for axis in (across, down))
    return -(-len(across) * len(down) // lanes) * window


def test_a_picture_is_cut_for_the_lanes_only_where_that_is_worth_it() -> None:
    assert tile_grid(256, 256, 512, 12, 2) == (256, 120)
    assert tile_grid(256, 256, 512, 40, 2) == (256, 256)
    assert tile_grid(1000, 1000, 512, 12, 2) == (496, 496)
