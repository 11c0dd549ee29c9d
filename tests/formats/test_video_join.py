"""How long pictures stay, and when they are decoded, where groups of them are joined."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from video_support import Clip, make_clip

from superres.formats.base import Limits
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_join import decoding_times, shown_durations
from superres.formats.video_store import Group
from superres.formats.video_streams import Cut


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    """In units of 1/600 s."""
    path = make_clip(tmp_path_factory.mktemp("join") / "a.mp4", Clip())
    return replace(probe_video(path, "a", Limits()), time_base=Fraction(1, 600))


def group(*pts: int, last: int = 20) -> Group:
    return Group(Path("none"), b"", pts, (1,) * len(pts), (True,) + (False,) * (len(pts) - 1), last, ())


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (None, 20),  # the container says nothing: what the decoder says
        (95, 35),
        (70, 10),
        (60, 1),  # it ends as the last picture begins, which is shown as shortly as can be
        (50, 20),  # it cannot end before: no word of it counts
    ],
)
def test_the_last_picture_stays_until_the_stream_ends(info: VideoInfo, end: int | None, last: int) -> None:
    groups = [group(0, 40, 20), group(60)]
    found = shown_durations(groups, replace(info, end=end), Cut(), whole=True)
    assert found == {0: 20, 20: 20, 40: 20, 60: last}


def test_of_a_part_and_of_a_broken_file_the_containers_end_says_nothing(info: VideoInfo) -> None:
    groups = [group(0, 20, last=25)]
    assert shown_durations(groups, replace(info, end=400), Cut(), whole=False)[20] == 25
    part = Cut(stop=Fraction(30, 600))
    assert shown_durations(groups, replace(info, end=400), part, whole=True)[20] == 10


def test_decoding_times_rise_across_groups_and_never_come_after_what_they_are_for() -> None:
    groups = [group(0, 60, 20, 40), group(80, 100, 160, 120, 140)]
    times = decoding_times(groups, 20)
    assert times == sorted(set(times))
    shown = [pts for one in groups for pts in one.pts]
    assert all(decoded <= pts for decoded, pts in zip(times, shown, strict=True))
