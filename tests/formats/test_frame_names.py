"""Names and times of frames that are pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import InputError
from superres.formats.frame_names import (
    TIMES_NAME,
    FramePattern,
    FrameTimes,
    frame_pattern,
    listed_frames,
    read_times,
)

TABLE = FrameTimes(Fraction(1, 600), (0, 20, 45), 25, 1, 1, 1, Fraction(4, 3))


@pytest.mark.parametrize(
    ("name", "seventh"),
    [("%06d.png", "000007.png"), ("shot_%4d.TIF", "shot_   7.TIF"), ("%d.jpg", "7.jpg"), ("a.%03d.webp", "a.007.webp")],
)
def test_a_pattern_names_pictures(name: str, seventh: str, tmp_path: Path) -> None:
    pattern = frame_pattern(tmp_path / name)
    assert pattern == FramePattern(tmp_path, name)
    assert pattern.path(7) == tmp_path / seventh


@pytest.mark.parametrize(
    "name", ["a.png", "100%.png", "%d%d.png", "%s.png", "%06d.mp4", "%06d", "%06d.gif", "50%_%d.png"]
)
def test_other_names_are_none(name: str) -> None:
    assert frame_pattern(Path(name)) is None


def test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ["f10.png", "f9.png", "f009b.png", "f1.jpg", ".f2.png", "notes.txt", TIMES_NAME]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "f3.png").mkdir()
    assert [path.name for path in listed_frames(tmp_path)] == ["f1.jpg", "f9.png", "f009b.png", "f10.png"]


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in this folder"):
        listed_frames(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        listed_frames(tmp_path / "gone")


@given(
    st.fractions(min_value="1/100000", max_value=1),
    st.lists(st.integers(-(10**9), 10**12), min_size=1, max_size=20, unique=True),
    st.none() | st.fractions(min_value="1/10", max_value=10),
)
def test_a_table_comes_back_as_it_was(base: Fraction, times: list[int], aspect: Fraction | None) -> None:
    import tempfile

    table = FrameTimes(base, tuple(sorted(times)), 3, 9, 16, 9, aspect)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / TIMES_NAME).write_text(table.text())
        assert read_times(Path(folder)) == table


def test_a_folder_may_have_no_table(tmp_path: Path) -> None:
    assert read_times(tmp_path) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  20,", "  50,"),
        ("  20,", "  0,"),
        ("  20,", "  20.5,"),
        ("lasting = 25", "lasting = 0"),
        ("lasting = 25", ""),
        ('time_base = "1/600"', 'time_base = "1/0"'),
        ('time_base = "1/600"', 'time_base = "soon"'),
        ('time_base = "1/600"', 'time_base = "-1/600"'),
        ('aspect = "4/3"', 'aspect = "-1"'),
        ("times = [", "times = "),
    ],
)
def test_a_table_that_makes_no_sense_is_told(old: str, new: str, tmp_path: Path) -> None:
    assert old in TABLE.text()
    (tmp_path / TIMES_NAME).write_text(TABLE.text().replace(old, new))
    with pytest.raises(InputError, match=TIMES_NAME):
        read_times(tmp_path)
