from __future__ import annotations

import csv
import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

import superres.cli.pairs as pairs
from superres.cli import main
from superres.degrade import load_degradation
from superres.errors import OutputError
from superres.resize import resize

Bytes = npt.NDArray[np.uint8]


def scene(height: int, width: int, seed: int = 0) -> Bytes:
    """Random shapes of several sizes."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for side in (2, 5, 16):
        small = random.uniform(-40, 40, (height // side + 2, width // side + 2, 3))
        total += resize(small, (height + side, width + side), kernel="bicubic")[:height, :width]
    return np.clip(total + 128, 0, 255).astype(np.uint8)


def put(path: Path, samples: Bytes) -> Path:
    Pillow.fromarray(samples if samples.shape[-1] > 1 else samples[..., 0]).save(path)
    return path


def load(path: Path) -> Bytes:
    with Pillow.open(path) as opened:
        return np.asarray(opened)


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "pairs.csv").read_text())))


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


# --- superres degrade -----------------------------------------------------------------------------------------------


def test_bicubic_pairs_are_the_published_degradation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = scene(41, 62)
    source = put(tmp_path / "a.png", picture)
    out = tmp_path / "out"
    assert main(["degrade", str(source), "-o", str(out), "--scale", "4"]) == 0
    high = picture[:40, :60]
    assert np.array_equal(load(out / "high/a.png"), high)
    assert np.array_equal(load(out / "low/a.png"), load_degradation("bicubic")(high, 4))
    assert files(out) == ["high/a.png", "low/a.png", "pairs.csv"]
    row = table(out)[0]
    assert (row["name"], row["width"], row["height"], row["scale"]) == ("a", "15", "10", "4")
    assert (row["kind"], row["seed"], row["margin"], row["steps"]) == ("bicubic", "0", "0", "bicubic")
    assert "60×40 → 15×10" in capsys.readouterr().out


def test_blind_pairs_follow_the_seed_and_the_name_alone(tmp_path: Path) -> None:
    one, two = put(tmp_path / "a.png", scene(40, 40)), put(tmp_path / "b.png", scene(40, 40))
    runs = {}
    for name, inputs, seed in (("both", [one, two], 3), ("alone", [two], 3), ("other", [two], 4)):
        out = tmp_path / name
        options = ["--kind", "blind", "--scale", "2", "--seed", str(seed), "-o", str(out)]
        assert main(["degrade", *map(str, inputs), *options]) == 0
        runs[name] = out
    assert np.array_equal(load(runs["both"] / "low/b.png"), load(runs["alone"] / "low/b.png"))
    assert not np.array_equal(load(runs["both"] / "low/b.png"), load(runs["other"] / "low/b.png"))
    assert not np.array_equal(load(runs["both"] / "low/b.png"), load(runs["both"] / "low/a.png"))
    steps = {row["name"]: row["steps"] for row in table(runs["both"])}
    assert "to 1.00" in steps["a"] and "to 1.00" in steps["b"]
    assert steps["a"] != steps["b"]
    assert table(runs["alone"])[0]["steps"] == steps["b"]


def test_margin_is_cut_from_both(tmp_path: Path) -> None:
    picture = scene(48, 60)
    source = put(tmp_path / "a.png", picture)
    command = ["degrade", str(source), "--scale", "2", "--margin", "3", "-o", str(tmp_path / "out")]
    assert main(command) == 0
    assert np.array_equal(load(tmp_path / "out/high/a.png"), picture[6:-6, 6:-6])
    assert np.array_equal(load(tmp_path / "out/low/a.png"), load_degradation("bicubic")(picture, 2)[3:-3, 3:-3])


def test_grey_stays_grey_and_opaque_alpha_is_dropped(tmp_path: Path) -> None:
    put(tmp_path / "grey.png", scene(24, 24)[..., :1])
    put(tmp_path / "rgba.png", np.dstack([scene(24, 24), np.full((24, 24), 255, np.uint8)]))
    out = tmp_path / "out"
    inputs = [str(tmp_path / "grey.png"), str(tmp_path / "rgba.png")]
    assert main(["degrade", *inputs, "--kind", "blind", "-o", str(out)]) == 0
    assert load(out / "low/grey.png").shape == (6, 6)
    assert load(out / "high/rgba.png").shape == (24, 24, 3)


def test_one_bad_input_is_named_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    put(folder / "a.png", scene(24, 24))
    (folder / "b.png").write_bytes(b"not a picture")
    put(folder / "c.png", np.dstack([scene(24, 24), np.full((24, 24), 9, np.uint8)]))
    Pillow.fromarray(np.zeros((24, 24), np.uint16)).save(folder / "d.png")
    put(folder / "e.png", scene(3, 24))
    put(folder / "f.jpg", scene(24, 24))
    put(folder / "f.png", scene(24, 24))
    assert main(["degrade", str(folder), "-o", str(tmp_path / "out")]) == 2
    assert [row["name"] for row in table(tmp_path / "out")] == ["a", "f"]
    error = capsys.readouterr().err
    for words in (
        "b.png",
        "c.png: has transparent",
        "d.png: uint16",
        "e.png: 24 x 3",
        "f.png: its pair would be named",
    ):
        assert words in error
    assert "2 done, 5 failed" in error


def test_a_second_run_does_only_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        put(tmp_path / f"{name}.png", scene(24, 24, ord(name)))
    out = tmp_path / "out"
    command = ["degrade", *(str(tmp_path / f"{name}.png") for name in "abc"), "--kind", "blind", "-o", str(out)]
    assert main(command) == 0
    before = {name: (out / name).read_bytes() for name in files(out)}
    (out / "low/b.png").unlink()
    (out / "high/b.png").unlink()
    stamp = (out / "low/a.png").stat().st_mtime_ns
    assert main(command) == 0
    assert {name: (out / name).read_bytes() for name in files(out)} == before
    assert (out / "low/a.png").stat().st_mtime_ns == stamp
    assert "1 done, 2 there already" in capsys.readouterr().err


def test_other_settings_need_overwrite_or_another_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = put(tmp_path / "a.png", scene(24, 24)), tmp_path / "out"
    command = ["degrade", str(source), "-o", str(out), "--kind", "blind"]
    assert main(command) == 0
    before = (out / "low/a.png").read_bytes()
    assert main([*command, "--seed", "1"]) == 2
    assert "made with seed 0, not 1" in capsys.readouterr().err
    assert (out / "low/a.png").read_bytes() == before
    assert main([*command, "--seed", "1", "--overwrite"]) == 0
    assert (out / "low/a.png").read_bytes() != before
    assert table(out)[0]["seed"] == "1"


def test_files_of_others_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = put(tmp_path / "a.png", scene(24, 24)), tmp_path / "out"
    (out / "low").mkdir(parents=True)
    (out / "low/a.png").write_bytes(b"mine")
    assert main(["degrade", str(source), "-o", str(out)]) == 2
    assert (out / "low/a.png").read_bytes() == b"mine"
    assert "--overwrite" in capsys.readouterr().err
    (out / "pairs.csv").write_text("name,price\na,3\n")
    assert main(["degrade", str(source), "-o", str(out)]) == 1
    assert (out / "pairs.csv").read_text() == "name,price\na,3\n"
    assert "choose another folder" in capsys.readouterr().err


def test_a_pair_that_is_cut_short_has_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = put(tmp_path / "a.png", scene(24, 24)), tmp_path / "out"
    command = ["degrade", str(source), "-o", str(out)]
    assert main(command) == 0
    write = pairs.write_image

    def stops(image: object, path: Path, *, overwrite: bool) -> None:
        if path.parent.name == "high":
            raise KeyboardInterrupt
        write(image, path, overwrite=overwrite)  # type: ignore[arg-type]

    monkeypatch.setattr(pairs, "write_image", stops)
    assert main([*command, "--overwrite"]) == 130
    assert table(out) == []
    assert not [name for name in files(out) if ".part" in name]
    monkeypatch.undo()
    assert main([*command, "--overwrite"]) == 0
    assert [row["name"] for row in table(out)] == ["a"]


@pytest.mark.parametrize("full_at", ["high/b.png", "pairs.csv"])
def test_a_full_disk_leaves_no_half_of_a_pair(
    full_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sources, out = [put(tmp_path / f"{name}.png", scene(24, 24)) for name in "abc"], tmp_path / "out"
    command = ["degrade", *map(str, sources), "-o", str(out)]
    write, replaced, full = pairs.write_image, pairs.replace_file, out / full_at

    def writes(image: object, path: Path, *, overwrite: bool) -> None:
        if path == full:
            raise OutputError(f"{path}: cannot be written: the disk is full")
        write(image, path, overwrite=overwrite)  # type: ignore[arg-type]

    def replaces(target: Path) -> AbstractContextManager[BinaryIO]:
        if target == full and (out / "high/b.png").exists() and not (out / "high/c.png").exists():
            raise OutputError(f"{target}: cannot be written: the disk is full")
        return replaced(target)

    monkeypatch.setattr(pairs, "write_image", writes)
    monkeypatch.setattr(pairs, "replace_file", replaces)
    assert main(command) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert files(out) == ["high/a.png", "high/c.png", "low/a.png", "low/c.png", "pairs.csv"]
    assert [row["name"] for row in table(out)] == ["a", "c"]
    # What there is can be measured, and a later run makes what is missing.
    assert main(["evaluate", "--data", str(out / "high"), "--low", str(out / "low"), "--model", "bicubic"]) == 0
    monkeypatch.undo()
    assert main(command) == 0
    assert [row["name"] for row in table(out)] == ["a", "b", "c"]


def test_a_picture_of_others_stays_when_its_other_half_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = put(tmp_path / "a.png", scene(24, 24)), tmp_path / "out"
    (out / "high").mkdir(parents=True)
    (out / "high/a.png").write_bytes(b"mine")
    assert main(["degrade", str(source), "-o", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert files(out) == ["high/a.png"]
    assert (out / "high/a.png").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kind", "blnd"], ["did you mean 'blind'"]),
        (["--scale", "17"], ["scale 17"]),
        (["--seed", "-1"], ["seed -1"]),
        (["--margin", "-1"], ["margin -1"]),
    ],
)
def test_wrong_options_touch_nothing(
    arguments: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = put(tmp_path / "a.png", scene(24, 24))
    assert main(["degrade", str(source), "-o", str(tmp_path / "out"), *arguments]) == 1
    error = capsys.readouterr().err
    assert all(word in error for word in words)
    assert not (tmp_path / "out").exists()


def test_no_input_and_an_impossible_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["degrade", str(tmp_path / "gone.png"), "-o", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()
    source = put(tmp_path / "a.png", scene(24, 24))
    assert main(["degrade", str(source), "-o", str(source)]) == 1
    assert "cannot be used as a folder of pairs" in capsys.readouterr().err


# --- superres align -------------------------------------------------------------------------------------------------


def shifted_pair(seed: int, down: int, across: int) -> tuple[Bytes, Bytes]:
    """Low (x2) and high of one scene; the low one's content lies (down, across) small pixels further."""
    large = scene(200, 220, seed)
    high = large[20:180, 20:200]
    return resize(large[20 - 2 * down : 180 - 2 * down, 20 - 2 * across : 200 - 2 * across], scale=1 / 2), high


