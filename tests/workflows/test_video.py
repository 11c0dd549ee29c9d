"""Video from file to file, checked by ffprobe beside PyAV: what is kept, what is refused, what a stopped run leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import open_nearest
from video_support import SIZE, VARIABLE, X265_SIZE, Clip, decoded, drifting, ffprobe, first_frame, make_clip, samples

from superres.cli import main
from superres.errors import CorruptInputError, InputError, LimitError, OptionError, OutputError, SuperresError
from superres.formats import Limits
from superres.formats.video_store import work_folder_of
from superres.options import VideoOptions
from superres.pipeline import Options, Result, Upscaler
from superres.workflows import video as video_workflow

Enlarge = Callable[..., Result]

FAST = VideoOptions(preset="ultrafast")


@pytest.fixture
def enlarge(tiny_folder: Path) -> Enlarge:
    """From file to file, by a network that repeats samples."""

    def run(source: Path, target: Path, video: VideoOptions = FAST, report: Any = None, **options: Any) -> Result:
        chosen = Options(**{"scale": 2, "model": "nearest", "threads": 2, "quality": 20, "video": video, **options})
        with Upscaler(chosen, folder=tiny_folder, opener=open_nearest) as upscaler:
            return upscaler.file(source, target, report=report)

    return run


def of(told: dict[str, Any], kind: str, *names: str, stream: int = 0) -> list[Any]:
    """What ffprobe told of every packet or frame of a stream."""
    found = [item for item in told["packets_and_frames"] if item["type"] == kind and item["stream_index"] == stream]
    return [tuple(item.get(name) for name in names) for item in found]


def chapters(told: dict[str, Any]) -> list[Any]:
    """Chapters in seconds: each container counts in units of its own."""
    return [(item["start_time"], item["end_time"], item["tags"]) for item in told["chapters"]]


def assert_kept(source: Path, target: Path, scale: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything but the size and the compression of the pictures is as it was."""
    before, after = ffprobe(source), ffprobe(target)
    assert of(after, "frame", "pts_time") == of(before, "frame", "pts_time")
    assert len(after["streams"]) == len(before["streams"])
    assert chapters(after) == chapters(before)
    picture, larger = before["streams"][0], after["streams"][0]
    assert (larger["width"], larger["height"]) == (scale * picture["width"], scale * picture["height"])
    for name in ("pix_fmt", "sample_aspect_ratio", "disposition", "start_time", "side_data_list"):
        assert larger.get(name) == picture.get(name), name
    for index, (one, other) in enumerate(zip(before["streams"][1:], after["streams"][1:], strict=True), 1):
        for name in ("codec_type", "codec_name", "disposition", "extradata_hash", "channels", "sample_rate", "width"):
            assert other.get(name) == one.get(name), (index, name)
        assert other.get("tags", {}).get("language") == one.get("tags", {}).get("language")
        told = ("pts_time", "dts_time", "data_hash", "flags")
        assert of(after, "packet", *told, stream=index) == of(before, "packet", *told, stream=index)
    # Containers count milliseconds, or ticks of the movie.
    assert abs(float(after["format"]["duration"]) - float(before["format"]["duration"])) < 0.0015
    return before, after


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_mp4_keeps_everything(suffix: str, tmp_path: Path, enlarge: Enlarge) -> None:
    clip = Clip(
        times=VARIABLE,
        colours=(1, 5, 6, 5),
        aspect=Fraction(4, 3),
        rotation=(90, True),
        chapters=[(0, 200, "One"), (200, 500, "Two")],
        tags={"title": "A tiny clip", "com.android.capture.fps": "240.000000"},
        extras=["audio", "second audio"] + (["cover"] if suffix == ".mp4" else []),
        options={"crf": "20", "preset": "medium"},  # pictures out of order
    )
    source, target = make_clip(tmp_path / f"a{suffix}", clip), tmp_path / f"b{suffix}"
    seen: list[tuple[int, int]] = []
    result = enlarge(source, target, report=lambda *done: seen.append(done))
    assert result.warnings == ()
    assert (result.source_size, result.target_size) == (SIZE, (128, 96))
    assert seen == [(number, 12) for number in range(1, 13)]
    before, after = assert_kept(source, target)
    picture = after["streams"][0]
    assert [picture[f"color_{name}"] for name in ("range", "primaries", "transfer", "space")] == [
        "tv",
        "bt470bg",
        "smpte170m",
        "bt470bg",
    ]
    assert picture["sample_aspect_ratio"] == "4:3"
    assert picture["side_data_list"][0]["side_data_type"] == "Display Matrix"
    assert picture["duration"] == before["streams"][0]["duration"]
    for name in clip.tags:
        assert after["format"]["tags"][name] == clip.tags[name]
    assert [path.name for path in sorted(tmp_path.iterdir())] == [source.name, target.name]


