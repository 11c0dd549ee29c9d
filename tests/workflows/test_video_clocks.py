"""Timecode, clocks that begin anew, and other videos in a part: what a result makes of them, checked by ffprobe too."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from tiny_models import open_nearest
from video_support import Clip, decoded, ffprobe, make_clip

from superres.options import VideoOptions
from superres.pipeline import Options, Result, Upscaler

Enlarge = Callable[..., Result]

#: Of these NTSC pictures the tenth is the first of a new minute, in drop-frame timecode.
NTSC = Clip(times=range(0, 20 * 1001, 1001), time_base=Fraction(1, 30000), timecode="00:59:59;20")


@pytest.fixture
def enlarge(tiny_folder: Path) -> Enlarge:
    """From file to file, by a network that repeats samples."""

    def run(source: Path, target: Path, start: float | None = None, end: float | None = None) -> Result:
        video = VideoOptions(preset="ultrafast", start=start, end=end)
        options = Options(scale=2, model="nearest", threads=1, quality=20, video=video)
        with Upscaler(options, folder=tiny_folder, opener=open_nearest) as upscaler:
            return upscaler.file(source, target)

    return run


def timecodes(path: Path) -> list[tuple[str, str]]:
    """(kind of stream, timecode) by PyAV; ffprobe says the same."""
    with av.open(str(path)) as container:
        held = [(str(s.type), {key.lower(): value for key, value in s.metadata.items()}) for s in container.streams]
    told = [
        (stream["codec_type"], {key.lower(): value for key, value in stream.get("tags", {}).items()})
        for stream in ffprobe(path)["streams"]
    ]
    found = [(kind, tags["timecode"]) for kind, tags in held if "timecode" in tags]
    assert found == [(kind, tags["timecode"]) for kind, tags in told if "timecode" in tags]
    return found


def packets_of(path: Path, index: int) -> list[Any]:
    """(pts, dts, key, bytes) of a stream's packets, times in seconds."""
    with av.open(str(path)) as container:
        return [
            (*(None if t is None else t * p.time_base for t in (p.pts, p.dts)), p.is_keyframe, bytes(p))
            for p in container.demux(container.streams[index])
            if p.size
        ]


