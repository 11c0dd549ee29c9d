"""The plot is well-formed, shows the fastest of each arithmetic, and puts faster left and better up."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from superres.backends import Precision
from superres.benchmark import Contender, Row, speed_plot
from superres.errors import OptionError

SVG = "{http://www.w3.org/2000/svg}"


def row(name: str, precision: Precision, seconds: float, decibels: float | None, runtime: str = "r") -> Row:
    scores = {} if decibels is None else {"Set5": decibels}
    return Row(Contender(name, runtime, print, precision, 1e-5, scores), seconds, 1000)


def drawn(rows: list[Row]) -> tuple[list[str], list[tuple[float, float]]]:
    """Labels of points, and where the points are."""
    root = ElementTree.fromstring(speed_plot(rows, "Set5"))
    points = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in root.iter(f"{SVG}circle")]
    return [str(one.text) for one in root.iter(f"{SVG}text")][-len(points) :], points


def test_faster_is_left_and_better_is_up() -> None:
    labels, points = drawn([row("big<x4>", "fp32", 0.1, 31.2), row("small", "int8", 0.01, 30.8)])
    assert labels == ["big<x4> fp32", "small int8"]
    (big_x, big_y), (small_x, small_y) = points
    assert small_x < big_x and small_y > big_y
    assert all(0 < x < 760 and 0 < y < 440 for x, y in points)


def test_of_one_arithmetic_only_the_fastest_is_shown() -> None:
    rows = [row("m", "fp32", 0.2, 31.0, "slow"), row("m", "fp32", 0.1, 31.0, "fast"), row("none", "fp32", 1.0, None)]
    assert drawn(rows) == drawn(rows[1:2])


def test_without_scores_there_is_nothing_to_draw() -> None:
    with pytest.raises(OptionError, match="set 'Set5': no model's card has a score"):
        speed_plot([row("m", "fp32", 0.1, None)], "Set5")
