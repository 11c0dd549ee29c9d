"""Y'CbCr and R'G'B': against the equations of H.273 in float64, and against FFmpeg."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_support import Clip, fill, make_clip

from superres.errors import UnsupportedFormatError
from superres.formats import Limits, read_image
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_colour import Colours
from superres.formats.video_decode import Wanted, read_frames
from superres.formats.video_faults import Faults
from superres.formats.video_pixels import pixels_of, plane
from superres.formats.video_rgb import FrameMaker, PictureMaker, quarter_turns, to_rgb, to_ycbcr

WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593), 7: (0.212, 0.087)}


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    path = make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", Clip(times=[0]))
    return probe_video(path, "a", Limits())


def expected(picture: np.ndarray, colours: Colours, bits: int) -> np.ndarray:
    """ITU-T H.273, equations 20 to 45, not rounded."""
    red, blue = WEIGHTS[colours.matrix]
    r, g, b = np.moveaxis(picture / np.iinfo(picture.dtype).max, 2, 0).astype(np.float64)
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red)
    if colours.full:
        return np.stack([(2**bits - 1) * luma, *((2**bits - 1) * c + 2 ** (bits - 1) for c in chroma)])
    return np.stack([219 * luma + 16, *(224 * c + 128 for c in chroma)]) * 2 ** (bits - 8)


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("bits", "dtype"), [(8, "uint8"), (10, "uint16"), (12, "uint16")])
def test_the_equations(matrix: int, full: bool, bits: int, dtype: str) -> None:
    random = np.random.default_rng(matrix)
    picture = random.integers(0, np.iinfo(dtype).max + 1, (16, 24, 3)).astype(dtype)
    corners = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).T * np.iinfo(dtype).max
    picture[0, :8] = corners
    colours = Colours(full, 1, 1, matrix)
    planes = to_ycbcr(picture, colours, bits)
    assert planes.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert np.abs(planes - np.minimum(expected(picture, colours, bits), 2**bits - 1)).max() < 0.51
    # And back: what is left is the rounding of three samples.
    step = np.iinfo(dtype).max / ((2**bits - 1) if full else 219 * 2 ** (bits - 8))
    assert np.abs(to_rgb(planes, colours, bits).astype(float) - picture).max() <= 1.6 * step + 1


def test_grey_pictures_have_no_colour() -> None:
    planes = to_ycbcr(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), Colours(False, 1, 1, 1), 8)
    assert (planes[1:] == 128).all()
    assert (planes[0, 0, 0], planes[0, -1, -1]) == (16, 235)


def test_black_and_white_of_deep_video_are_those_of_pictures() -> None:
    planes = np.full((3, 1, 2), 512, np.uint16)
    planes[0] = 64, 940
    assert to_rgb(planes, Colours(False, 1, 1, 1), 10)[0].tolist() == [[0] * 3, [65535] * 3]


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le"])
@pytest.mark.parametrize("size", [(64, 48), (33, 21)])
def test_smooth_pictures_survive_as_frames(name: str, size: tuple[int, int], info: VideoInfo) -> None:
    """Subsampled, sited and back: nothing shifts, nothing is tinted."""
    there = replace(info, pixels=pixels_of(name, "a"), width=size[0], height=size[1], colours=Colours(False, 1, 1, 1))
    y, x = np.mgrid[: size[1], : size[0]]
    shades = np.stack([0.2 + 0.6 * x / size[0], 0.8 - 0.6 * y / size[1], 0.5 + 0.1 * np.sin(x / 9)], axis=2)
    dtype, peak = (np.uint8, 255) if there.pixels.bits == 8 else (np.uint16, 65535)
    picture = np.round(shades * peak).astype(dtype)
    frame = FrameMaker(there).frame(picture, pts=7, duration=3)
    assert (frame.format.name, frame.width, frame.height, frame.pts, frame.duration) == (name, *size, 7, 3)
    back = PictureMaker(there, size, "a").picture(frame)
    assert back.dtype == dtype
    error = ((back.astype(float) - picture) / peak * 255)[2:-2, 2:-2]
    assert np.abs(error).max() < (3.5 if there.pixels.bits == 8 else 1.2)  # three roundings of 8 bits, or next to none
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.15


@pytest.mark.parametrize(("name", "white", "dtype"), [("gray", 235, "uint8"), ("gray10le", 940, "uint16")])
def test_grey_video_gives_grey_pictures(name: str, white: int, dtype: str, info: VideoInfo) -> None:
    there = replace(info, pixels=pixels_of(name, "a"), colours=Colours(False, 1, 1, 1))
    frame = av.VideoFrame(info.width, info.height, name)
    fill(frame, [np.full((info.height, info.width), white, dtype)])
    made = PictureMaker(there, (info.width, info.height), "a").picture(frame)
    assert made.shape == (info.height, info.width, 1) and (made == np.iinfo(dtype).max).all()


@pytest.mark.parametrize("rotation", [(0, False), (90, False), (180, False), (270, False), (90, True), (0, True)])
def test_pictures_are_upright_as_ffmpeg_shows_them(rotation: tuple[int, bool], tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("NO FFMPEG: it is absent, so pictures are not compared with its own; install it")

    def picture(number: int) -> list[np.ndarray]:
        y, x = np.mgrid[:48, :64]
        return [(40 + 2 * x + y).astype(np.uint8), *(np.full((24, 32), value, np.uint8) for value in (110, 150))]

    clip = Clip(times=[0], rotation=rotation if rotation != (0, False) else None, picture=picture, colours=(1, 1, 1, 1))
    source = make_clip(tmp_path / "a.mp4", clip)
    told = probe_video(source, "a", Limits())
    frame = next(iter(read_frames(source, "a", told, Wanted(), Faults())))
    ours = PictureMaker(told, (told.width, told.height), "a").picture(frame)
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-pix_fmt", "rgb24", tmp_path / "b.png"], check=True)
    theirs = read_image(tmp_path / "b.png").samples
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= 3


def test_what_pictures_cannot_say_is_refused(info: VideoInfo) -> None:
    one = 65536
    with pytest.raises(UnsupportedFormatError, match="quarter turns.*-o CLIP.mkv"):
        quarter_turns((one // 2, one // 2, 0, -one // 2, one // 2, 0, 0, 0, 1 << 30), "a")
    odd: Any = replace(info, colours=Colours(False, 1, 1, 8))
    with pytest.raises(UnsupportedFormatError, match="code 8"):
        PictureMaker(odd, (64, 48), "a")


def test_planes_are_written_where_they_lie(info: VideoInfo) -> None:
    there = replace(info, pixels=pixels_of("yuv444p", "a"), colours=Colours(False, 1, 1, 1))
    picture = np.random.default_rng(0).integers(0, 256, (info.height, info.width, 3)).astype(np.uint8)
    frame = FrameMaker(there).frame(picture, 0, 1)
    np.testing.assert_array_equal([plane(frame, i) for i in range(3)], to_ycbcr(picture, there.colours, 8))
