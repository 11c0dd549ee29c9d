from __future__ import annotations

import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from superres.errors import OptionError
from superres.metrics.temporal import block_motion, clip_motion, temporal_difference, warping_error


def texture(height: int = 64, width: int = 80, seed: int = 0) -> np.ndarray:
    """Smooth noise: every block differs from its surroundings."""
    random = np.random.default_rng(seed)
    waves = np.fft.rfft2(random.normal(size=(height, width)))
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    plane = np.fft.irfft2(waves * np.exp(-60 * (y**2 + x**2)), (height, width))
    return ((plane - plane.min()) / np.ptp(plane) * 255).astype(np.float32)


def moving(step: tuple[int, int], frames: int = 4) -> np.ndarray:
    """A window that glides over a texture by whole pixels."""
    plane = texture(120, 140)
    tops, lefts = (30 + step[axis] * np.arange(frames) for axis in (0, 1))
    return np.stack([plane[top : top + 48, left : left + 64] for top, left in zip(tops, lefts, strict=True)])


def test_difference_by_another_way_of_counting() -> None:
    random = np.random.default_rng(0)
    result, reference = (random.integers(0, 256, (5, 7, 9), np.uint8) for _ in range(2))
    error = result.astype(float) - reference  # the change of the error is the error of the change
    assert temporal_difference(result, reference) == pytest.approx(np.abs(np.diff(error, axis=0)).mean(), rel=1e-6)
    tens = result.astype(np.uint16) * 4, reference.astype(np.uint16) * 4
    assert temporal_difference(*tens, data_range=1020) == pytest.approx(
        temporal_difference(result, reference), rel=1e-6
    )


@pytest.mark.parametrize("step", [(0, 0), (2, -3), (-7, 7)])
def test_motion_of_whole_pixels_is_found_as_another_method_finds_it(step: tuple[int, int]) -> None:
    clip = moving(step)
    rows, columns = block_motion(clip[0], clip[1])
    shift, *_ = phase_cross_correlation(clip[0], clip[1], normalization=None)
    inner = slice(16, 32)
    found = (rows - np.arange(48)[:, None])[inner, inner], (columns - np.arange(64)[None])[inner, inner]
    assert [np.unique(part).tolist() for part in found] == [[step[0]], [step[1]]]
    if max(map(abs, step)) < 4:  # what leaves the window disturbs the other method
        assert shift.tolist() == list(step)


def test_a_faithful_result_has_no_warping_error_where_motion_explains_everything() -> None:
    clip = moving((2, -3))
    assert warping_error(clip, clip) < 0.4  # the edges, where something new comes in
    assert warping_error(clip + 20, clip) == pytest.approx(warping_error(clip, clip))


def test_flicker_raises_both_and_blur_only_the_difference() -> None:
    clip = moving((1, 2), 6)
    random = np.random.default_rng(1)
    flickering = clip + random.normal(0, 4, clip.shape)
    blurred = np.stack([(frame + np.roll(frame, 1, 0) + np.roll(frame, 1, 1)) / 3 for frame in clip])
    assert warping_error(blurred, clip) < 2 < warping_error(flickering, clip)
    assert warping_error(flickering, clip, motion=clip_motion(clip)) == warping_error(flickering, clip)
    assert temporal_difference(blurred, clip) > temporal_difference(clip, clip) == 0
    expected = np.sqrt(2) * 4 * np.sqrt(2 / np.pi)  # mean magnitude of a difference of two normal numbers
    for metric in (temporal_difference, warping_error):
        assert metric(flickering, clip) == pytest.approx(expected, rel=0.1)


def test_what_cannot_be_compared_is_refused() -> None:
    clip = np.zeros((3, 20, 20))
    for metric in (temporal_difference, warping_error):
        with pytest.raises(OptionError, match="one, non-empty shape"):
            metric(clip, clip[:2])
        with pytest.raises(OptionError, match="at least 2 frames"):
            metric(clip[:1], clip[:1])
        with pytest.raises(OptionError, match="at least 2 frames"):
            metric(clip[0], clip[0])
    with pytest.raises(OptionError, match="at least 16 pixels"):
        warping_error(clip[:, :8], clip[:, :8])
