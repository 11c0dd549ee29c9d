from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from superres.degrade.camera import Path, draw_path, film, luma_of, paste_object
from superres.errors import OptionError


def plane(height: int = 120, width: int = 140) -> np.ndarray:
    """Smooth shapes, on which a shift shows."""
    y, x = np.mgrid[:height, :width]
    return np.round(127 + 60 * np.sin(x / 6) + 50 * np.cos(y / 9 + x / 30)).astype(np.uint8)


def straight(step: tuple[float, float], frames: int = 5, *, whole: bool = False) -> Path:
    shifts = np.arange(frames)[:, None] * np.array(step)
    return Path(shifts, np.zeros(frames), np.ones(frames), whole=whole)


@pytest.mark.parametrize("seed", range(20))
def test_paths_are_smooth_reproducible_and_of_every_kind(seed: int) -> None:
    path, again = (draw_path(10, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(path.shifts, again.shifts)
    assert path.shifts.shape == (10, 2) and path.angles.shape == path.zooms.shape == (10,)
    assert np.abs(np.diff(path.shifts, axis=0)).max() < 12
    assert path.zooms.min() >= 1
    if path.whole:
        np.testing.assert_array_equal(path.shifts, np.round(path.shifts))
        assert not path.angles.any() and (path.zooms == 1).all()


def test_some_clips_stand_still_some_move_by_whole_pixels_and_some_turn() -> None:
    paths = [draw_path(6, np.random.default_rng((1, k))) for k in range(300)]
    still = np.mean([not path.shifts.any() and path.whole for path in paths])
    turning = np.mean([bool(path.angles.any()) for path in paths])
    assert 0.1 < still < 0.4  # those that are slow enough to round to nothing, too
    assert 0.35 < turning < 0.55


def test_whole_pixels_are_copied_not_interpolated() -> None:
    random = np.random.default_rng(0)
    source = random.integers(0, 256, (90, 100), np.uint8)
    clip = film(source, straight((2, -3), whole=True), (40, 50), random)
    assert clip.shape == (5, 40, 50)
    for before, after in pairwise(clip):
        np.testing.assert_array_equal(before[2:, :-3], after[:-2, 3:])


def test_interpolated_motion_equals_whole_motion_where_both_are_possible() -> None:
    whole, smooth = (
        film(plane(), straight((1, 2), whole=w), (40, 50), np.random.default_rng(3)) for w in (True, False)
    )
    # The place is drawn as a fraction of a pixel, and only the whole motion rounds it.
    difference = np.abs(smooth.astype(int) - whole)[:, 2:-2, 2:-2]
    assert difference.max() <= 9
    moved = np.abs(smooth[1:, :-1, :-2].astype(int) - smooth[:-1, 1:, 2:])
    assert moved.max() <= 1


def test_a_turn_by_a_right_angle_is_one() -> None:
    """On a square plane filmed whole."""
    path = Path(np.zeros((1, 2)), np.array([np.pi / 2]), np.ones(1), whole=False)
    source = plane(64, 64)
    clip = film(source, path, (64, 64), np.random.default_rng(0))
    assert np.abs(clip[0].astype(int) - np.rot90(source)).max() <= 1


def test_a_view_larger_than_the_plane_is_refused() -> None:
    with pytest.raises(OptionError, match="holds no view of 50 x 130"):
        film(plane(), straight((0, 0)), (130, 50), np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(10))
def test_an_object_changes_a_part_of_some_frames(seed: int) -> None:
    clip = np.full((6, 60, 80), 50, np.uint8)
    before = clip.copy()
    pasted = paste_object(clip, np.full((60, 80), 200, np.uint8), np.random.default_rng(seed))
    np.testing.assert_array_equal(clip, before)
    assert pasted.shape == clip.shape and pasted.dtype == np.uint8
    changed = (pasted != 50).mean(axis=(1, 2))
    assert 0 < changed[0] < 0.3 and changed.max() < 0.3
    assert pasted.min() == 50 and pasted.max() == 200


def test_luma_is_full_range() -> None:
    colours = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0]]], np.uint8)
    assert luma_of(colours).tolist() == [[255, 0, 76]]
