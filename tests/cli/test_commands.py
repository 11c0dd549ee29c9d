from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from superres.cli import main


def picture(path: Path, width: int = 20, height: int = 12, seed: int = 0) -> Path:
    """A smooth random colour picture."""
    random = np.random.default_rng(seed)
    small = Pillow.fromarray(random.integers(0, 255, (3, 4, 3), dtype=np.uint8))
    small.resize((width, height), Pillow.Resampling.BICUBIC).save(path)
    return path


def size(path: Path) -> tuple[int, int]:
    with Pillow.open(path) as opened:
        return opened.size


def test_upscale_writes_beside_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "a.png")
    assert main(["upscale", str(source)]) == 0
    assert size(tmp_path / "a_x4.png") == (80, 48)
    line = capsys.readouterr().out
    assert "20×12 → 80×48" in line
    assert "standard x4" in line


def test_lossy_input_is_restored_and_becomes_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "a.jpg")
    assert main(["upscale", str(source)]) == 0
    assert size(tmp_path / "a_x4.png") == (80, 48)
    line = capsys.readouterr().out
    assert "restore x4" in line
    assert "a jpeg source has lossy compression to undo; --model decides otherwise" in line
    assert main(["upscale", str(source), "--model", "standard", "--overwrite", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["networks"], told["reason"]) == (["standard x4"], "")


def test_fractional_scale_and_size(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    assert main(["upscale", str(source), "--scale", "2.5"]) == 0
    assert size(tmp_path / "a_x2.5.png") == (50, 30)
    assert main(["upscale", str(source), "--size", "x30", "-o", str(tmp_path / "b.png")]) == 0
    assert size(tmp_path / "b.png") == (50, 30)


def test_existing_target_needs_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "a.png")
    target = tmp_path / "a_x4.png"
    target.write_bytes(b"mine")
    assert main(["upscale", str(source)]) == 2
    assert target.read_bytes() == b"mine"
    assert "--overwrite" in capsys.readouterr().err
    assert main(["upscale", str(source), "--overwrite"]) == 0
    assert size(target) == (80, 48)


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    picture(folder / "a.png")
    (folder / "b.png").write_bytes(b"not a picture")
    picture(folder / "c.png", seed=1)
    assert main(["upscale", str(folder), "-o", str(tmp_path / "out")]) == 2
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a_x4.png", "c_x4.png"]
    report = capsys.readouterr().err
    assert "2 done, 1 failed" in report
    assert "b.png" in report


def test_an_option_of_another_kind_fails_only_the_files_that_it_is_not_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of a mixed folder: as with --bands, each file is judged alone."""
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in" / "a.png")
    frames = [Pillow.new("L", (8, 8), shade) for shade in (0, 99)]
    frames[0].save(tmp_path / "in" / "b.gif", save_all=True, append_images=frames[1:])
    command = ["upscale", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--scale", "2", "--model", "realtime"]
    assert main([*command, "--compression", "small"]) == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_x2.png"]
    assert "b.gif: is an animation; --compression small" in capsys.readouterr().err
    assert main([*command, "--codec", "av1", "--overwrite"]) == 2
    told = capsys.readouterr().err
    assert all(f"{name}: is a picture; for video alone, leave out: --codec" in told for name in ("a.png", "b.gif"))


def test_second_run_of_a_folder_does_only_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    picture(folder / "a.png")
    picture(folder / "b.png", seed=1)
    assert main(["upscale", str(folder), "-o", str(out)]) == 0
    first = (out / "a_x4.png").read_bytes()
    stamp = (out / "b_x4.png").stat().st_mtime_ns
    (out / "a_x4.png").unlink()
    assert main(["upscale", str(folder), "-o", str(out)]) == 0
    assert (out / "a_x4.png").read_bytes() == first
    assert (out / "b_x4.png").stat().st_mtime_ns == stamp
    assert "1 done, 1 there already" in capsys.readouterr().err


def test_two_inputs_with_one_target_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "a.jpg")
    assert main(["upscale", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    assert "is the result of" in capsys.readouterr().err


def test_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = picture(tmp_path / "a.png"), tmp_path / "b.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert main(["upscale", str(good), str(bad), "-o", str(tmp_path / "out"), "--json"]) == 2
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["status"] for record in records] == ["done", "failed"]
    assert records[0]["target_size"] == [80, 48]
    assert "b.png" in records[1]["error"]


def test_streams() -> None:
    contents = io.BytesIO()
    Pillow.new("RGB", (8, 6), (200, 100, 50)).save(contents, "PNG")
    command = [sys.executable, "-m", "superres", "upscale", "-"]
    done = subprocess.run(command, input=contents.getvalue(), capture_output=True, check=True)
    with Pillow.open(io.BytesIO(done.stdout)) as result:
        assert (result.format, result.size) == ("PNG", (32, 24))
    assert b"standard input" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["upscale", "gone.png"], ["gone.png", "no such file"]),
        (["upscale", "{a}", "--scale", "1"], ["scale 1", "restore"]),
        (["upscale", "{a}", "--scale", "nan"], ["scale nan"]),
        (["upscale", "{a}", "--scale", "17"], ["17", "16"]),
        (["upscale", "{a}", "--size", "10x10"], ["10x10", "not larger"]),
        (["upscale", "{a}", "--size", "200x200"], ["aspect ratio", "200x120"]),
        (["upscale", "{a}", "--size", "big"], ["'big'", "WIDTHxHEIGHT"]),
        (["upscale", "{a}", "--size", "80x48", "--scale", "4"], ["give one"]),
        (["upscale", "{a}", "--model", "standart"], ["did you mean 'standard'"]),
        (["upscale", "{a}", "--memory", "lots"], ["'lots'", "2GB"]),
        (["upscale", "{a}", "--format", "pgn"], ["did you mean 'png'"]),
        (["upscale", "{a}", "--precision", "fp8"], ["fp8", "auto"]),
        (["upscale", "{a}", "--backend", "openvin"], ["did you mean 'openvino'"]),
        (["upscale", "{a}", "--threads", "-1"], ["threads"]),
        (["upscale", "{a}", "--max-output", "0.001"], ["80 x 48", "--max-output"]),
        (["upscale", "{a}", "--max-input", "0.0001"], ["20 x 12", "--max-input"]),
        (["upscale", "{a}", "-o", "{missing}/b.png"], ["folder"]),
        (["upscale", "{a}", "-o", "{a}", "--overwrite"], ["is the input itself"]),
        (["upscale", "{a}", "--quality", "90"], ["quality"]),
        (["upscale", "{a}", "--no-such-option"], ["--no-such-option"]),
        (["upscale"], ["INPUT"]),
        (["models", "--jso"], ["--jso"]),
        (["evaluate", "--data", "{missing}"], ["missing"]),
        (["train", "gone.toml", "--data", "."], ["gone.toml"]),
        (["compare", "gone.png", "{a}"], ["gone.png"]),
        (["nonsense"], ["nonsense"]),
    ],
)
def test_bad_usage_is_told_without_a_traceback(
    arguments: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = picture(tmp_path / "a.png")
    filled = [text.format(a=source, missing=tmp_path / "missing") for text in arguments]
    code = main(filled)
    error = capsys.readouterr().err
    assert code in (1, 2)
    assert "Traceback" not in error
    for word in words:
        assert word in error
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_usage_errors_exit_with_1(tmp_path: Path) -> None:
    assert main(["upscale", str(tmp_path / "gone.png")]) == 1
    assert main(["upscale", "--no-such-option"]) == 1


def test_compare_measures_equal_sizes_and_shows_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = picture(tmp_path / "a.png", 64, 48), picture(tmp_path / "b.png", 64, 48)
    assert main(["compare", str(a), str(b)]) == 0
    assert "PSNR inf dB   SSIM 1.0000" in capsys.readouterr().out
    assert (tmp_path / "b_compared.png").exists()
    small = picture(tmp_path / "small.png", 16, 12)
    assert main(["compare", str(small), str(b), "-o", str(tmp_path / "c.png")]) == 0
    assert "not measured" in capsys.readouterr().out


def test_compare_says_nothing_of_a_picture_that_it_cannot_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large, small = picture(tmp_path / "large.png", 64, 48), picture(tmp_path / "small.png", 40, 40)
    assert main(["compare", str(large), str(small)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "expected the same picture, enlarged" in told.err
    assert main(["compare", str(small), str(small), "-o", str(tmp_path / "gone" / "c.png")]) == 1
    assert capsys.readouterr().out == ""
    assert sorted(file.name for file in tmp_path.iterdir()) == ["large.png", "small.png"]


def test_compare_replaces_neither_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = picture(tmp_path / "a.png", 64, 48), picture(tmp_path / "b.png", 64, 48, seed=1)
    link = tmp_path / "link.png"
    link.symlink_to(b)
    before = a.read_bytes(), b.read_bytes()
    for target in (a, b, link):
        assert main(["compare", str(a), str(b), "-o", str(target), "--overwrite"]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert f"{target}: is one of the two pictures; choose another name with -o" in told.err
    assert (a.read_bytes(), b.read_bytes()) == before
    assert main(["compare", str(a), str(b), "-o", str(tmp_path / "c.png")]) == 0
    assert main(["compare", str(a), str(b), "-o", str(tmp_path / "c.png"), "--overwrite"]) == 0


def test_models_lists_every_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert {"standard"} <= {card["name"] for card in cards}
    assert main(["models"]) == 0
    assert capsys.readouterr().out.count("Apache-2.0") == len(cards)


def test_evaluate_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "a.png", 64, 64)
    assert main(["evaluate", "--data", str(tmp_path), "--model", "bicubic", "-o", str(tmp_path / "s.csv")]) == 0
    assert "dB" in capsys.readouterr().out
    assert "a.png" in (tmp_path / "s.csv").read_text()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from superres import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"superres {__version__}"


def test_ctrl_c_stops_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png", 3000, 2000)
    command = [sys.executable, "-m", "superres", "upscale", str(source), "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) == 1 and time.monotonic() < deadline:
        time.sleep(0.02)  # until the hidden file appears: inference is under way
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from superres.cli import main; main(['--help']);"
        "print([m for m in ('numpy', 'torch', 'openvino', 'pyvips', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["upscale"], ["(4)", "(in-plane)", "(all)", "(by the container)"]),
        (["train"], ["(runs/NAME)"]),
        (["finetune"], ["(MODEL-tuned)", "(the model's)"]),
        (["benchmark", "speed"], ["(all)"]),
    ],
    ids=" ".join,
)
def test_help_tells_the_defaults_that_are_no_plain_values(
    command: list[str], told: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    for one in told:
        assert f"[default: {one}]" in shown


def saved(path: Path, seed: int = 0) -> Path:
    """A small picture."""
    random = np.random.default_rng(seed)
    Pillow.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8)).save(path)
    return path


def test_the_report_names_the_file_that_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "b.png"):
        Pillow.new("RGBA", (8, 8), (1, 2, 3, 40)).save(tmp_path / name)
    assert main(["upscale", str(tmp_path), "-o", str(tmp_path / "out"), "--scale", "2", "--format", "jpeg"]) == 2
    told = capsys.readouterr().err
    for name in ("a.png", "b.png"):
        assert f"failed: {tmp_path / name}: jpeg cannot hold transparency" in told


def test_an_error_of_the_system_is_told_and_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    saved(tmp_path / "in" / ("a" * 250 + ".png"))
    saved(tmp_path / "in" / "b.png")
    assert main(["upscale", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--scale", "2"]) == 2
    assert "File name too long" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b_x2.png"]
    single = next(path for path in (tmp_path / "in").iterdir() if len(path.name) > 200)
    assert main(["upscale", str(single), "--scale", "2"]) in (1, 2)


def test_records_tell_source_and_target_of_what_was_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = [str(saved(tmp_path / name)) for name in ("a.png", "b.png")]
    command = ["upscale", *inputs, "-o", str(tmp_path / "out"), "--scale", "2", "--json"]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["source"] for record in records] == inputs
    assert [record["target"] for record in records] == [str(tmp_path / "out" / f"{name}_x2.png") for name in "ab"]
    assert {record["status"] for record in records} == {"skipped"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--scale", "99"], "scale 99"),
        (["--threads", "-1"], "threads -1"),
        (["--max-input", "nan"], "--max-input nan"),
        (["--max-output", "inf"], "--max-output inf"),
        (["-o", "there.png"], "there.png: is a file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_told_once_and_touches_nothing(
    more: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("in/a.png", "in/b.png", "there.png"):
        saved(tmp_path / name)
    command = ["upscale", "in", *more, *([] if "-o" in more else ["-o", "out"])]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.count(told) == 1
    assert not (tmp_path / "out").exists()


def test_an_empty_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "a.png")
    assert main(["upscale", "", "--scale", "2"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_hidden_folders_and_own_results_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / ".thumbs").mkdir(parents=True)
    saved(tmp_path / "in" / "a.png")
    saved(tmp_path / "in" / ".thumbs" / "t.png")
    for _ in range(2):
        assert main(["upscale", "in", "-r", "-o", str(tmp_path / "in"), "--scale", "2"]) == 0
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == [".thumbs", "a.png", "a_x2.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the superuser")
def test_a_subfolder_that_cannot_be_read_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "in" / "shut").mkdir(parents=True)
    saved(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "shut").chmod(0)
    try:
        assert main(["upscale", str(tmp_path / "in"), "-r", "-o", str(tmp_path / "out"), "--scale", "2"]) == 2
    finally:
        (tmp_path / "in" / "shut").chmod(0o700)
    assert (tmp_path / "out" / "a_x2.png").exists()


def test_names_that_are_no_text_do_not_stop_anything(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    saved(tmp_path / "a.png").rename(os.fsdecode(os.fsencode(tmp_path / "in") + b"/\xff\xfe.png"))
    code = (
        f"from superres.cli import main; raise SystemExit(main(['upscale', {str(tmp_path / 'in')!r}, '--scale', '2']))"
    )
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=strict, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert len(list((tmp_path / "in").iterdir())) == 2
