from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
from video_support import Clip, make_clip

from superres.errors import OptionError
from superres.formats.base import Limits
from superres.formats.video import probe_video
from superres.formats.video_av import open_video
from superres.formats.video_encode import choose_encoding
from superres.formats.video_holds import check_container
from superres.formats.video_streams import (
    CONTAINERS,
    Cut,
    container_of,
    copied_streams,
    cut_chapters,
    lost_timecodes,
    moved_timecode,
    timecode_tags,
)


def check(source: Path, target: Path, codec: str = "") -> None:
    info = probe_video(source, "a", Limits())
    encoding = choose_encoding(info, (96, 64), container_of(target), 10, codec=codec)
    with open_video(source, "a") as container:
        check_container(container, target, info, encoding, "a")


@pytest.mark.parametrize("suffix", list(CONTAINERS))
def test_suffixes_name_containers_that_ffmpeg_has(suffix: str) -> None:
    assert container_of(Path(f"a{suffix.upper()}")) == CONTAINERS[suffix]
    assert av.ContainerFormat(CONTAINERS[suffix], "w").is_output


def test_other_suffixes_are_refused() -> None:
    with pytest.raises(OptionError, match=r"\.mkv, \.mp4"):
        container_of(Path("a.avi"))


@pytest.mark.parametrize(
    ("extras", "suffix", "codec", "words"),
    [
        (["subtitles"], ".mp4", "", r"stream 1 of a \(subtitle, srt\): use -o with \.mkv$"),
        (["audio", "subtitles"], ".webm", "", r"stream 1 of a \(audio, aac\): use -o with \.mkv$"),
        (["font"], ".mov", "", r"\(attachment, tiny.ttf\): use -o with \.mkv"),
        (["audio"], ".webm", "h264", r"cannot hold h264: use --codec (av1 or vp9|vp9 or av1), or an \.mkv"),
        ([], ".mov", "vp9", r"cannot hold vp9: use --codec h264 or hevc"),
    ],
)
def test_what_a_container_cannot_hold_is_refused_with_the_remedy(
    extras: list[str], suffix: str, codec: str, words: str, tmp_path: Path
) -> None:
    source = make_clip(tmp_path / "a.mkv", Clip(extras=extras))
    with pytest.raises(OptionError, match=words):
        check(source, tmp_path / f"b{suffix}", codec)
    check(source, tmp_path / "b.mkv", codec)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_what_only_the_container_itself_knows_to_refuse(tmp_path: Path) -> None:
    """FFmpeg lists Opus for QuickTime, and takes it in MP4 alone."""
    source = make_clip(tmp_path / "a.webm", Clip(encoder="libvpx-vp9", options={"crf": "30"}, extras=["audio"]))
    with pytest.raises(OptionError, match=r"refuses the streams of a: use -o with \.mkv"):
        check(source, tmp_path / "b.mov")
    check(source, tmp_path / "b.mp4")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_cover_pictures_and_sound_go_everywhere(suffix: str, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip(extras=["audio", "cover"]))
    check(source, tmp_path / f"b{suffix}")


def test_pixels_that_are_not_square_are_not_lost(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip(aspect=Fraction(4, 3)))
    with pytest.raises(OptionError, match="aspect ratio 4/3 with vp9"):
        check(source, tmp_path / "b.webm")
    check(source, tmp_path / "b.mkv")


