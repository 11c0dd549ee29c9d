from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from superres.errors import OutputError
from superres.evaluation.about import about
from superres.evaluation.runner import Settings
from superres.evaluation.scores import SetScores
from superres.evaluation.tables import write_csv, write_json

ABOUT = about(Settings(models=("bicubic",)))
RESULTS = [
    SetScores("S", 2, {"a,b.png": {"psnr": 30.5, "ssim": 0.9}, "é.png": {"psnr": 31.5, "ssim": 0.8}}, "one"),
    SetScores("S", 2, {"a,b.png": {"psnr": 20.0, "ssim": 0.5}, "é.png": {"psnr": 22.0, "ssim": 0.7}}, "two"),
]


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    write_csv(RESULTS, tmp_path / "r.csv")
    write_json(RESULTS, ABOUT, tmp_path / "r.json")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["method"], r["file"], float(r["psnr"]), float(r["ssim"])) for r in rows] == [
        ("one", "a,b.png", 30.5, 0.9), ("one", "é.png", 31.5, 0.8), ("one", "mean", 31.0, pytest.approx(0.85)),
        ("two", "a,b.png", 20.0, 0.5), ("two", "é.png", 22.0, 0.7), ("two", "mean", 21.0, pytest.approx(0.6)),
    ]  # fmt: skip
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    for result, written in zip(RESULTS, content["results"], strict=True):
        assert (written["set"], written["scale"], written["method"]) == ("S", 2, result.method)
        assert written["images"] == result.images
        assert written["mean"] == pytest.approx(result.mean)
    assert content["metrics"] == {
        "psnr": {"unit": "dB", "better": "higher"},
        "ssim": {"unit": "", "better": "higher"},
    }
    assert content["protocol"] == list(ABOUT.protocol)
    assert "superres" in content["versions"]


def test_json_has_no_infinity(tmp_path: Path) -> None:
    write_json([SetScores("S", 2, {"a": {"psnr": math.inf, "niqe": math.nan}})], ABOUT, tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert content["results"][0]["images"]["a"] == {"psnr": None, "niqe": None}


def test_names_that_are_no_text_can_be_written(tmp_path: Path) -> None:
    results = [SetScores("S", 2, {"caf\udce9.png": {"psnr": 30.0}})]
    write_csv(results, tmp_path / "r.csv")
    assert b"caf\xe9.png" in (tmp_path / "r.csv").read_bytes()
    write_json(results, ABOUT, tmp_path / "r.json")
    assert list(json.loads((tmp_path / "r.json").read_text())["results"][0]["images"]) == ["caf?.png"]


def test_a_result_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_csv([], tmp_path / "none" / "r.csv")
