"""Every shipped model can be made again by one command: its recipe is there, and so is all that it starts from."""

from __future__ import annotations

from pathlib import Path

import pytest

from superres.training.recipe_file import load_recipe, recipe_from_mapping, recipe_to_mapping
from superres.zoo import ModelCard, list_cards, read_card
from superres.zoo.store import ZOO

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
CARDS = list_cards()

cards = pytest.mark.parametrize("card", CARDS, ids=[card.stem for card in CARDS])


def _starts(recipe: Path) -> list[Path]:
    """The recipes that come before, nearest first; a shipped model's is that of its card."""
    before: list[Path] = []
    while start := load_recipe(recipe).warm_start:
        if start.endswith(".toml"):
            recipe = recipe.parent / start
        else:
            recipe = RECIPES / read_card(ZOO / f"{start}.toml").training.recipe
        assert recipe not in before, f"{recipe} starts from itself"
        before.append(recipe)
    return before


@cards
def test_the_recipe_is_that_of_the_card(card: ModelCard) -> None:
    recipe = load_recipe(RECIPES / card.training.recipe)
    assert recipe_to_mapping(recipe) == recipe_to_mapping(recipe_from_mapping(card.recipe))
    assert recipe.name == card.stem
    assert recipe.steps == card.training.steps


@cards
def test_what_it_starts_from_goes_down_to_noise(card: ModelCard) -> None:
    for recipe in _starts(RECIPES / card.training.recipe):
        assert recipe.is_file()