def test_chapter_titles_of_quicktime_are_not_copied_twice(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", Clip(chapters=[(0, 200, "One"), (200, 400, "Two")]))
    info = probe_video(source, "a", Limits())
    with open_video(source, "a") as container:
        assert [s.type for s in container.streams] == ["video", "data"]
        assert copied_streams(container, info) == []
    check(source, tmp_path / "b.mp4")


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (Cut(), [(0, 2000), (2000, 5000)]),
        (Cut(start=Fraction(1)), [(0, 1000), (1000, 4000)]),
        (Cut(start=Fraction(2)), [(0, 3000)]),
        (Cut(stop=Fraction(3)), [(0, 2000), (2000, 3000)]),
        (Cut(Fraction(5, 2), Fraction(3)), [(0, 500)]),
        (Cut(stop=Fraction(2)), [(0, 2000)]),
    ],
)
def test_chapters_of_a_part(cut: Cut, expected: list[tuple[int, int]]) -> None:
    base = Fraction(1, 1000)
    chapters = [
        {"id": 1, "start": 0, "end": 2000, "time_base": base, "metadata": {"title": "One"}},
        {"id": 2, "start": 2000, "end": 5000, "time_base": base, "metadata": {"title": "Two"}},
    ]
    found = cut_chapters(chapters, cut)
    assert [(chapter["start"], chapter["end"]) for chapter in found] == expected


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_a_timecode_track_is_not_copied_but_written_anew(suffix: str, tmp_path: Path) -> None:
    source = make_clip(tmp_path / f"a{suffix}", Clip(extras=["audio"], timecode="01:00:00:00"))
    info = probe_video(source, "a", Limits())
    with open_video(source, "a") as container:
        assert [s.type for s in container.streams] == ["video", "audio", "data"]
        assert [s.type for s in copied_streams(container, info)] == ["audio"]
        assert timecode_tags(container) == {"timecode": "01:00:00:00"}
        assert lost_timecodes(container) == []
    for target in (".mov", ".mp4", ".mkv"):
        check(source, tmp_path / f"b{target}")


def test_a_timecode_of_no_video_is_one_that_is_lost() -> None:
    def streams(*videos: str) -> SimpleNamespace:
        tracks = [("video", {"timecode": text} if text else {}) for text in videos]
        tracks += [("data", {"timecode": text}) for text in ("01:00:00:00", "02:00:00:00")] + [("data", {})]
        return SimpleNamespace(streams=[SimpleNamespace(type=kind, metadata=tags) for kind, tags in tracks])

    assert lost_timecodes(streams("01:00:00:00")) == ["02:00:00:00"]
    assert lost_timecodes(streams("")) == ["02:00:00:00"]
    assert lost_timecodes(streams("01:00:00:00", "02:00:00:00")) == []


def test_drop_frame_timecode_counts_as_its_definition_does() -> None:
    """One by one: two numbers are passed over at each minute but every tenth."""
    hours, minutes, seconds, frame = 23, 58, 50, 0
    for pictures in range(45_000):
        if pictures % 7 == 0 or frame < 3:
            expected = f"{hours:02d}:{minutes:02d}:{seconds:02d};{frame:02d}"
            assert moved_timecode("23:58:50;00", pictures, Fraction(30000, 1001)) == expected
        frame += 1
        if frame == 30:
            frame, seconds = 0, seconds + 1
        if seconds == 60:
            seconds, minutes = 0, minutes + 1
            frame = 2 if minutes % 10 else 0
        if minutes == 60:
            minutes, hours = 0, (hours + 1) % 24


@pytest.mark.parametrize(
    ("timecode", "pictures", "rate", "expected"),
    [
        ("01:00:00:00", 0, Fraction(25), "01:00:00:00"),
        ("01:00:00:24", 1, Fraction(25), "01:00:01:00"),
        ("23:59:59:23", 1, Fraction(24000, 1001), "00:00:00:00"),
        ("00:00:59:29", 1, Fraction(30000, 1001), "00:01:00:00"),
        ("01:00:00:00", 1, Fraction(50), None),  # it may count every other picture
        ("01:00:00:25", 1, Fraction(25), None),
        ("01:00:00;00", 1, Fraction(25), None),
        ("00:01:00;01", 1, Fraction(30000, 1001), None),
        ("an hour", 1, Fraction(25), None),
    ],
)
def test_timecode_of_a_later_picture(timecode: str, pictures: int, rate: Fraction, expected: str | None) -> None:
    assert moved_timecode(timecode, pictures, rate) == expected
