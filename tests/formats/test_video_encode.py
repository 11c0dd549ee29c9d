from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from video_support import Clip, drifting, fill, make_clip

from superres.errors import OptionError
from superres.formats.base import Limits
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_colour import Colours
from superres.formats.video_encode import CODECS, Packet, choose_encoding, encode_group
from superres.formats.video_hdr import Mastering
from superres.formats.video_pixels import pixels_of

SIZE = (96, 64)
MASTERING = Mastering(
    *(
        (Fraction(x, 50000), Fraction(y, 50000))
        for x, y in ((34000, 16000), (13250, 34500), (7500, 3000), (15635, 16450))
    ),
    least=Fraction(1, 200),
    largest=Fraction(1000),
)


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    path = make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", Clip(times=[0], size=SIZE))
    return probe_video(path, "a", Limits())


def frames_of(info: VideoInfo, count: int) -> list[Any]:
    frames = []
    for number in range(count):
        frame = av.VideoFrame(*SIZE, info.pixels.name)
        fill(frame, drifting(number, SIZE, info.pixels.name))
        frame.pts, frame.time_base = 1000 + 517 * number + number % 3, info.time_base
        frames.append(frame)
    return frames


def decoded(codec: str, packets: list[tuple[bytes, Packet]]) -> list[Any]:
    decoder = av.CodecContext.create("libdav1d" if codec == "av1" else codec, "r")
    decoder.extradata = packets[-1][0] or None
    shown = [frame for _, packet in packets for frame in decoder.decode(av.Packet(packet.data))]
    return shown + decoder.decode(None)


@pytest.mark.parametrize(
    ("container", "pixels", "codec"),
    [
        ("mp4", "yuv420p", "h264"),
        ("mov", "yuv444p", "h264"),
        ("matroska", "yuv420p10le", "hevc"),
        ("mp4", "yuv420p12le", "hevc"),
        ("webm", "yuv420p", "vp9"),
        ("webm", "yuv420p10le", "av1"),
    ],
)
def test_the_container_and_the_depth_choose_the_codec(container: str, pixels: str, codec: str, info: VideoInfo) -> None:
    deep = replace(info, pixels=pixels_of(pixels, "a"))
    assert choose_encoding(deep, SIZE, container, 10).codec == codec


@pytest.mark.parametrize("codec", list(CODECS))
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_groups_stand_alone_and_are_the_same_each_time(codec: str, pixels: str, info: VideoInfo) -> None:
    deep = replace(info, pixels=pixels_of(pixels, "a"), colours=Colours(False, 9, 16, 9))
    if (codec, pixels) == ("vp9", "yuv420p10le"):
        with pytest.raises(OptionError, match="vp9 cannot hold"):
            choose_encoding(deep, SIZE, "matroska", 10, codec=codec)
        return
    preset = {"av1": "10", "vp9": "8"}.get(codec, "ultrafast")
    encoding = choose_encoding(deep, SIZE, "matroska", 10, codec=codec, preset=preset, threads=2)
    first, second = (list(encode_group(encoding, frames_of(deep, 8))) for _ in range(2))
    assert first == second
    assert len(first) == 8
    assert first[0][1].key
    assert sorted(packet.pts for _, packet in first) == [frame.pts for frame in frames_of(deep, 8)]
    shown = decoded(codec, first)
    assert len(shown) == 8
    assert shown[0].format.name == pixels
    told = shown[0]
    assert (told.color_range, told.colorspace) == (1, 9)
    if codec != "vp9":  # whose pictures only name a matrix
        assert (told.color_primaries, told.color_trc) == (9, 16)


