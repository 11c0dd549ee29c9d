from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from superres.workflows.video_cuts import is_cut

CLIPS = Path(os.environ.get("SUPERRES_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def scene(seed: int, shift: float = 0, height: int = 90, width: int = 120, bits: int = 8) -> np.ndarray:
    """Large shapes of some brightness, and noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    phase, level = random.uniform(0, 6, 2), random.uniform(0.3, 0.7)
    plane = level + 0.25 * np.sin((x + shift) / 25 + phase[0]) * np.cos(y / 20 + phase[1])
    plane = np.clip(plane + random.normal(0, 0.02, plane.shape), 0, 1)
    return np.round(plane * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("size", [(90, 120), (17, 400), (720, 1280)])
def test_motion_noise_and_equal_frames_are_no_cuts(bits: int, size: tuple[int, int]) -> None:
    peak = 2**bits - 1
    first = scene(0, 0, *size, bits)
    assert not is_cut(first, first, peak)
    assert not is_cut(first, scene(0, 6, *size, bits), peak)
    assert not is_cut(first, np.minimum(first + np.array(peak // 50, first.dtype), peak), peak)


@pytest.mark.parametrize("bits", [8, 10])
def test_another_scene_is_a_cut(bits: int) -> None:
    peak = 2**bits - 1
    dark, bright = (np.full((64, 64), value, np.uint16) for value in (peak // 10, peak * 8 // 10))
    assert is_cut(dark, bright, peak)
    assert is_cut(bright, scene(3, 0, 64, 64, bits), peak)


def _planes(path: Path, count: int) -> list[np.ndarray]:
    planes = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            planes.append(rows[:, : plane.width].copy())
            if len(planes) == count:
                break
    return planes


def test_real_clips_are_cut_where_they_are() -> None:
    folder = CLIPS / "samples" / "video"
    if not folder.is_dir():
        pytest.skip(f"NOT TESTED ON REAL CLIPS: no {folder}; set SUPERRES_DATA to the folder of shared pictures")
    cuts = {"bbb_800x640_768kbps_30fps_avc_pyramid_3b.mp4": [6], "cockatoo_vfr_audio.mp4": []}
    clips = {name: _planes(folder / name, 60) for name in cuts}
    for name, planes in clips.items():
        assert [n for n, (a, b) in enumerate(pairwise(planes)) if is_cut(a, b, 255)] == [n - 1 for n in cuts[name]]
