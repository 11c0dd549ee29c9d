from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tiny_models import nearest_model, put, tiny_video_model
from video_support import Clip, decoded, fill, make_clip

from superres.backends import Backend
from superres.errors import ModelError, OptionError
from superres.formats.base import Limits
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_pixels import pixels_of
from superres.image import Image
from superres.options import VideoOptions
from superres.pipeline import Options, Result, Upscaler
from superres.workflows import video, video_temporal
from superres.workflows.video_temporal import WARM_FRAMES, TemporalEnlarger, temporal_frames

WIDTH, HEIGHT = 70, 50
GROUP = 5

Plane = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with a network of video at x2, and one of pictures."""
    path = tmp_path_factory.mktemp("zoo")
    put(tiny_video_model(2), path)
    put(nearest_model(2), path)
    return path


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    path = make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", Clip(times=[0], size=(WIDTH, HEIGHT)))
    return probe_video(path, "a", Limits())


def scene(number: int, level: int = 40, bits: int = 8) -> Plane:
    """Shapes that drift, with noise of their own in every frame."""
    random = np.random.default_rng((level, number))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    plane = level + 25 * np.sin((x + number) / 5) * np.cos(y / 7) + random.normal(0, 4, (HEIGHT, WIDTH))
    return np.clip(np.round(plane) * 2 ** (bits - 8), 0, 2**bits - 1).astype(np.uint8 if bits == 8 else np.uint16)


Make = Callable[..., TemporalEnlarger]


@pytest.fixture
def make(folder: Path, info: VideoInfo, opener: Callable[..., Backend]) -> Iterator[Make]:
    upscalers = []

    def one(tile: int = 0, size: tuple[int, int] = (2 * WIDTH, 2 * HEIGHT), bits: int = 8) -> TemporalEnlarger:
        options = Options(scale=2, model="video", precision="fp32", tile=tile)
        upscalers.append(Upscaler(options, folder=folder, opener=opener))
        there = replace(info, pixels=pixels_of("yuv420p" if bits == 8 else "yuv420p10le", "a"))
        return TemporalEnlarger(upscalers[-1], there, size, threading.Event())

    yield one
    for upscaler in upscalers:
        upscaler.close()


def run(enlarger: TemporalEnlarger, planes: list[Plane]) -> list[Plane]:
    ends = [None, *planes, None]
    return [enlarger.enlarge(ends[i], ends[i + 1], ends[i + 2]) for i in range(len(planes))]  # type: ignore[arg-type]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("size", [(2 * WIDTH, 2 * HEIGHT), (100, 72)])
def test_any_tiling_gives_the_whole_frames(make: Make, bits: int, size: tuple[int, int]) -> None:
    planes = [scene(number, bits=bits) for number in range(4)]
    whole = run(make(size=size, bits=bits), planes)
    assert all(large.shape == (size[1], size[0]) and large.dtype == planes[0].dtype for large in whole)
    for tile in (8, 17, 33):
        for one, other in zip(run(make(tile, size, bits), planes), whole, strict=True):
            difference = np.abs(one.astype(int) - other)
            assert difference.max() <= 1  # sums in another order, where they fall upon a rounding
            assert (difference > 0).mean() < 0.002


def test_earlier_frames_matter_until_they_are_forgotten(make: Make) -> None:
    enlarger, planes = make(), [scene(number) for number in range(3)]
    remembered = run(enlarger, planes)[2]
    enlarger.forget()
    alone = enlarger.enlarge(planes[1], planes[2], None)
    assert np.abs(remembered.astype(int) - alone).max() > 2
    enlarger.forget()
    np.testing.assert_array_equal(enlarger.enlarge(planes[1], planes[2], None), alone)


def test_a_cut_begins_anew_and_nothing_looks_across_it(make: Make) -> None:
    first, second = ([scene(number, level) for number in range(3)] for level in (40, 200))
    both = run(make(), first + second)
    for found, expected in zip(both, run(make(), first) + run(make(), second), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_stop_ends_the_work(folder: Path, info: VideoInfo, opener: Callable[..., Backend]) -> None:
    stopped = threading.Event()
    with Upscaler(Options(scale=2, model="video", tile=8), folder=folder, opener=opener) as upscaler:
        enlarger = TemporalEnlarger(upscaler, info, (2 * WIDTH, 2 * HEIGHT), stopped)
        stopped.set()
        assert list(temporal_frames(frames(3), enlarger, 0, GROUP, stopped)) == []


def frames(count: int) -> list[Any]:
    made = []
    for number in range(count):
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        fill(frame, [scene(number), *(np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8),) * 2])
        made.append(frame)
    return made


def test_going_on_at_any_group_gives_the_frames_of_one_run(make: Make) -> None:
    """From no more than :data:`WARM_FRAMES` frames before it."""
    everything, event = frames(4 * GROUP + 2), threading.Event()
    whole = [large for _, large in temporal_frames(everything, make(), 0, GROUP, event)]
    assert len(whole) == len(everything)
    for done in (GROUP, 2 * GROUP, 4 * GROUP):
        rest = temporal_frames(everything[max(0, done - WARM_FRAMES) :], make(), done, GROUP, event)
        for (frame, large), expected, given in zip(rest, whole[done:], everything[done:], strict=True):
            np.testing.assert_array_equal(large, expected)
            assert frame is given
    # The state at a group's beginning is made of the frames before it, not empty.
    enlarger = make()
    enlarger.forget()
    alone = enlarger.enlarge(scene(GROUP - 1), scene(GROUP), scene(GROUP + 1))
    assert np.abs(alone.astype(int) - whole[GROUP]).max() > 2


class Interrupted(Exception):  # noqa: N818 - stands for a signal, not for an error
    pass


@pytest.fixture
def source(tmp_path: Path) -> Path:
    times = [20 * t + (t % 3) for t in range(23)]
    return make_clip(tmp_path / "a.mp4", Clip(times=times, options={"crf": "20", "preset": "medium", "g": "8"}))


@pytest.mark.parametrize("stop", [3, 6, 11, 22])
def test_an_interrupted_run_goes_on_and_makes_the_same_file(
    stop: int,
    source: Path,
    tmp_path: Path,
    folder: Path,
    opener: Callable[..., Backend],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(video, "GROUP_FRAMES", GROUP)
    options = Options(scale=2, model="video", precision="fp32", threads=1, video=VideoOptions(preset="ultrafast"))

    def upscale(target: Path, last: int = 0) -> Result:
        def report(done: int, total: int) -> None:
            if done == last:
                raise Interrupted

        with Upscaler(options, folder=folder, opener=opener) as upscaler:
            return upscaler.file(source, target, report=report)

    once = upscale(tmp_path / "once.mp4")
    assert once.networks == ("video x2",)
    with pytest.raises(Interrupted):
        upscale(tmp_path / "twice.mp4", stop)
    upscale(tmp_path / "twice.mp4")
    assert (tmp_path / "twice.mp4").read_bytes() == (tmp_path / "once.mp4").read_bytes()
    assert len(decoded(tmp_path / "twice.mp4")) == 23


def test_it_is_what_video_gets_unless_frames_are_to_be_copied(
    source: Path, tmp_path: Path, folder: Path, opener: Callable[..., Backend]
) -> None:
    with Upscaler(Options(scale=2), folder=folder, opener=opener) as upscaler:
        result = upscaler.file(source, tmp_path / "b.mp4")
    assert result.networks == ("video x2",)
    assert "help each other" in result.reason
    single = Options(scale=2, video=VideoOptions(reuse=0))
    with Upscaler(single, folder=folder) as upscaler, pytest.raises(ModelError, match="there is no 'standard' here"):
        upscaler.file(source, tmp_path / "c.mp4")


def test_a_part_of_a_video_begins_without_memory(
    source: Path, tmp_path: Path, folder: Path, opener: Callable[..., Backend]
) -> None:
    cut = VideoOptions(start=0.2, end=0.5, preset="ultrafast")
    with Upscaler(Options(scale=2, model="video", video=cut), folder=folder, opener=opener) as upscaler:
        upscaler.file(source, tmp_path / "part.mp4")
    times = [time for time, _ in decoded(tmp_path / "part.mp4")]
    assert 8 <= len(times) <= 10


def test_what_a_network_of_video_does_not_do_is_refused(source: Path, tmp_path: Path, folder: Path) -> None:
    for options, kind, message in [
        (Options(scale=2, model="video", video=VideoOptions(reuse=0)), OptionError, "computes every frame"),
        (Options(scale=4, model="video"), OptionError, "is not used twice"),
        (Options(scale=2, model="video", precision="int8"), ModelError, "no 8-bit form"),
    ]:
        with Upscaler(options, folder=folder) as upscaler, pytest.raises(kind, match=message):
            upscaler.file(source, tmp_path / "b.mp4")
        assert not (tmp_path / "b.mp4").exists()
    with (
        Upscaler(Options(scale=2, model="video"), folder=folder) as upscaler,
        pytest.raises(ModelError, match="video only"),
    ):
        upscaler.image(Image.from_array(np.zeros((8, 8), np.uint8)))


def test_the_numbers_of_warming_up_and_grouping_fit() -> None:
    assert 0 < video_temporal.WARM_FRAMES < video.GROUP_FRAMES
