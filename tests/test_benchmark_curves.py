"""benchmarks/curves.py: what a log's curve is, and that its drawing is whole."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import InputError


def _script() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "curves.py"
    spec = importlib.util.spec_from_file_location("curves", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


curves = _script()


def _log(folder: Path, text: str) -> Path:
    path = folder / "tiny_x4.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_validation_is_drawn_where_there_is_one_each_measurement_once(tmp_path: Path) -> None:
    log = _log(tmp_path, "step,loss,steps_per_second,psnr\n1,0.5,9,\n2,0.4,9,28.5\n3,0.4,9,28.5\n4,0.3,9,29.0\n")
    assert curves.read_curve(log) == ("validation, dB", [(2.0, 28.5), (4.0, 29.0)])


def test_the_loss_is_drawn_otherwise(tmp_path: Path) -> None:
    log = _log(tmp_path, "step,loss,steps_per_second\n1,0.5,9\n2,0.4,9\n")
    assert curves.read_curve(log) == ("loss", [(1.0, 0.5), (2.0, 0.4)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step,loss\n1,0.5\n", "1 points, expected at least 2"),
        ("a,b\n1,2\n", "expected columns step and loss"),
        ("step,loss\n1,x\n", "expected columns step and loss"),
    ],
)
def test_what_is_no_curve_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        curves.read_curve(_log(tmp_path, text))


def test_a_missing_log_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert curves.main([str(tmp_path / "no.csv"), "-o", str(tmp_path)]) == 1
    assert "no.csv: cannot be read" in capsys.readouterr().err


@given(st.floats(-1e3, 1e3), st.floats(0, 1e3))
def test_ticks_enclose_what_they_are_for(low: float, span: float) -> None:
    found = curves.ticks(low, low + span)
    tolerance = 1e-6 * max(1, abs(low) + span)
    assert found[0] <= low + tolerance
    assert found[-1] >= low + span - tolerance
    assert 2 <= len(found) <= 8
    assert all(a < b for a, b in pairwise(found))


def test_every_point_lies_on_the_drawing(tmp_path: Path) -> None:
    log = _log(tmp_path, "step,loss\n100,0.05\n200,0.03\n300,0.0301\n")
    assert curves.main([str(log), "-o", str(tmp_path)]) == 0
    root = ElementTree.fromstring((tmp_path / "tiny_x4.svg").read_text(encoding="utf-8"))
    points = [(float(c.get("cx", "nan")), float(c.get("cy", "nan"))) for c in root if c.tag.endswith("circle")]
    assert len(points) == 3
    assert all(0 <= x <= 560 and 0 <= y <= 260 for x, y in points)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert points[0][1] < points[2][1] < points[1][1]  # a greater value stands higher
