from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from superres.errors import OutputError
from superres.evaluation.about import About, about
from superres.evaluation.html import report_html, write_html
from superres.evaluation.runner import SetResult, Settings, evaluate_folder
from superres.evaluation.scores import SetScores

from .support import save, smooth

VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Page(HTMLParser):
    """Checks nesting, and keeps tags, attributes and the text of table cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        self.text.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text[self.open[-1]][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> tuple[list[SetResult], About]:
    data = tmp_path_factory.mktemp("data")
    save(smooth(48, 60), data / "One" / "a<b>.png")
    save(smooth(60, 48, seed=1), data / "Two" / 'q"&.png')
    settings = Settings(scale=2, models=("bicubic", str(tiny_folder / "tiny")), metrics=("psnr", "sam"), threads=1)
    return list(evaluate_folder(data, settings, crops=True)), about(settings)


def test_tables_hold_what_was_measured(evaluated: tuple[list[SetResult], About]) -> None:
    page = _Page(report_html(*evaluated))
    cells = page.text["td"]
    for result in evaluated[0]:
        for scores in result.scores:
            for values in (scores.mean, *scores.images.values()):
                assert f"{values['psnr']:.2f}" in cells
                assert f"{values['sam']:.3f}" in cells
    assert any("a<b>.png" in text for text in page.text["th"])
    assert len(page.all("table")) == 2 * 2 + 1


def test_pictures_are_inside_and_described(evaluated: tuple[list[SetResult], About]) -> None:
    page = _Page(report_html(*evaluated))
    images = page.all("img")
    assert len(images) == 2 * 3  # bicubic, tiny, ground truth
    shown = [data for result in evaluated[0] for crops in result.crops for data in crops.shown.values()]
    for attributes, data in zip(images, shown, strict=True):
        head, _, code = attributes["src"].partition(",")
        assert head == "data:image/webp;base64"
        assert base64.b64decode(code) == data
        assert attributes["alt"].partition(",")[0] in ("a<b>.png", 'q"&.png')
    assert [i["alt"].rpartition(", ")[2] for i in images][::3] == ["bicubic", "bicubic"]


def test_nothing_is_fetched_and_nothing_runs(evaluated: tuple[list[SetResult], About]) -> None:
    text = report_html(*evaluated)
    page = _Page(text)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("src", "href"):
            assert attributes.get(key, "#").startswith(("#", "data:image/"))
    assert not re.search(r"https?://|@import|url\(", text)
    assert any("default-src 'none'" in m.get("content", "") for m in page.all("meta"))


def test_it_can_be_read_aloud_and_in_the_dark(evaluated: tuple[list[SetResult], About]) -> None:
    text = report_html(*evaluated)
    page = _Page(text)
    assert page.all("html") == [{"lang": "en"}]
    assert all(head.get("scope") in ("col", "row", "colgroup") for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert {"header", "main", "nav"} <= {tag for tag, _ in page.tags}
    assert "prefers-color-scheme: dark" in text
    targets = {attributes["href"][1:] for attributes in page.all("a")}
    assert targets == {attributes["id"] for _, attributes in page.tags if "id" in attributes}


def test_protocol_models_and_versions_are_told(evaluated: tuple[list[SetResult], About]) -> None:
    results, told = evaluated
    text = report_html(results, told)
    page = _Page(text)
    assert [line for line in told.protocol if line not in page.text["li"]] == []
    assert told.cards[0].stem in page.text["th"]
    assert f"superres {told.versions['superres']}" in text


def _single(values: list[dict[str, float]]) -> list[SetResult]:
    return [SetResult([SetScores("S", 2, {"a": one}, f"m{k}") for k, one in enumerate(values)], [])]


TOLD = about(Settings(models=("bicubic",)))


def _best(results: list[SetResult]) -> list[str]:
    page = _Page(report_html(results, TOLD))
    cells = zip(page.all("td"), page.text["td"], strict=True)
    return [text for attributes, text in cells if "best" in attributes.get("class", "")]


def test_the_best_is_the_highest_or_the_lowest_at_the_digits_shown() -> None:
    results = _single([{"psnr": 30.001, "sam": 2.5}, {"psnr": 30.004, "sam": 1.5}, {"psnr": 29.0, "sam": 3.5}])
    assert sorted(_best(results)) == sorted(["30.00", "30.00", "1.500"] * 2)


def test_equal_values_and_a_single_method_have_no_best() -> None:
    assert _best(_single([{"psnr": 30.0}, {"psnr": 30.0}])) == []
    assert _best(_single([{"psnr": 30.0}])) == []


def test_values_that_are_no_numbers() -> None:
    results = _single([{"psnr": float("inf"), "niqe": float("nan")}, {"psnr": 30.0, "niqe": 4.0}])
    text = report_html(results, TOLD)
    assert "<td>–</td>" in text
    assert ">∞</td>" in text
    assert "4.000" in _best(results)


def test_it_is_written_even_where_names_are_no_text(tmp_path: Path) -> None:
    results = [SetResult([SetScores("S", 2, {"caf\udce9.png": {"psnr": 30.0}}, "m")], [])]
    write_html(results, TOLD, tmp_path / "r.html")
    assert "caf?.png" in (tmp_path / "r.html").read_text(encoding="utf-8")
    with pytest.raises(OutputError):
        write_html(results, TOLD, tmp_path / "none" / "r.html")