@pytest.mark.parametrize("before", [".mov", ".mp4"])
@pytest.mark.parametrize("after", [".mov", ".mp4", ".mkv"])
def test_timecode_is_kept(before: str, after: str, tmp_path: Path, enlarge: Enlarge) -> None:
    clip = Clip(extras=["audio"], timecode="01:00:00:00")
    source, target = make_clip(tmp_path / f"a{before}", clip), tmp_path / f"b{after}"
    result = enlarge(source, target)
    assert result.warnings == ()
    expected = [("video", "01:00:00:00"), ("data", "01:00:00:00")]
    assert timecodes(source) == expected
    assert timecodes(target) == (expected[:1] if after == ".mkv" else expected)
    assert [p[3] for p in packets_of(target, 1)] == [p[3] for p in packets_of(source, 1)]
    if after != ".mkv":
        assert [s.get("codec_tag_string") for s in ffprobe(target)["streams"]][1:] == ["mp4a", "tmcd"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_timecode_of_a_part_is_that_of_its_first_picture(suffix: str, tmp_path: Path, enlarge: Enlarge) -> None:
    source, target = make_clip(tmp_path / f"a{suffix}", NTSC), tmp_path / f"b{suffix}"
    result = enlarge(source, target, start=0.33)  # the tenth picture is at 0.3337
    assert result.warnings == ()
    assert len(decoded(target)) == 10
    assert {text for _, text in timecodes(target)} == {"01:00:00;00"}


def test_a_timecode_that_cannot_be_moved_is_left_out_and_told(tmp_path: Path, enlarge: Enlarge) -> None:
    clip = Clip(times=[0, 20, 40, 61, 80, 200, 220, 245], timecode="01:00:00:00")
    source, target = make_clip(tmp_path / "a.mov", clip), tmp_path / "b.mov"
    result = enlarge(source, target, start=0.1)
    assert timecodes(target) == []
    assert any("the timecode, 01:00:00:00 where the file begins, was left out" in text for text in result.warnings)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_clock_that_begins_anew_costs_only_what_follows(suffix: str, tmp_path: Path, enlarge: Enlarge) -> None:
    source = make_clip(tmp_path / "a.ts", Clip(times=range(0, 900, 20), extras=["audio"], sound=75))
    alone = tmp_path / f"alone{suffix}"
    enlarge(source, alone)
    source.write_bytes(source.read_bytes() * 2)
    target = tmp_path / f"b{suffix}"
    result = enlarge(source, target)
    assert any("the clock begins anew after 0:00:" in text for text in result.warnings)
    assert sum("the clock of stream 1 (audio) goes back" in text for text in result.warnings) == 1
    assert decoded(target) == decoded(alone)
    assert packets_of(target, 1) == packets_of(alone, 1)
    assert enlarge(source, tmp_path / f"c{suffix}", end=0.5).warnings == ()  # all that is asked for is there


def test_sound_that_goes_back_a_little_goes_on_afterwards(tmp_path: Path, enlarge: Enlarge) -> None:
    """The packets of 0.4 s come twice, then those that follow."""
    first = make_clip(tmp_path / "a.ts", Clip(times=range(0, 240, 20), extras=["audio"], sound=20))
    longer = make_clip(tmp_path / "b.ts", Clip(times=range(0, 480, 20), extras=["audio"], sound=40))
    source, target = tmp_path / "c.ts", tmp_path / "d.mp4"
    source.write_bytes(first.read_bytes() + longer.read_bytes())
    result = enlarge(source, target)
    assert any("the clock of stream 1 (audio) goes back" in text for text in result.warnings)
    assert len(packets_of(target, 1)) == pytest.approx(len(packets_of(longer, 1)), abs=2)


def two_videos(path: Path, options: str = "g=10:bf=2", timecode: str = "") -> Path:
    """Pictures out of order, twice; in Matroska the first packets have no time of decoding."""
    clip = Clip(
        times=range(0, 1200, 40),
        time_base=Fraction(1, 1000),
        options={"crf": "20", **dict(option.split("=") for option in options.split(":"))},
    )
    single = make_clip(path.with_suffix(".one.mkv"), clip)
    with av.open(str(single)) as one, av.open(str(single)) as other, av.open(str(path), "w") as output:
        copies = [output.add_stream_from_template(c.streams.video[0], opaque=True) for c in (one, other)]
        if timecode:
            copies[1].metadata["timecode"] = timecode
        for pair in zip(one.demux(video=0), other.demux(video=0), strict=True):
            for packet, copy in zip(pair, copies, strict=True):
                if packet.size:
                    packet.stream = copy
                    output.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("start", [0.0, 0.1, 0.5])
def test_another_video_of_a_part_begins_with_a_key_frame(
    suffix: str, start: float, tmp_path: Path, enlarge: Enlarge
) -> None:
    source, target = two_videos(tmp_path / "a.mkv"), tmp_path / f"b{suffix}"
    before = packets_of(source, 1)
    assert before[0][1] is None
    result = enlarge(source, target, start=start)
    after = packets_of(target, 1)
    key = next(i for i, packet in enumerate(before) if packet[2] and packet[0] >= Fraction(start))
    assert len(after) == len(before) - key
    assert [packet[3] for packet in after] == [packet[3] for packet in before[key:]]
    # Matroska has no negative times: there all streams are later by the same.
    shift = decoded(target)[0][0] - min(p[0] for p in before if p[0] >= Fraction(start))
    assert [packet[0] - shift for packet in after] == [packet[0] for packet in before[key:]]
    assert any("of video stream 1 the pictures before" in text for text in result.warnings) == (start > 0)
    with av.open(str(target)) as container:
        assert len(list(container.decode(container.streams.video[1]))) == len(after)


def test_another_video_without_a_key_frame_in_the_part_is_told(tmp_path: Path, enlarge: Enlarge) -> None:
    source, target = two_videos(tmp_path / "a.mkv"), tmp_path / "b.mp4"
    result = enlarge(source, target, start=1.0)
    assert len(decoded(target)) == 5
    assert any("of video stream 1 the pictures before" in text for text in result.warnings)


def test_of_key_frames_alone_nothing_is_lost(tmp_path: Path, enlarge: Enlarge) -> None:
    source, target = two_videos(tmp_path / "a.mkv", "g=1:bf=0"), tmp_path / "b.mkv"
    assert enlarge(source, target, start=0.5).warnings == ()  # amid a picture
    assert len(packets_of(target, 1)) == len(decoded(target)) == 17


def test_another_videos_timecode_is_not_that_of_the_part(tmp_path: Path, enlarge: Enlarge) -> None:
    source, target = two_videos(tmp_path / "a.mkv", timecode="02:00:00:00"), tmp_path / "b.mkv"
    result = enlarge(source, tmp_path / "whole.mkv")
    assert result.warnings == ()
    assert timecodes(tmp_path / "whole.mkv") == [("video", "02:00:00:00")]
    result = enlarge(source, target, start=0.5)
    assert any("the timecode, 02:00:00:00 where the file begins" in text for text in result.warnings)
    assert timecodes(target) == []