def test_align_cuts_folders_of_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, high, out = tmp_path / "l", tmp_path / "h", tmp_path / "out"
    low.mkdir()
    high.mkdir()
    for name, ending, seed, shift in (("a", "", 0, (3, -2)), ("b", "x2", 1, (0, 4))):
        small, large = shifted_pair(seed, *shift)
        put(low / f"{name}{ending}.png", small)
        put(high / f"{name}.png", large)
    put(low / "c.png", shifted_pair(2, 0, 0)[0])
    put(low / "d.png", shifted_pair(3, 0, 0)[0])
    put(high / "d.png", shifted_pair(4, 0, 0)[1])
    command = ["align", str(low), str(high), "-o", str(out)]
    assert main(command) == 2
    assert files(out) == ["high/a.png", "high/b.png", "low/a.png", "low/b.png", "pairs.csv"]
    rows = {row["name"]: row for row in table(out)}
    assert [float(rows["a"][key]) for key in ("shift_x", "shift_y")] == pytest.approx([-2, 3], abs=0.05)
    assert [float(rows["b"][key]) for key in ("shift_x", "shift_y")] == pytest.approx([4, 0], abs=0.05)
    small, large = load(out / "low/a.png"), load(out / "high/a.png")
    assert small.shape == (77, 88, 3)
    inner = np.abs(resize(large, scale=1 / 2).astype(int) - small)[4:-4, 4:-4]
    assert inner.max() <= 1
    captured = capsys.readouterr()
    assert "c.png: no high-resolution picture" in captured.err
    assert "d.png" in captured.err and "correlates at" in captured.err
    assert "2 done, 2 failed" in captured.err
    # Again: what is there stays.
    assert main(command) == 2
    assert "2 there already" in capsys.readouterr().err