@pytest.mark.parametrize(("codec", "container"), [("h264", "mp4"), ("hevc", "mp4"), ("av1", "webm")])
def test_hdr10_metadata_is_in_the_pictures(codec: str, container: str, info: VideoInfo) -> None:
    from superres.formats.video import side_data
    from superres.formats.video_hdr import light_levels, mastering_display

    deep = replace(info, pixels=pixels_of("yuv420p10le", "a"), mastering=MASTERING, light=(1000, 400))
    preset = "10" if codec == "av1" else "ultrafast"
    encoding = choose_encoding(deep, SIZE, container, 10, codec=codec, preset=preset)
    packets = list(encode_group(encoding, frames_of(deep, 2)))
    data = side_data(decoded(codec, packets)[0])
    assert light_levels(data) == (1000, 400)
    found = mastering_display(data)
    assert found is not None
    for name in ("red", "green", "blue", "white"):
        for a, b in zip(getattr(found, name), getattr(MASTERING, name), strict=True):
            assert abs(a - b) < Fraction(1, 25000)
    assert abs(found.largest - MASTERING.largest) < 1
    assert abs(found.least - MASTERING.least) < Fraction(1, 1000)


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({}, {"codec": "h265"}, "expected one of h264, hevc, av1, vp9"),
        ({}, {"codec": "hevk"}, "did you mean 'hevc'"),
        ({}, {"preset": "quick"}, "expected one of ultrafast"),
        ({}, {"codec": "av1", "preset": "slow"}, "expected one of 0, 1"),
        ({}, {"quality": 52}, "0 to 51"),
        ({}, {"codec": "av1", "quality": 0}, "1 to 63"),
        ({}, {"codec": "hevc", "size": (62, 64)}, "62 x 64 is too small.*--codec h264"),
        ({}, {"codec": "av1", "container": "webm", "size": (64, 32)}, "64 x 64 and more: use --codec vp9"),
        ({"captions": True}, {"codec": "av1"}, "captions"),
        ({"pixels": pixels_of("yuv422p", "a")}, {"codec": "av1"}, "yuv422p.*--codec h264, hevc or vp9$"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(
    change: dict[str, Any], arguments: dict[str, Any], words: str, info: VideoInfo
) -> None:
    with pytest.raises(OptionError, match=words):
        size, container = arguments.pop("size", SIZE), arguments.pop("container", "matroska")
        choose_encoding(replace(info, **change), size, container, 10, **arguments)


def test_captions_inside_the_pictures_go_along(info: VideoInfo, tmp_path: Path) -> None:
    """CEA-608 text as broadcasters put it into H.264, written here by hand."""
    pairs = [b"\x94\x20", b"\xc8\xc9"]
    source = tmp_path / "a.mkv"
    with_captions(source, info, pairs)
    probed = probe_video(source, "a", Limits())
    assert probed.captions
    for codec in ("h264", "hevc"):
        encoding = choose_encoding(probed, SIZE, "matroska", 10, codec=codec, preset="ultrafast")
        with av.open(str(source)) as container:
            frames = list(container.decode(video=0))
        for frame in frames:
            frame.pict_type = 0
        packets = list(encode_group(encoding, frames))
        assert all(b"GA94\x03" in packet.data for _, packet in packets)


def with_captions(path: Path, info: VideoInfo, pairs: list[bytes]) -> None:
    """An H.264 clip with one pair of caption bytes in a message (ATSC A/53) before each picture."""
    encoding = choose_encoding(info, SIZE, "matroska", 10, preset="ultrafast")
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_mux_stream("h264", width=SIZE[0], height=SIZE[1])
        stream.time_base = info.time_base
        for number, (header, packet) in enumerate(encode_group(encoding, frames_of(info, len(pairs)))):
            text = b"\xb5\x00\x31GA94\x03" + bytes([0x40 | 1, 0xFF, 0xFC]) + pairs[number] + b"\xff"
            message = b"\0\0\0\1\x06\x04" + bytes([len(text)]) + text + b"\x80"
            made = av.Packet(header + message + packet.data)
            made.pts = made.dts = packet.pts
            made.time_base, made.is_keyframe, made.stream = info.time_base, packet.key, stream
            output.mux(made)


@pytest.mark.parametrize(
    ("pixels", "codec", "container", "remedy"),
    [
        ("yuv440p", "hevc", "mp4", r"use --codec vp9$"),
        ("yuv440p", "h264", "mov", r"use --codec vp9, in an \.mkv file$"),
        ("yuv420p12le", "h264", "mp4", r"use --codec hevc$"),
        ("yuv422p10le", "av1", "webm", r"use --codec h264 or hevc, in an \.mkv file$"),
        ("yuv440p10le", "hevc", "matroska", r"no codec here fits; convert it first, .*-pix_fmt yuv444p10 "),
    ],
)
def test_the_remedy_for_pixels_that_a_codec_does_not_take_works(
    pixels: str, codec: str, container: str, remedy: str, info: VideoInfo
) -> None:
    odd = replace(info, pixels=pixels_of(pixels, "a"))
    with pytest.raises(OptionError, match=rf"codec {codec} cannot hold this video's {pixels} pixels: {remedy}"):
        choose_encoding(odd, SIZE, container, 10, codec=codec)
    if "--codec" in remedy:
        other = remedy.split("--codec ")[1].split("$")[0].split(",")[0].split()[0]
        assert choose_encoding(odd, SIZE, "matroska", 10, codec=other).codec == other


def test_no_remedy_loses_captions(info: VideoInfo) -> None:
    odd = replace(info, pixels=pixels_of("yuv440p", "a"), captions=True)
    with pytest.raises(OptionError, match="convert it first"):
        choose_encoding(odd, SIZE, "mp4", 10, codec="hevc")
