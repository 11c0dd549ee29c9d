from __future__ import annotations

import struct

import pytest

from superres.formats.video_colour import Colours, resolved_colours
from superres.formats.video_hdr import light_levels, mastering_display


@pytest.mark.parametrize(
    ("tags", "size", "expected"),
    [
        # (range, primaries, transfer, matrix) of the source
        ((0, 2, 2, 2), (720, 480), Colours(False, 6, 6, 6)),
        ((0, 2, 2, 2), (720, 576), Colours(False, 5, 6, 5)),
        ((0, 2, 2, 2), (352, 288), Colours(False, 5, 6, 5)),
        ((0, 2, 2, 2), (1280, 720), Colours(False, 1, 1, 1)),
        ((0, 2, 2, 2), (720, 1280), Colours(False, 1, 1, 1)),
        ((2, 1, 1, 1), (320, 240), Colours(True, 1, 1, 1)),
        ((1, 9, 16, 9), (320, 240), Colours(False, 9, 16, 9)),
        ((1, 2, 2, 9), (320, 240), Colours(False, 9, 14, 9)),
        ((1, 9, 2, 2), (320, 240), Colours(False, 9, 14, 9)),
        ((1, 2, 2, 5), (1920, 1080), Colours(False, 5, 6, 5)),
        ((1, 2, 13, 2), (640, 480), Colours(False, 6, 13, 6)),
        ((0, 0, 0, 3), (640, 480), Colours(False, 6, 6, 6)),
    ],
)
def test_what_is_tagged_stays_and_what_is_not_is_stated(
    tags: tuple[int, int, int, int], size: tuple[int, int], expected: Colours
) -> None:
    assert resolved_colours(*tags, *size) == expected


def test_a_full_range_pixel_format_says_so() -> None:
    assert resolved_colours(0, 2, 2, 2, 640, 480, full=True).full


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_black_and_white(bits: int) -> None:
    scale = 1 << (bits - 8)
    assert Colours(False, 1, 1, 1).luma_scale(bits) == (16 * scale, 219 * scale)
    assert Colours(True, 1, 1, 1).luma_scale(bits) == (0, 256 * scale - 1)


def test_hdr10_metadata_is_read_from_ffmpegs_structures() -> None:
    points = [(34000, 16000), (13250, 34500), (7500, 3000), (15635, 16450)]
    numbers = [n for x, y in points for n in (x, 50000, y, 50000)] + [50, 10000, 10_000_000, 10000]
    data = {
        "MASTERING_DISPLAY_METADATA": struct.pack("=20i2i", *numbers, 1, 1),
        "CONTENT_LIGHT_LEVEL": struct.pack("=2I", 1000, 400),
    }
    mastering = mastering_display(data)
    assert mastering is not None
    assert mastering.integers() == "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    assert mastering.decimals().startswith("G(0.26500,0.69000)B(0.15000,0.06000)")
    assert light_levels(data) == (1000, 400)


def test_incomplete_hdr10_metadata_counts_as_none() -> None:
    whole = struct.pack("=20i2i", *[1] * 20, 1, 0)
    assert mastering_display({"MASTERING_DISPLAY_METADATA": whole}) is None
    assert mastering_display({"MASTERING_DISPLAY_METADATA": whole[:40]}) is None
    assert mastering_display({"MASTERING_DISPLAY_METADATA": struct.pack("=20i2i", *[0] * 20, 1, 1)}) is None
    assert mastering_display({}) is None
    assert light_levels({}) is None
