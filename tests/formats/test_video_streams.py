from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from video_support import Clip, make_clip

from superres.errors import OptionError
from superres.formats.base import Limits
from superres.formats.video import probe_video
from superres.formats.video_av import open_video
from superres.formats.video_encode import choose_encoding
from superres.formats.video_holds import check_container
from superres.formats.video_streams import CONTAINERS, Cut, container_of, copied_streams, cut_chapters


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
