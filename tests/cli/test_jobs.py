from __future__ import annotations

from pathlib import Path

import pytest

from superres.cli.jobs import Job, find_inputs, one_clip, output_is_folder, plan, result_suffix
from superres.errors import OptionError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """a.png, b.JPG, notes.txt, .hidden.png and sub/c.tif: empty files, for only names are looked at."""
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "b.JPG", "notes.txt", ".hidden.png", "sub/c.tif"):
        (tmp_path / name).touch()
    return tmp_path


def test_single_file_goes_beside_its_input(tree: Path) -> None:
    assert plan([tree / "a.png"], None, "x4", False) == [Job(tree / "a.png", tree, "a_x4")]


def test_single_file_to_a_named_file(tree: Path) -> None:
    target = tree / "large.png"
    assert plan([tree / "a.png"], target, "x4", False) == [Job(tree / "a.png", tree, "large", target)]


@pytest.mark.parametrize(
    ("output", "inputs", "folder"),
    [("out", 1, True), ("out.d", 1, True), ("x.png", 1, False), ("x.PNG", 1, False), ("x.png", 2, True)],
)
def test_output_is_folder(output: str, inputs: int, folder: bool) -> None:
    assert output_is_folder(Path(output), inputs) is folder


def test_existing_folder_is_a_folder_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    assert output_is_folder(tmp_path / "x.png", 1)


def test_folder_takes_pictures_by_name_and_leaves_the_rest(tree: Path) -> None:
    assert [file.name for file, _ in find_inputs([tree], recursive=False)] == ["a.png", "b.JPG"]


def test_recursive_mirrors_subfolders(tree: Path) -> None:
    jobs = plan([tree], tree / "out", "x2", True)
    assert [(job.folder, job.stem) for job in jobs] == [
        (tree / "out", "a_x2"),
        (tree / "out", "b_x2"),
        (tree / "out/sub", "c_x2"),
    ]


@pytest.mark.parametrize("suffix", [".avi", ".WMV", ".mpg", ".3gp", ".flv", ".mts", ".m2ts", ".vob", ".ogv"])
def test_no_folder_is_made_with_the_name_of_a_video(suffix: str, tmp_path: Path) -> None:
    clip, picture, frames = tmp_path / "c.mp4", tmp_path / "p.png", tmp_path / "frames"
    frames.mkdir()
    for path in (clip, picture, frames / "1.png"):
        path.touch()
    output = tmp_path / "q" / f"a{suffix}"
    for given in (clip, frames):
        with pytest.raises(OptionError, match=r"a video goes into one of \.mkv, \.mp4"):
            plan([given], output, "x2", False)
    output.mkdir(parents=True)
    assert plan([clip], output, "x2", False) == [Job(clip, output, "c_x2")]


def test_a_pattern_is_for_the_frames_of_one_video(tmp_path: Path) -> None:
    picture, clip, frames = tmp_path / "p.png", tmp_path / "c.bin", tmp_path / "frames"
    frames.mkdir()
    for path in (picture, frames / "1.png"):
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    clip.write_bytes(b"\x1a\x45\xdf\xa3")
    pattern = tmp_path / "q" / "%d.png"
    for given in ([picture], [picture, picture], [clip, picture]):
        with pytest.raises(OptionError, match=r"%d\.png: is a pattern for the frames of one video"):
            plan(given, pattern, "x2", False)
    for source in (clip, frames):
        assert plan([source], pattern, "x2", False) == [Job(source, pattern.parent, "%d", pattern)]
    odd = picture.rename(tmp_path / "100%d.png")
    assert plan([odd], tmp_path / "q", "x2", False) == [Job(odd, tmp_path / "q", "100%d_x2")]


def test_results_of_an_earlier_run_are_not_inputs(tree: Path) -> None:
    (tree / "a_x4.png").touch()
    assert [job.source.name for job in plan([tree], None, "x4", False)] == ["a.png", "b.JPG"]


def test_file_with_a_strange_name_is_taken_when_named(tree: Path) -> None:
    assert plan([tree / "notes.txt"], None, "x4", False)[0].source.name == "notes.txt"


def test_missing_input_is_named(tree: Path) -> None:
    with pytest.raises(OptionError, match=r"gone\.png: no such file"):
        plan([tree / "gone.png"], None, "x4", False)


def test_folder_without_pictures_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--recursive"):
        plan([tmp_path], None, "x4", False)


@pytest.mark.parametrize(
    ("kind", "lossy", "animated", "wanted", "suffix"),
    [
        ("png", False, False, None, ".png"),
        ("tiff", False, False, None, ".tif"),
        ("webp", False, False, None, ".webp"),
        ("webp", True, False, None, ".png"),
        ("jpeg", True, False, None, ".png"),
        ("heic", True, False, None, ".png"),
        ("gif", False, True, None, ".gif"),
        ("webp", True, True, None, ".webp"),
        ("gif", False, False, None, ".png"),
        ("png", False, False, "jpg", ".jpg"),
    ],
)
def test_result_suffix(kind: str, lossy: bool, animated: bool, wanted: str | None, suffix: str) -> None:
    assert result_suffix(kind, lossy, animated, wanted) == suffix


def test_unknown_format_names_the_near_one() -> None:
    with pytest.raises(OptionError, match="tiff"):
        result_suffix("png", False, False, "tif f")


def test_one_clip_is_made_only_where_a_video_or_a_pattern_is_named(tmp_path: Path) -> None:
    frames, clip = tmp_path / "frames", tmp_path / "a.MP4"
    frames.mkdir()
    (frames / "1.png").touch()
    clip.touch()
    (tmp_path / "there.mp4").mkdir()
    for given, output, expected in [
        ([frames], "b.mp4", True),
        ([frames], "b.webm", True),
        ([frames], "out/%06d.png", True),
        ([frames], "out", False),
        ([frames], "b.png", False),
        ([frames], "there.mp4", False),  # a folder with an odd name
        ([frames, frames], "b.mp4", False),
        ([clip], "out/%06d.png", True),
        ([clip], "b.mp4", False),
        ([frames / "1.png"], "%d.png", False),
        ([tmp_path / "gone.mp4"], "%d.png", False),
    ]:
        assert one_clip(given, tmp_path / output) is expected, (given, output)
    assert not one_clip([frames], None)
    (job,) = plan([frames], tmp_path / "b.mp4", "x2", False)
    assert (job.source, job.file) == (frames, tmp_path / "b.mp4")
    assert [job.source for job in plan([frames], tmp_path / "out", "x2", False)] == [frames / "1.png"]
