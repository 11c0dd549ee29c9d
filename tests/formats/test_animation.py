"""Animations: frames as a viewer shows them, with timing and loop count, checked against Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageSequence

from superres.errors import InputError, LimitError, OptionError, OutputError
from superres.formats import Limits, read_image
from superres.formats.animation import is_animated, open_animation, open_animation_writer

from .support import pillow_bytes, plain_tiff, png_chunk, profile, smooth

DURATIONS = (50, 100, 70, 200, 30)
Frames = list[np.ndarray[Any, Any]]


def drawn(format: str, transparent: bool, **options: Any) -> bytes:
    """Five frames of a moving square, by Pillow, which stores only what changes."""
    base = np.concatenate([smooth(20, 30, 3) // 64 * 64, np.full((20, 30, 1), 255, np.uint8)], axis=2)
    frames = []
    for index in range(5):
        frame = base.copy()
        frame[index : index + 6, 3 * index : 3 * index + 6, :3] = (255, 40 * index, 0)
        if transparent:
            frame[12:, 20:, 3] = 0
        frames.append(Pillow.fromarray(frame).convert("RGBA" if transparent else "RGB"))
    if format == "WEBP":
        options["lossless"] = True
    buffer = io.BytesIO()
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:], duration=list(DURATIONS), loop=3, **options)
    return buffer.getvalue()


def by_pillow(source: bytes | Path) -> tuple[Frames, list[int], int]:
    """Frames as RGBA, durations and loop count (0 for ever) as Pillow finds them."""
    with Pillow.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
        frames, durations = [], []
        for frame in ImageSequence.Iterator(opened):
            frames.append(np.array(frame.convert("RGBA")))
            durations.append(round(frame.info.get("duration", 0)))
        loop = int(opened.info.get("loop", 0))
        # A GIF states how often it is repeated after the first run; the others how often it runs.
        return frames, durations, loop + 1 if opened.format == "GIF" and loop else loop


def rgba(frame: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return frame if frame.shape[2] == 4 else np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)])


def assert_same_look(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> None:
    """Equal, but for the colour of pixels that are wholly transparent."""
    np.testing.assert_array_equal(one[..., 3], two[..., 3])
    np.testing.assert_array_equal(one * (one[..., 3:] > 0), two * (two[..., 3:] > 0))


CASES = [
    ("GIF", False, {"disposal": 1}),
    ("GIF", False, {"disposal": 2}),
    ("GIF", True, {"disposal": 1}),
    ("GIF", True, {"disposal": 2}),
    ("WEBP", False, {}),
    ("WEBP", True, {}),
    *[("PNG", t, {"disposal": d, "blend": b}) for t in (False, True) for d in (0, 1) for b in (0, 1)],
]


@pytest.mark.parametrize(("format", "transparent", "options"), CASES)
def test_frames_and_timing(format: str, transparent: bool, options: dict[str, Any]) -> None:
    data = drawn(format, transparent, **options)
    frames, durations, loop = by_pillow(data)
    animation = open_animation(data)
    assert is_animated(data) and animation.frames == len(frames) == 5
    assert animation.durations == tuple(durations) == DURATIONS and animation.loop == loop
    assert animation.info.dtype == np.uint8
    for index, expected in enumerate(frames):
        frame = animation.read_frame(index)
        assert frame.shape == (20, 30, animation.info.channels)
        assert_same_look(rgba(frame), expected)
    # Going back starts anew, and gives the same.
    assert_same_look(rgba(animation.read_frame(2)), frames[2])
    assert_same_look(rgba(animation.read_frame(4)), frames[4])
    animation.close()
    animation.close()


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("transparent", [False, True])
def test_written_frames_and_timing(tmp_path: Path, suffix: str, transparent: bool) -> None:
    data = drawn("PNG", transparent)
    animation = open_animation(data)
    path = tmp_path / f"a{suffix}"
    writer = open_animation_writer(path, animation.info.scaled(40, 60), animation.durations, animation.loop)
    expected = []
    for index in range(animation.frames):
        frame = animation.read_frame(index).repeat(2, 0).repeat(2, 1)
        expected.append(rgba(frame))
        writer.write_frame(frame)
    writer.commit()
    writer.abort()
    frames, durations, loop = by_pillow(path)
    assert tuple(durations) == DURATIONS and loop == 3 and len(frames) == 5
    for frame, wanted in zip(frames, expected, strict=True):
        if suffix == ".gif":  # 256 colours, dithered
            assert np.abs(frame.astype(int) - wanted)[wanted[..., 3] > 0].mean() < 6
            np.testing.assert_array_equal(frame[..., 3], wanted[..., 3])
        else:
            assert_same_look(frame, wanted)
    assert is_animated(path) and [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("loop", [0, 1, 7, 65_535])
def test_odd_durations_and_loops_survive(tmp_path: Path, suffix: str, loop: int) -> None:
    info = read_image(pillow_bytes(smooth(8, 8, 3), "PNG")).info
    durations = (0, 1000, 70_000, 20)
    writer = open_animation_writer(tmp_path / f"a{suffix}", info, durations, loop)
    for index in range(4):
        # WebP joins equal frames; the others keep them apart.
        writer.write_frame(smooth(8, 8, 3, seed=index if suffix == ".webp" else 0))
    writer.commit()
    back = open_animation(tmp_path / f"a{suffix}")
    assert (back.frames, back.durations, back.loop) == (4, durations, loop)


@pytest.mark.parametrize(
    ("durations", "seeds", "kept"),
    [
        ((10, 0, 5, 40, 11), (0, 1, 2, 3, 4), (10, 0, 5, 40, 11)),
        ((3, 0, 5, 40, 10, 10), (0, 0, 0, 3, 3, 3), (8, 60)),
        ((20, 7, 7, 20), (0, 1, 1, 0), (20, 14, 20)),
        ((100, 9, 30), (0, 0, 1), (109, 30)),
        ((9, 9), (0, 0), (0,)),  # a still
    ],
)
def test_short_frames_of_webp_stay_as_long_as_they_should(
    durations: tuple[int, ...], seeds: tuple[int, ...], kept: tuple[int, ...], tmp_path: Path
) -> None:
    """libvips writes 100 ms for up to 10, and its encoder joins equal neighbours."""
    info = read_image(pillow_bytes(smooth(8, 8, 3), "PNG")).info
    writer = open_animation_writer(tmp_path / "a.webp", info, durations, 0)
    for seed in seeds:
        writer.write_frame(smooth(8, 8, 3, seed=seed))
    writer.commit()
    frames, found, _ = by_pillow(tmp_path / "a.webp")
    assert (tuple(found), open_animation(tmp_path / "a.webp").durations) == (kept, kept)
    shown = [seed for place, seed in enumerate(seeds) if place == 0 or seed != seeds[place - 1]]
    for frame, seed in zip(frames, shown, strict=True):
        np.testing.assert_array_equal(frame[..., :3], smooth(8, 8, 3, seed=seed))


def test_each_format_runs_as_often_as_it_can_say(tmp_path: Path) -> None:
    """A GIF says how often it is repeated, the others how often it runs."""
    info = read_image(pillow_bytes(smooth(8, 8, 3), "PNG")).info
    for suffix, most in ((".gif", 65_536), (".webp", 65_535), (".png", 2**31 - 1)):
        path = tmp_path / f"a{suffix}"
        writer = open_animation_writer(path, info, (50, 50), most)
        for seed in (0, 1):
            writer.write_frame(smooth(8, 8, 3, seed=seed))
        writer.commit()
        assert open_animation(path).loop == most == by_pillow(path)[2]
        with pytest.raises(OptionError, match=f"loop {most + 1}: an animated .* 1 to {most} times") as caught:
            open_animation_writer(tmp_path / f"b{suffix}", info, (50,) * 500, most + 1)
        assert len(str(caught.value)) < 120


def apng(frames: list[tuple[int, int, int, int, int, int]], size: tuple[int, int] = (4, 4)) -> bytes:
    """An APNG of plain grey-with-alpha rectangles: (x, y, side, grey, dispose, blend)."""
    out = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 4, 0, 0, 0))
    out += png_chunk(b"acTL", struct.pack(">II", len(frames), 0))
    number = 0
    for index, (x, y, side, grey, dispose, blend) in enumerate(frames):
        out += png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, side, side, x, y, 1, 0, dispose, blend))
        pixels = zlib.compress((b"\0" + bytes((grey, 255)) * side) * side)
        number += 1
        out += png_chunk(b"IDAT", pixels) if index == 0 else png_chunk(b"fdAT", struct.pack(">I", number) + pixels)
        number += int(index > 0)
    return out + png_chunk(b"IEND", b"")


def test_apng_disposal_to_previous_by_the_specification() -> None:
    """Pillow differs from the specification here, so the expectation is written by hand."""
    animation = open_animation(apng([(0, 0, 4, 10, 0, 0), (1, 1, 2, 99, 2, 0), (3, 3, 1, 50, 0, 1)]))
    background = np.full((4, 4), 10)
    second = background.copy()
    second[1:3, 1:3] = 99
    third = background.copy()
    third[3, 3] = 50
    for index, expected in enumerate((background, second, third)):
        np.testing.assert_array_equal(animation.read_frame(index)[..., 0], expected)
    assert animation.durations == (10, 10, 10)


def test_apng_first_frame_disposed_to_previous_is_cleared() -> None:
    animation = open_animation(apng([(0, 0, 4, 10, 2, 0), (0, 0, 1, 20, 0, 0)]))
    animation.read_frame(0)
    assert animation.read_frame(1)[..., 1].tolist() == [[255, 0, 0, 0]] + [[0] * 4] * 3


@pytest.mark.parametrize("frame", [(3, 0, 2, 1, 0, 0), (0, 0, 0, 1, 0, 0), (0, 0, 1, 1, 3, 0), (2**31, 0, 1, 1, 0, 0)])
def test_apng_frame_outside_the_canvas(frame: tuple[int, int, int, int, int, int]) -> None:
    with pytest.raises(InputError, match=r"x\.png"):
        open_animation(apng([(0, 0, 4, 1, 0, 0), frame]), name="x.png")


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_truncated_animation(format: str) -> None:
    data = drawn(format, True)
    frames, _, _ = by_pillow(data)
    for percent in range(0, 100, 2):
        try:
            animation = open_animation(data[: len(data) * percent // 100], name="cut")
            shown = [rgba(animation.read_frame(index)) for index in range(animation.frames)]
        except InputError as exc:
            assert "cut" in str(exc)
        else:
            # Whole frames may be missing from the end, but what is shown is right.
            for one, two in zip(shown, frames, strict=False):
                assert_same_look(one, two)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_mutated_animation(format: str) -> None:
    data = drawn(format, True)
    rng = np.random.default_rng(3)
    for _ in range(150):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 6))):
            broken[int(rng.integers(0, len(broken)))] = int(rng.integers(0, 256))
        try:
            animation = open_animation(bytes(broken), name="fuzz")
            for index in range(min(animation.frames, 10)):
                animation.read_frame(index)
        except (InputError, OptionError) as exc:
            assert "fuzz" in str(exc)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_limit_counts_all_frames(format: str) -> None:
    data = drawn(format, False)
    with pytest.raises(LimitError, match="5 frame"):
        open_animation(data, limits=Limits(input_pixels=5 * 600 - 1))
    open_animation(data, limits=Limits(input_pixels=5 * 600))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_still_pictures_are_not_animated(format: str) -> None:
    data = pillow_bytes(smooth(8, 8, 3), format)
    assert not is_animated(data)
    if format != "PNG":
        assert open_animation(data).frames == 1


def test_other_formats_have_no_animation() -> None:
    assert not is_animated(plain_tiff(smooth(4, 4, 3))) and not is_animated(pillow_bytes(smooth(8, 8, 3), "JPEG"))
    with pytest.raises(OptionError, match="holds no animation"):
        open_animation(pillow_bytes(smooth(8, 8, 3), "JPEG"))


def test_first_frame_as_a_still() -> None:
    for format in ("GIF", "WEBP", "PNG"):
        data = drawn(format, False)
        assert_same_look(rgba(read_image(data).samples), by_pillow(data)[0][0])


def test_profile_is_kept(tmp_path: Path) -> None:
    icc = profile()  # it carries the time at which it was made
    animation = open_animation(drawn("PNG", False, icc_profile=icc))
    for suffix in (".png", ".webp"):
        writer = open_animation_writer(tmp_path / f"a{suffix}", animation.info, (10,), 0)
        writer.write_frame(animation.read_frame(0))
        writer.commit()
        assert read_image(tmp_path / f"a{suffix}").info.metadata.icc == icc


def test_refusals(tmp_path: Path) -> None:
    info = read_image(pillow_bytes(smooth(8, 8, 3), "PNG")).info
    wrong: list[dict[str, Any]] = [{"durations": ()}, {"durations": (-1,)}, {"loop": -1}, {"quality": 5}]
    for changed in [{"target": tmp_path / "a.jpg"}, *wrong]:
        arguments: dict[str, Any] = {"target": tmp_path / "a.gif", "info": info, "durations": (10,), "loop": 0}
        with pytest.raises(OptionError):
            open_animation_writer(**(arguments | changed))
    with pytest.raises(OptionError, match="frames up to"):
        open_animation_writer(tmp_path / "a.webp", info.scaled(17_000, 8), (10,), 0)
    for suffix in (".gif", ".png"):
        writer = open_animation_writer(tmp_path / f"a{suffix}", info, (10, 10), 0)
        with pytest.raises(OptionError, match="frame is"):
            writer.write_frame(np.zeros((4, 8, 3), np.uint8))
        writer.write_frame(smooth(8, 8, 3))
        with pytest.raises(OutputError):
            writer.commit()
    assert not list(tmp_path.iterdir())