def test_matroska_keeps_subtitles_and_fonts(tmp_path: Path, enlarge: Enlarge) -> None:
    clip = Clip(
        time_base=Fraction(1, 1000),
        times=[0, 33, 67, 100, 133, 400],
        extras=["audio", "subtitles", "font"],
        chapters=[(0, 200, "One")],
        tags={"title": "A tiny clip"},
        rotation=(180, False),
    )
    source, target = make_clip(tmp_path / "a.mkv", clip), tmp_path / "b.mkv"
    enlarge(source, target)
    _, after = assert_kept(source, target)
    assert [stream["codec_type"] for stream in after["streams"]] == ["video", "audio", "subtitle", "attachment"]
    assert after["streams"][3]["tags"]["filename"] == "tiny.ttf"
    assert after["format"]["tags"]["title"] == "A tiny clip"


def test_webm_goes_to_webm(tmp_path: Path, enlarge: Enlarge) -> None:
    clip = Clip(encoder="libvpx-vp9", options={"crf": "30", "b": "0"}, extras=["audio"], time_base=Fraction(1, 1000))
    source, target = make_clip(tmp_path / "a.webm", clip), tmp_path / "b.webm"
    enlarge(source, target, VideoOptions(preset="8"))
    _, after = assert_kept(source, target)
    assert after["streams"][0]["codec_name"] == "vp9"


