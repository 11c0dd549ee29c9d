from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from superres.cli import main


def _picture(path: Path, width: int = 60, height: int = 48, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    small = Pillow.fromarray(random.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    small.resize((width, height), Pillow.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    for k, name in enumerate(("SetA/a.png", "SetB/b.png")):
        _picture(tmp_path / "sets" / name, seed=k)
    return tmp_path / "sets"


def test_several_models_and_metrics_in_one_table(
    sets: Path, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = str(tiny_folder / "tiny")
    command = ["evaluate", "--data", str(sets), "--model", tiny, "--model", "bicubic", "--scale", "2"]
    command += ["--metrics", "psnr, consistency,sam", "--precision", "fp32", "--threads", "1"]
    assert main([*command, "-o", str(tmp_path / "r.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["set", "model", "pictures", "PSNR", "dB", "consistency", "dB", "SAM", "°"]
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["SetA", tiny, "1"],
        ["SetA", "bicubic", "1"],
        ["SetB", tiny, "1"],
        ["SetB", "bicubic", "1"],
    ]
    assert len({len(line) for line in lines[:5]}) == 1  # figures stand under their names
    with (tmp_path / "r.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["set", "scale", "method", "file", "psnr", "consistency", "sam"]
    assert f"{float(rows[0]['psnr']):.2f}" in lines[1]


def test_json_tells_protocol_and_models(sets: Path, tiny_folder: Path, tmp_path: Path) -> None:
    command = ["evaluate", "--data", str(sets / "SetA"), "--model", str(tiny_folder / "tiny"), "--scale", "2"]
    assert main([*command, "--degradation", "measurement", "-o", str(tmp_path / "r.json")]) == 0
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["models"][0]["name"] == "tiny"
    assert any("JPEG" in line for line in content["protocol"])
    assert [entry["method"] for entry in content["results"]] == [str(tiny_folder / "tiny")]


def test_html_sets_bicubic_beside_the_model(sets: Path, tiny_folder: Path, tmp_path: Path) -> None:
    command = ["evaluate", "--data", str(sets), "--model", str(tiny_folder / "tiny"), "--scale", "2"]
    assert main([*command, "-o", str(tmp_path / "r.html")]) == 0
    text = (tmp_path / "r.html").read_text()
    assert text.count("data:image/webp") == 2 * 3
    assert '<th scope="row">bicubic</th>' in text


def test_pairs_of_ones_own(sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _picture(tmp_path / "low" / "ax2.png", 30, 24, seed=7)
    command = ["evaluate", "--data", str(sets / "SetA"), "--low", str(tmp_path / "low"), "--model", "bicubic"]
    assert main([*command, "--scale", "2"]) == 0
    assert float(capsys.readouterr().out.splitlines()[1].split()[3]) < 25  # another picture's low resolution
    assert main(command) == 1
    assert "about x2, expected x4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metrics", "psnr,simm"], ["'simm'", "did you mean 'ssim'"]),
        (["--metrics", ""], ["metric ''"]),
        (["--degradation", "bicubik"], ["did you mean 'bicubic'"]),
        (["--model", "bicubic"], ["models bicubic, bicubic", "none twice"]),
        (["-o", "scores.xls"], ["scores.xls", ".csv, .json or .html"]),
        (["-o", "{missing}/r.csv"], ["there is no folder"]),
        (["--low", "{missing}"], ["no such folder"]),
        (["--low", "{missing}", "--degradation", "blind"], ["'blind'", "give one of --degradation and --low"]),
        (["--precision", "foo"], ["'foo'", "expected auto, fp32, bf16 or int8"]),
        (["--threads", "-3"], ["threads -3"]),
        (["--scale", "17"], ["scale 17", "1 to 16"]),
        (["--metrics", "ms-ssim"], ["60 x 48", "too small"]),
    ],
)
def test_what_cannot_be_measured_is_told_before_anything_is(
    arguments: list[str], words: list[str], sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [text.format(missing=tmp_path / "missing") for text in arguments]
    assert main(["evaluate", "--data", str(sets / "SetA"), "--model", "bicubic", *filled]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    for word in words:
        assert word in captured.err


def test_benchmark_quality_prints_or_writes_the_page(
    sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from superres.evaluation import published

    given = []

    def quality_page(data: Path, options: published.PageOptions, watch: object) -> str:
        given.append((data, options))
        return "# Page ×2"

    monkeypatch.setattr(published, "quality_page", quality_page)
    command = ["benchmark", "quality", "--data", str(sets), "--sets", "SetA, SetB"]
    assert main(command) == 0
    assert capsys.readouterr().out == "# Page ×2\n"
    further = ["--scales", "2, 4", "--models", str(tmp_path), "--update-cards", "--threads", "1"]
    assert main([*command, *further, "-o", str(tmp_path / "q.md")]) == 0
    assert (tmp_path / "q.md").read_text(encoding="utf-8") == "# Page ×2"
    plain, full = (options for _, options in given)
    assert (plain.scales, plain.sets, plain.update_cards) == ((), ("SetA", "SetB"), False)
    assert (full.scales, full.folders[1:], full.update_cards, full.threads) == ((2, 4), (tmp_path,), True, 1)
    assert (plain.output, full.output) == (None, tmp_path / "q.md")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scales", "2,x"], ["'2,x'", "2,3,4"]),
        (["--sets", "SetC"], ["did you mean 'Set"]),
        (["--sets", "SetA", "--threads", "-1"], ["threads -1"]),
        (["-o", "{missing}/q.md"], ["there is no folder"]),
    ],
)
def test_wrong_usage_of_benchmark_quality(
    arguments: list[str], words: list[str], sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [text.format(missing=tmp_path / "missing") for text in arguments]
    assert main(["benchmark", "quality", "--data", str(sets), *filled]) == 1
    error = capsys.readouterr().err
    assert "|" not in error  # nothing was measured
    for word in words:
        assert word in error


def test_benchmark_is_a_group_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--help"]) == 0
    assert "quality" in capsys.readouterr().out
