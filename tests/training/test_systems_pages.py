"""docs/systems: what the pages say is what recipes and cards say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from superres.training.recipe_file import load_recipe, recipe_from_mapping
from superres.zoo import ZOO, read_card

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "systems").glob("*.md"))

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def test_there_are_pages() -> None:
    assert PAGES


@pages
def test_its_recipes_are_recipes(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        if "name =" in block:
            recipe_from_mapping(tomllib.loads(block))
    for name in re.findall(r"recipes/[\w.-]+\.toml", text):
        load_recipe(ROOT / name)


@pages
def test_what_it_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists()


@pages
def test_its_figures_are_those_of_the_cards(page: Path) -> None:
    """Rows ``| **name** | parameters | Set5 | Set14 | B100 |``, and ``**name ×8**`` at another scale than 4."""
    row = r"^\| \*\*\[?([\w-]+)\]?(?:\([^)]*\))?(?: ×(\d+))?\*\* \| (\d+)K \| (.*) \|$"
    for name, scale, parameters, cells in re.findall(row, page.read_text(encoding="utf-8"), re.MULTILINE):
        card = read_card(ZOO / f"{name}_x{scale or 4}.toml")
        assert round(card.parameters / 1000) == int(parameters)
        for told, each in zip(cells.split(" | "), ("Set5", "Set14", "B100"), strict=True):
            scores = card.scores[each]
            assert told == f"{scores['psnr']:.2f} / {scores['ssim']:.4f}"
