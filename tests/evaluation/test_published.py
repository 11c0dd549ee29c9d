from __future__ import annotations

import dataclasses
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from superres.errors import OptionError
from superres.evaluation import bicubic_enlarger, evaluate_set, model_enlarger, published
from superres.evaluation.published import PageOptions, quality_page
from superres.zoo import list_cards, read_card, write_card

from .support import save, smooth


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for k, name in enumerate(("Set5/a.png", "Set5/b.png", "Mine/c.png")):
        save(smooth(44, 60, seed=k), tmp_path / "data" / name)
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path) -> Path:
    """Models of x2 and x4, one of them for degraded pictures."""
    target = tmp_path / "zoo"
    target.mkdir()
    for stem in ("tiny_x2", "tiny_x4"):
        for suffix in (".onnx", ".toml"):
            shutil.copy(tiny_folder / (stem + suffix), target)
    card = read_card(target / "tiny_x4.toml")
    write_card(dataclasses.replace(card, kind="restore"), target / "tiny_x4.toml")
    return target


def _rows(page: str) -> dict[str, list[list[str]]]:
    """Heading -> cells of its table's rows, without the header."""
    tables: dict[str, list[list[str]]] = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        lines = [line for line in part.splitlines() if line.startswith("| ")]
        tables[part.partition("\n")[0]] = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return tables


def test_rows_are_what_evaluation_gives(data: Path, folder: Path) -> None:
    told = []
    options = PageOptions(scales=(2,), sets=("Set5", "Mine"), folders=(folder,), threads=1)
    page = quality_page(data, options, watch=told.append)
    (rows,) = _rows(page).values()
    known = {(row[0], row[2]): row[3:] for row in rows}
    for method, enlarge in (
        (("bicubic, ours", "8 bit"), bicubic_enlarger(2)),
        (("**zoo/tiny**", "fp32"), model_enlarger(str(folder / "tiny"), 2, "fp32")),
    ):
        means = [evaluate_set(data / name, 2, enlarge).mean for name in ("Set5", "Mine")]
        assert known[method] == [f"{mean['psnr']:.2f} / {mean['ssim']:.4f}" for mean in means]
    assert known["bicubic", "published"] == ["33.66 / 0.9299", "–"]
    assert [list(row) for row in told] == [row for row in rows if row[2] != "published"]
    assert read_card(folder / "tiny_x2.toml").scores == {}


def test_scales_are_those_of_the_models_and_restoring_ones_are_measured_on_degraded_pictures(
    data: Path, folder: Path
) -> None:
    options = PageOptions(sets=("Set5",), folders=(folder,), threads=1, update_cards=True)
    tables = _rows(quality_page(data, options))
    assert list(tables) == ["×2", "×4", "×4, degraded"]
    enlarge = model_enlarger(str(folder / "tiny"), 4, "fp32")
    scores = read_card(folder / "tiny_x4.toml").scores
    assert list(scores) == ["Set5", "Set5 measurement"]
    for name, degradation in (("Set5", "bicubic"), ("Set5 measurement", "measurement")):
        mean = evaluate_set(data / "Set5", 4, enlarge, degradation=degradation).mean
        assert scores[name] == {"psnr": round(mean["psnr"], 3), "ssim": round(mean["ssim"], 4)}
    assert list(read_card(folder / "tiny_x2.toml").scores) == ["Set5"]


def test_a_page_names_the_command_that_makes_it(data: Path, folder: Path, tmp_path: Path) -> None:
    def command(options: PageOptions) -> str:
        (told,) = re.findall(r"This page is written by\n\n```\n(.*)\n```\n", quality_page(data, options))
        return told

    start = "superres benchmark quality --data FOLDER_OF_TEST_SETS"
    # A scale, a set and a folder that are named twice are measured once.
    twice = PageOptions(scales=(2, 2), sets=("Mine", "Mine"), folders=(folder, folder), output=Path("my pages/q.md"))
    told = []
    page = quality_page(data, twice, watch=told.append)
    assert f"\n{start} --scales 2 --sets Mine --models {folder} -o 'my pages/q.md'\n" in page
    assert list(_rows(page)) == ["×2"]
    assert len({row[0] + row[2] for row in told}) == len(told)
    plain = PageOptions(scales=(2,), sets=("Set5", "Mine"), folders=(folder,), threads=1, update_cards=True)
    assert command(plain) == f"{start} --scales 2 --sets Set5,Mine --models {folder}"


def test_the_page_of_the_documentation_begins_as_it_would_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k, name in enumerate(PageOptions.sets):
        save(smooth(44, 60, seed=k), tmp_path / name / "a.png")
    monkeypatch.setattr(published._Page, "rows", lambda *_: iter(()))  # measuring is not what this is about
    page = quality_page(tmp_path, PageOptions(output=Path("docs/quality.md")))
    shown = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
    assert page.partition("\n## ")[0] == shown.partition("\n## ")[0]
    quoted = {heading: [row for row in rows if row[2] == "published"] for heading, rows in _rows(shown).items()}
    assert _rows(page) == quoted


def test_published_rows_have_a_figure_for_one_of_the_sets(data: Path, folder: Path) -> None:
    save(smooth(44, 60), data / "B100" / "d.png")
    page = quality_page(data, PageOptions(scales=(4,), sets=("B100", "Mine"), folders=(folder,), threads=1))
    names = [row[0] for row in _rows(page)["×4"] if row[2] == "published"]
    assert {"bicubic", "SRCNN"} <= set(names)
    assert "*published*" in page
    alone = quality_page(data, PageOptions(scales=(4,), sets=("Mine",), folders=(folder,), threads=1))
    assert "*published*" not in alone
    assert "published" not in [row[2] for row in _rows(alone)["×4"]]


def test_threads_are_checked_before_anything_is_measured() -> None:
    with pytest.raises(OptionError, match="threads -1"):
        PageOptions(threads=-1)


def test_what_is_not_there_is_told(data: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="did you mean 'Set5'"):
        quality_page(data, PageOptions(sets=("Set6",), folders=(folder,)))
    with pytest.raises(OptionError, match=r"scale 3: no model for it; there are models for \[2, 4\]"):
        quality_page(data, PageOptions(scales=(3,), sets=("Set5",), folders=(folder,)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="no model cards"):
        quality_page(data, PageOptions(sets=("Set5",), folders=(tmp_path / "empty",)))


def test_published_rows_are_well_formed_and_better_than_bicubic() -> None:
    text = Path(published.__file__).with_name("published.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    assert {f"x{card.scale}" for card in list_cards() if card.scale in (2, 3, 4)} <= set(tables)
    for table in tables.values():
        floor = {name: float(cell.partition("/")[0]) for name, cell in table["bicubic"].items() if name != "params"}
        for method, row in table.items():
            assert re.search(rf"^# +{method} ", text, re.MULTILINE) or method == "bicubic"
            for name, cell in row.items():
                if name == "params" or cell == "–":
                    continue
                assert re.fullmatch(r"\d\d\.\d\d(/\.\d{4})?", cell), (method, name)
                assert float(cell.partition("/")[0]) >= floor[name]
