from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tiny_models import NEAREST_HALO, NearestBackend
from video_support import Clip, make_clip

from superres.backends import Backend
from superres.backends.openvino import has_bf16, has_int8
from superres.formats.base import Limits
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_colour import Colours
from superres.formats.video_pixels import pixels_of
from superres.image import Image, PictureInfo
from superres.pipeline import Options, Upscaler
from superres.tiling import even_tile, spans
from superres.workflows.video_luma import LumaEnlarger

Plane = npt.NDArray[Any]
TILE = 96
WIDTH, HEIGHT = 2 * TILE + 30, TILE + 10


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    path = make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", Clip(times=[0], size=(WIDTH, HEIGHT)))
    return probe_video(path, "a", Limits())


def scene(number: int, bits: int = 8) -> Plane:
    """A still background with noise, and a small square that moves."""
    rng = np.random.default_rng(0)
    plane = rng.integers(16, 236, (HEIGHT, WIDTH)) << (bits - 8)
    plane[20 + number : 30 + number, 40 + 3 * number : 50 + 3 * number] = 200 << (bits - 8)
    return plane.astype(np.uint8 if bits == 8 else np.uint16)


def enlarger(upscaler: Upscaler, info: VideoInfo, size: tuple[int, int], reuse: int | None) -> LumaEnlarger:
    return LumaEnlarger(upscaler, info, size, reuse, threading.Event())


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("size", [(2 * WIDTH, 2 * HEIGHT), (WIDTH * 3 // 2, HEIGHT * 3 // 2)])
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_reuse_of_equal_blocks_equals_computing_everything(
    bits: int, size: tuple[int, int], precision: str, info: VideoInfo, tiny_folder: Path, opener: Callable[..., Backend]
) -> None:
    """Bit for bit, on a network whose results depend on their surroundings, over frames with motion and without."""
    info = replace(info, pixels=pixels_of("yuv420p" if bits == 8 else "yuv420p10le", "a"))
    with Upscaler(Options(model="tiny", precision=precision), folder=tiny_folder, opener=opener) as upscaler:
        plain, reusing = (enlarger(upscaler, info, size, reuse) for reuse in (None, 0))
        kept = None
        for number in (0, 1, 2, 2, 3, 9):
            expected, found = plain.enlarge(scene(number, bits)), reusing.enlarge(scene(number, bits))
            np.testing.assert_array_equal(found, expected)
            assert found.shape == (size[1], size[0])
            if kept is not None:
                np.testing.assert_array_equal(*kept)  # earlier results are not written to
            kept = found, found.copy()


def test_only_changed_blocks_are_computed(info: VideoInfo, tiny_folder: Path) -> None:
    backends: list[NearestBackend] = []

    def counting(name: str, model: bytes, **_: Any) -> Backend:
        backends.append(NearestBackend(model))
        return backends[-1]

    size = (2 * WIDTH, 2 * HEIGHT)
    with Upscaler(Options(model="nearest", tile=TILE), folder=tiny_folder, opener=counting) as upscaler:
        luma = enlarger(upscaler, info, size, 0)
        first = luma.enlarge(scene(0))
        blocks = len(backends[0].shapes)
        assert blocks == 3 * 2
        assert luma.enlarge(scene(0)) is first
        assert len(backends[0].shapes) == blocks
        luma.enlarge(scene(1))  # well within the first block
        assert len(backends[0].shapes) == blocks + 1
        edge = scene(1)
        second = list(spans(WIDTH, even_tile(WIDTH, 3, NEAREST_HALO), NEAREST_HALO))[1]
        edge[10, second.start + 1] ^= 1  # within the halo (2 pixels) of the block to its left as well
        luma.enlarge(edge)
        assert len(backends[0].shapes) == blocks + 3
        luma.forget()
        luma.enlarge(edge)
        assert len(backends[0].shapes) == 2 * blocks + 3
        assert len(set(backends[0].shapes)) == 1  # one shape: runtimes prepare for each


@pytest.mark.parametrize("bits", [8, 10])
def test_a_tolerance_bounds_the_difference_of_what_is_copied(bits: int, info: VideoInfo, tiny_folder: Path) -> None:
    """Against what a block held when it was computed: small changes do not add up."""
    info = replace(info, pixels=pixels_of("yuv420p" if bits == 8 else "yuv420p10le", "a"))
    step = 1 << (bits - 8)

    def nearest(name: str, model: bytes, **_: Any) -> Backend:
        return NearestBackend(model)

    with Upscaler(Options(model="nearest"), folder=tiny_folder, opener=nearest) as upscaler:
        luma = enlarger(upscaler, info, (2 * WIDTH, 2 * HEIGHT), 2)
        start = np.full((HEIGHT, WIDTH), 100 * step, info.pixels.dtype)
        luma.enlarge(start)
        seen = []
        for drift in range(1, 8):
            plane = start + np.array(drift * step, start.dtype)
            large = luma.enlarge(plane)
            seen.append(int(large[0, 0]) // step - 100)
            assert np.abs(large.astype(int) - int(plane[0, 0])).max() <= 2 * step
        assert seen == [0, 0, 3, 3, 3, 6, 6]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_every_sample_survives_a_network_that_changes_nothing(
    full: bool, bits: int, info: VideoInfo, tiny_folder: Path
) -> None:
    """Also those below black and above white, in both ranges."""
    pixels = pixels_of("yuv420p" if bits == 8 else "yuv420p10le", "a")
    info = replace(info, pixels=pixels, colours=Colours(full, 1, 1, 1), width=64, height=64)
    plane = (np.arange(64 * 64) % (pixels.peak + 1)).reshape(64, 64).astype(pixels.dtype)

    def nearest(name: str, model: bytes, **_: Any) -> Backend:
        return NearestBackend(model)

    for reuse in (None, 0):
        with Upscaler(Options(model="nearest", scale=2), folder=tiny_folder, opener=nearest) as upscaler:
            large = enlarger(upscaler, info, (128, 128), reuse).enlarge(plane)
        np.testing.assert_array_equal(large, plane.repeat(2, 0).repeat(2, 1))


def test_full_range_luma_is_a_grey_picture(info: VideoInfo, tiny_folder: Path, opener: Callable[..., Backend]) -> None:
    """Against the still pipeline, which knows full range alone."""
    info = replace(info, colours=Colours(True, 1, 1, 1))
    with Upscaler(Options(model="tiny", scale=2, precision="fp32"), folder=tiny_folder, opener=opener) as upscaler:
        large = enlarger(upscaler, info, (2 * WIDTH, 2 * HEIGHT), None).enlarge(scene(0))
        expected = upscaler.image(Image.from_array(scene(0))).samples[:, :, 0]
    difference = np.abs(large.astype(int) - expected)
    assert difference.max() <= 1  # rounding of a division
    assert (difference > 0).mean() < 0.001


def test_8_bits_go_through_an_int8_network_as_they_are(info: VideoInfo) -> None:
    class Bytes:
        """A chain in int8 that repeats samples."""

        precision, scale, halo, lanes, channels = "int8", 2, 3, 1, 3

        def run_bytes(self, batch: Plane) -> Plane:
            assert batch.dtype == np.uint8
            assert batch.shape[3] == 3
            return batch.repeat(2, 1).repeat(2, 2)

    class Stub:
        options = Options(scale=2)

        def chain(self, info: PictureInfo, size: tuple[int, int]) -> Bytes:
            return Bytes()

    for reuse in (None, 0):
        luma = LumaEnlarger(Stub(), info, (2 * WIDTH, 2 * HEIGHT), reuse, threading.Event())  # type: ignore[arg-type]
        for number in (0, 1):
            expected = scene(number).repeat(2, 0).repeat(2, 1)
            np.testing.assert_array_equal(luma.enlarge(scene(number)), expected)


@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_reuse_with_a_shipped_network_equals_computing_every_block(precision: str, info: VideoInfo) -> None:
    """And computing whole frames gives the same, but for sums in another order where they fall upon a rounding."""
    if not {"int8": has_int8, "bf16": has_bf16}[precision]():
        pytest.skip(f"{precision.upper()} NOT TRIED: this processor has none")
    size = (4 * WIDTH, 4 * HEIGHT)
    with Upscaler(Options(scale=4, model="realtime", precision=precision, threads=1)) as upscaler:
        reusing, whole = (enlarger(upscaler, info, size, reuse) for reuse in (0, None))
        for number in range(3):
            found, all_of_it = reusing.enlarge(scene(number)), whole.enlarge(scene(number))
            np.testing.assert_array_equal(found, enlarger(upscaler, info, size, 0).enlarge(scene(number)))
            difference = np.abs(found.astype(int) - all_of_it)
            assert difference.max() <= 1 and (difference > 0).mean() < 0.01


def test_a_stop_ends_the_work(info: VideoInfo, tiny_folder: Path) -> None:
    stopped = threading.Event()

    class Stopping(NearestBackend):
        def run(self, batch: Plane) -> Plane:
            stopped.set()
            return super().run(batch)

    made: list[Stopping] = []

    def opening(name: str, model: bytes, **_: Any) -> Backend:
        made.append(Stopping(model))
        return made[-1]

    for reuse in (None, 0):
        stopped.clear()
        made.clear()
        with Upscaler(Options(model="nearest", scale=2, tile=16), folder=tiny_folder, opener=opening) as upscaler:
            LumaEnlarger(upscaler, info, (2 * WIDTH, 2 * HEIGHT), reuse, stopped).enlarge(scene(0))
        # One more may have been handed over already.
        assert len(made[0].shapes) <= 2