def test_align_takes_two_files_and_matches_brightness(tmp_path: Path) -> None:
    small, large = shifted_pair(5, 1, 1)
    low = put(tmp_path / "phone.png", (small * 0.7 + 20).astype(np.uint8))
    high = put(tmp_path / "camera.png", large)
    command = ["align", str(low), str(high), "-o", str(tmp_path / "out"), "--scale", "2", "--photometric"]
    assert main(command) == 0
    row = table(tmp_path / "out")[0]
    assert row["name"] == "camera"
    assert [float(value) for value in row["gain"].split()] == pytest.approx([0.7] * 3, abs=0.02)
    matched, cut = load(tmp_path / "out/high/camera.png"), load(tmp_path / "out/low/camera.png")
    assert abs(matched.astype(float).mean() - cut.mean()) < 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{a}", "{folder}"], ["two pictures or two folders"]),
        (["{a}", "{gone}"], ["gone.png: no such file"]),
        (["{a}", "{b}", "--correlation", "2"], ["correlation 2"]),
    ],
)
def test_align_refuses_wrong_usage(
    arguments: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"a": put(tmp_path / "a.png", scene(24, 24)), "b": put(tmp_path / "b.png", scene(48, 48))}
    filled = [text.format(**names, folder=tmp_path, gone=tmp_path / "gone.png") for text in arguments]
    assert main(["align", *filled, "-o", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert all(word in error for word in words)
    assert not (tmp_path / "out").exists()