def test_a_transport_stream_becomes_matroska_or_mp4(tmp_path: Path, enlarge: Enlarge) -> None:
    source = make_clip(tmp_path / "a.ts", Clip(extras=["audio"]))
    before = of(ffprobe(source), "frame", "pts_time")
    enlarge(source, tmp_path / "b.mp4")
    assert of(ffprobe(tmp_path / "b.mp4"), "frame", "pts_time") == before
    enlarge(source, tmp_path / "b.mkv")
    for (exact,), (rounded,) in zip(before, of(ffprobe(tmp_path / "b.mkv"), "frame", "pts_time"), strict=True):
        assert abs(float(exact) - float(rounded)) <= 0.0005  # Matroska counts milliseconds


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"pixels": "yuv420p10le"}, ("yuv420p10le", "hevc")),
        ({"pixels": "yuv444p"}, ("yuv444p", "h264")),
        ({"pixels": "yuv422p10le"}, ("yuv422p10le", "hevc")),
        (
            {"encoder": "libx265", "size": X265_SIZE, "options": {"x265-params": "log-level=none"}},
            ("yuv420p", "h264"),
        ),
        ({"encoder": "libsvtav1", "options": {"preset": "10"}, "aspect": Fraction(1)}, ("yuv420p", "h264")),
    ],
)
def test_depth_and_chroma_are_kept(
    change: dict[str, Any], shown: tuple[str, str], tmp_path: Path, enlarge: Enlarge
) -> None:
    source, target = make_clip(tmp_path / "a.mp4", replace(Clip(), **change)), tmp_path / "b.mp4"
    enlarge(source, target)
    _, after = assert_kept(source, target)
    assert (after["streams"][0]["pix_fmt"], after["streams"][0]["codec_name"]) == shown


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("hevc", ".mkv"), ("av1", ".mp4"), ("vp9", ".mkv")])
def test_every_codec_over_more_than_one_group(
    codec: str, suffix: str, tmp_path: Path, enlarge: Enlarge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a variable rate: where groups meet, times of decoding must not overlap."""
    monkeypatch.setattr(video_workflow, "GROUP_FRAMES", 15)
    times = [10 * (t + t // 7) for t in range(40)]
    source = make_clip(tmp_path / f"a{suffix}", Clip(times=times, time_base=Fraction(1, 1000)))
    target = tmp_path / f"b{suffix}"
    preset = {"av1": "12", "vp9": "8", "hevc": "superfast"}.get(codec, "medium")
    enlarge(source, target, VideoOptions(codec=codec, preset=preset))
    _, after = assert_kept(source, target)
    assert after["streams"][0]["codec_name"] == codec
    assert [time for time, _ in decoded(target)] == [Fraction(t, 1000) for t in times]
    shown = sorted((float(pts), flags[0]) for pts, flags in of(after, "packet", "pts_time", "flags"))
    assert all(shown[first][1] == "K" for first in (0, 15, 30))
    if suffix == ".mp4":
        dts = [float(time) for (time,) in of(after, "packet", "dts_time")]
        assert dts == sorted(set(dts))


def test_hdr10_stays_hdr10(tmp_path: Path, enlarge: Enlarge) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    params = f"log-level=none:master-display={display}:max-cll=1000,400"
    options = {"x265-params": params}
    clip = Clip(encoder="libx265", size=X265_SIZE, pixels="yuv420p10le", options=options, colours=(1, 9, 16, 9))
    source, target = make_clip(tmp_path / "a.mp4", clip), tmp_path / "b.mp4"
    enlarge(source, target)
    before, after = ffprobe(source), ffprobe(target)
    picture = after["streams"][0]
    assert [picture[f"color_{name}"] for name in ("primaries", "transfer", "space")] == [
        "bt2020",
        "smpte2084",
        "bt2020nc",
    ]
    data = of(after, "frame", "side_data_list")[0][0]
    light = [item for item in data if "light" in item["side_data_type"] or "Mastering" in item["side_data_type"]]
    assert len(light) == 2
    assert light == [item for item in of(before, "frame", "side_data_list")[0][0] if item in light]


@pytest.mark.parametrize(
    ("size", "colours", "expected"),
    [
        (SIZE, (0, 2, 2, 2), ["tv", "smpte170m", "smpte170m", "smpte170m"]),
        ((1280, 16), (0, 2, 2, 2), ["tv", "bt709", "bt709", "bt709"]),
        (SIZE, (2, 1, 1, 1), ["pc", "bt709", "bt709", "bt709"]),
    ],
)
def test_colours_are_stated(
    size: tuple[int, int], colours: tuple[int, int, int, int], expected: list[str], tmp_path: Path, enlarge: Enlarge
) -> None:
    clip = Clip(times=[0, 20], size=size, colours=colours)
    source, target = make_clip(tmp_path / "a.mp4", clip), tmp_path / "b.mp4"
    enlarge(source, target)
    picture = ffprobe(target)["streams"][0]
    assert [picture[f"color_{name}"] for name in ("range", "primaries", "transfer", "space")] == expected


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("scale", [2, 1.5])
def test_pictures_are_the_same_only_larger(full: bool, scale: float, tmp_path: Path, enlarge: Enlarge) -> None:
    """No tint, no shift: of large flat areas every plane keeps its values, and their borders their places."""

    def picture(number: int) -> list[np.ndarray]:
        planes = [np.full((64, 96), 60), np.full((32, 48), 100), np.full((32, 48), 150)]
        planes[0][:, 48:] = 180
        planes[1][:, 24:] = 200
        planes[2][16:] = 60
        return [plane.astype(np.uint8) for plane in planes]

    clip = Clip(times=[0], size=(96, 64), options={"crf": "1"}, picture=picture, colours=(2 if full else 1, 1, 1, 1))
    source, target = make_clip(tmp_path / "a.mp4", clip), tmp_path / "b.mp4"
    enlarge(source, target, scale=scale, quality=1)
    luma, blue, red = samples(first_frame(target))
    assert luma.shape == (64 * scale, 96 * scale)
    for plane, values in ((luma, (60, 180)), (blue, (100, 200)), (red.T, (150, 60))):
        middle = plane.shape[1] // 2
        assert np.abs(plane[:, : middle - 12].astype(int) - values[0]).max() <= 2
        assert np.abs(plane[:, middle + 12 :].astype(int) - values[1]).max() <= 2
        mean = plane[:, middle - 10 : middle + 10].astype(float).mean()
        # The border lies in the middle; that of left-sited chroma a quarter of a chroma sample beside it, before
        # and after: (s - 1) / 4 samples apart.
        assert abs(mean - sum(values) / 2) < 0.02 * abs(values[0] - values[1])


@pytest.mark.parametrize(("size", "scale", "expected"), [((50, 34), 1.5, (74, 50)), ((50, 34), 3, (150, 102))])
def test_sizes_are_of_whole_chroma_samples(
    size: tuple[int, int], scale: float, expected: tuple[int, int], tmp_path: Path, enlarge: Enlarge
) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip(times=[0], size=size))
    assert enlarge(source, tmp_path / "b.mp4", scale=scale).target_size == expected
    with pytest.raises(OptionError, match="even width.*use 62x42"):
        enlarge(source, tmp_path / "c.mp4", scale=None, size=(63, 43))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, 0.1, [0, 20, 40]),
        (0.1, None, [1, 20, 140, 160, 185, 200, 223, 240, 260]),
        (0.13, 0.4, [2, 122, 142]),
        (0.0, None, VARIABLE),
    ],
)
def test_a_part_begins_at_0(
    start: float | None, end: float | None, expected: list[int], tmp_path: Path, enlarge: Enlarge
) -> None:
    clip = Clip(times=VARIABLE, extras=["audio", "subtitles"], chapters=[(0, 150, "One"), (150, 400, "Two")])
    source, target = make_clip(tmp_path / "a.mkv", replace(clip, time_base=Fraction(1, 1000))), tmp_path / "b.mkv"
    times = [time for time, _ in decoded(source)]
    assert times == [Fraction(t, 1000) for t in VARIABLE]
    start, end = (None if t is None else t * 0.6 for t in (start, end))
    enlarge(source, target, replace(FAST, start=start, end=end))
    begin = Fraction(start or 0)
    stop = Fraction(end) if end else 10**6
    kept = [time for time in times if begin <= time < stop]
    found = [time for time, _ in decoded(target)]
    shift = found[0] - kept[0]
    assert [time - shift for time in found] == kept
    after = ffprobe(target)
    if start:
        assert abs(float(kept[0] + shift - (kept[0] - begin))) < 0.025  # a sound's packet may begin before the part
    lasting = float(min(stop, max(times) + 0.1) - begin)
    sounds = [float(time) for (time,) in of(after, "packet", "pts_time", stream=1)]
    assert len(sounds) == pytest.approx(min(lasting, 0.43 - float(begin)) * 48000 / 1024, abs=3)
    words = [item["pts_time"] for item in after["packets_and_frames"] if item.get("stream_index") == 2]
    assert len(words) >= 1 or not (begin < Fraction(3, 10) and stop > Fraction(1, 20))


def test_interlaced_video_is_refused_with_the_remedy(tmp_path: Path, enlarge: Enlarge) -> None:
    clip = Clip(options={"crf": "20", "x264-params": "tff=1"}, flags="+ildct+ilme")
    source, target = make_clip(tmp_path / "a.mp4", clip), tmp_path / "b.mp4"
    with pytest.raises(InputError, match="--deinterlace"):
        enlarge(source, target)
    enlarge(source, target, replace(FAST, deinterlace=True))
    before, after = ffprobe(source), ffprobe(target)
    assert of(after, "frame", "pts_time") == of(before, "frame", "pts_time")
    assert {flag for (flag,) in of(after, "frame", "interlaced_frame")} == {0}
    assert after["streams"][0]["duration"] == before["streams"][0]["duration"]


def test_reuse_changes_nothing_but_the_time(tmp_path: Path, enlarge: Enlarge) -> None:
    still = drifting(0, (224, 112), "yuv420p")

    def picture(number: int) -> list[np.ndarray]:
        planes = [plane.copy() for plane in still]
        planes[0][10:20, 10 + number : 20 + number] = 200
        return planes

    clip = Clip(size=(224, 112), picture=picture, options={"crf": "0", "preset": "ultrafast"})
    source = make_clip(tmp_path / "a.mkv", replace(clip, pixels="yuv420p", options={"qp": "0", "preset": "ultrafast"}))
    enlarge(source, tmp_path / "b.mkv")
    enlarge(source, tmp_path / "c.mkv", replace(FAST, reuse=0))
    assert decoded(tmp_path / "c.mkv") == decoded(tmp_path / "b.mkv")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_of_a_file_cut_short_the_rest_is_made_and_the_loss_told(
    suffix: str, tmp_path: Path, enlarge: Enlarge, capsys: pytest.CaptureFixture[str]
) -> None:
    import av

    whole = make_clip(tmp_path / f"w{suffix}", Clip(times=range(0, 1200, 20), options={"crf": "5", "g": "10"}))
    source = tmp_path / f"a{suffix}"
    if suffix == ".mp4":  # with its index in front, as for streaming: otherwise nothing can be read
        with av.open(str(whole)) as old, av.open(str(source), "w", container_options={"movflags": "faststart"}) as new:
            stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
            for packet in old.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
        whole = tmp_path / "f.mp4"
        whole.write_bytes(source.read_bytes())
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    target = tmp_path / f"b{suffix}"
    result = enlarge(source, target)
    assert "cut short" in result.warnings[0]
    made, all_of_it = decoded(target), decoded(whole)
    assert 15 < len(made) < len(all_of_it)
    assert [time for time, _ in made] == [time for time, _ in all_of_it][: len(made)]
    assert main(["upscale", str(source), "-o", str(target), "--overwrite", "--model", "realtime", "--scale", "2"]) == 2
    assert f"{source}: the file is cut short" in capsys.readouterr().err


def test_damage_in_the_middle_is_told_and_the_rest_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = (
        make_clip(tmp_path / "a.mp4", Clip(times=range(0, 1200, 20), options={"g": "10"})),
        tmp_path / "b.mp4",
    )
    data = bytearray(source.read_bytes())
    begin = data.index(b"mdat")
    middle = (begin + len(data)) // 2
    data[middle : middle + 60] = bytes(60)
    source.write_bytes(data)
    command = [
        "upscale",
        str(source),
        "-o",
        str(target),
        "--model",
        "realtime",
        "--scale",
        "2",
        "--preset",
        "ultrafast",
    ]
    assert main(command) == 2
    assert f"{source}: the " in capsys.readouterr().err
    times = [round(time * 600) for time, _ in decoded(target)]
    assert 50 <= len(times) <= 60 and set(times) <= set(range(0, 1200, 20))


def test_what_cannot_be_read_at_all_leaves_nothing(tmp_path: Path, enlarge: Enlarge) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip())
    data = source.read_bytes()
    for length in (40, 500, len(data) // 2, len(data) - 100):
        source.write_bytes(data[:length])
        with pytest.raises((CorruptInputError, InputError)):
            enlarge(source, tmp_path / "b.mp4")
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_part_without_pictures_is_told(tmp_path: Path, enlarge: Enlarge) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip())
    with pytest.raises(CorruptInputError, match="no picture in the part"):
        enlarge(source, tmp_path / "b.mp4", replace(FAST, start=100.0))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_refusals_come_before_the_work(tmp_path: Path, enlarge: Enlarge) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip())
    taken = tmp_path / "b.mp4"
    taken.write_bytes(b"mine")
    cases: list[tuple[type[SuperresError], str, Path, dict[str, Any]]] = [
        (OutputError, "--overwrite", taken, {}),
        (OutputError, "input itself", source, {"overwrite": True}),
        (OutputError, "does not exist", tmp_path / "gone" / "b.mp4", {}),
        (OptionError, "one of .mkv, .mp4", tmp_path / "b.avi", {}),
        (OptionError, "0 to 51", tmp_path / "c.mp4", {"quality": 90}),
        (LimitError, "--max-input", tmp_path / "c.mp4", {"limits": Limits(input_pixels=1000)}),
        (LimitError, "--max-output", tmp_path / "c.mp4", {"limits": Limits(output_pixels=5000)}),
    ]
    for error, words, target, options in cases:
        with pytest.raises(error, match=words):
            enlarge(source, target, **options)
    assert taken.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_captions_inside_the_pictures_go_along(tmp_path: Path, enlarge: Enlarge) -> None:
    """Through the whole way: decoder, enlargement, encoder."""
    from superres.formats.video import probe_video

    source = captioned(tmp_path / "a.mkv")
    enlarge(source, tmp_path / "b.mkv")
    assert probe_video(tmp_path / "b.mkv", "b", Limits()).captions
    with pytest.raises(OptionError, match="captions"):
        enlarge(source, tmp_path / "c.mkv", VideoOptions(codec="av1"))


def captioned(path: Path) -> Path:
    """A clip with a pair of CEA-608 bytes in a message (ATSC A/53) before each picture."""
    import av

    plain = make_clip(path.with_suffix(".h264.mkv"), Clip(options={"preset": "ultrafast", "x264-params": "annexb=1"}))
    text = b"\xb5\x00\x31GA94\x03" + bytes([0x41, 0xFF, 0xFC]) + b"\xc8\xc9" + b"\xff"
    message = b"\x06\x04" + bytes([len(text)]) + text + b"\x80"
    with av.open(str(plain)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for packet in old.demux(video=0):
            if packet.dts is None:
                continue
            made = av.Packet(len(message).to_bytes(4, "big") + message + bytes(packet))
            made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
            made.is_keyframe, made.stream = packet.is_keyframe, stream
            new.mux(made)
    plain.unlink()
    return path


def test_the_working_folder_is_hidden_and_gone_at_the_end(tmp_path: Path, enlarge: Enlarge) -> None:
    source, target = make_clip(tmp_path / "a.mp4", Clip()), tmp_path / "b.mp4"
    seen: list[bool] = []
    enlarge(source, target, report=lambda *_: seen.append(work_folder_of(target).is_dir()))
    assert all(seen)
    assert not work_folder_of(target).exists()
