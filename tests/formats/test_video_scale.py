"""Chroma that stays where it is, and values that stay what they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_support import Clip, fill, first_frame, make_clip

from superres.formats.base import Limits
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_pixels import pixels_of, plane
from superres.formats.video_scale import FrameScaler

#: Siting -> (x, y) of the first chroma sample of 4:2:0, in luma samples.
PLACES = {"left": (0, 0.5), "center": (0.5, 0.5), "topleft": (0, 0), "top": (0.5, 0), "bottomleft": (0, 1)}


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    path = make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", Clip(times=[0], size=(64, 48)))
    return probe_video(path, "a", Limits())


def frame_of(info: VideoInfo, planes: list[Any]) -> Any:
    frame = av.VideoFrame(info.width, info.height, info.pixels.name)
    fill(frame, [p.astype(info.pixels.dtype) for p in planes])
    frame.pts, frame.time_base = 7, info.time_base
    return frame


@pytest.mark.parametrize("siting", list(PLACES))
@pytest.mark.parametrize("size", [(128, 96), (96, 72), (192, 144)])
def test_chroma_stays_in_place(siting: str, size: tuple[int, int], info: VideoInfo) -> None:
    """A linear ramp of the scene is the same ramp in the result, sample by sample, at the samples' own places."""
    info = replace(info, siting=siting)
    left, top = PLACES[siting]
    scale = size[0] / info.width

    def ramp(count: int, first: float, enlarged: float) -> Any:
        # Place of each chroma sample in source pixels, by the half-pixel rule.
        place = (2 * np.arange(count) + first + 0.5) / enlarged - 0.5
        return 40 + 2 * place

    across = np.broadcast_to(ramp(32, left, 1), (24, 32))
    down = np.broadcast_to(ramp(24, top, 1)[:, None], (24, 32))
    luma = np.zeros((size[1], size[0]), np.uint8)
    large = FrameScaler(info, size).enlarged(frame_of(info, [np.zeros((48, 64)), across, down]), luma)
    inner = slice(12, -12)
    found = plane(large, 1)[20].astype(float) - ramp(size[0] // 2, left, scale)
    assert np.abs(found[inner]).max() <= 1  # rounding, of the ramp and of the result
    assert abs(found[inner].mean()) < 0.1
    found = plane(large, 2)[:, 20].astype(float) - ramp(size[1] // 2, top, scale)
    assert np.abs(found[inner]).max() <= 1
    assert abs(found[inner].mean()) < 0.1


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le", "yuv422p12le", "gray"])
def test_flat_planes_keep_their_values(name: str, info: VideoInfo) -> None:
    """No conversion of range or matrix, whatever the tags that a frame carries."""
    info = replace(info, pixels=pixels_of(name, "a"))
    down = {"yuv420p": (24, 32), "yuv420p10le": (24, 32), "yuv422p": (48, 32), "yuv422p12le": (48, 32)}
    shape = down.get(name, (48, 64))
    values = [30, 90, 200][: 1 if name == "gray" else 3]
    planes = [np.full((48, 64) if i == 0 else shape, v) for i, v in enumerate(values)]
    luma = (np.arange(128 * 96) % 250).reshape(96, 128).astype(info.pixels.dtype)
    for tags in ((1, 1, 1, 1), (2, 5, 6, 6), (1, 9, 16, 9), (0, 2, 2, 2)):
        frame = frame_of(info, planes)
        frame.color_range, frame.color_primaries, frame.color_trc, frame.colorspace = tags
        large = FrameScaler(info, (128, 96)).enlarged(frame, luma)
        assert (large.width, large.height, large.format.name) == (128, 96, name)
        np.testing.assert_array_equal(plane(large, 0), luma)
        for index in range(1, len(values)):
            assert np.unique(plane(large, index)).tolist() == [values[index]]


def test_time_goes_along_and_the_old_frame_types_do_not(tmp_path: Path, info: VideoInfo) -> None:
    path = make_clip(tmp_path / "a.mp4", Clip(times=[40], size=(64, 48), rotation=(90, True)))
    frame = first_frame(path)
    assert frame.pict_type == 1
    large = FrameScaler(info, (128, 96)).enlarged(frame, np.zeros((96, 128), np.uint8))
    assert (large.pts, large.pict_type, large.time_base) == (frame.pts, 0, info.time_base)
    assert [item.type.name for item in large.side_data if item.type.name == "DISPLAYMATRIX"] == ["DISPLAYMATRIX"]
