from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from superres.training import recipe as recipes
from superres.training.recipe_file import recipe_from_mapping
from superres.training.reference import recipe_reference

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_guide_holds_the_reference_as_it_is() -> None:
    assert recipe_reference() in GUIDE, "python -m superres.training.reference prints what belongs into the guide"


@pytest.mark.parametrize(
    "kind", [recipes.Recipe, *(getattr(recipes, name) for name in recipes.__all__ if name.endswith("Options"))]
)
def test_every_key_is_explained_once(kind: type) -> None:
    documented = re.findall(r"^        (\w+): ", (kind.__doc__ or "").partition("Attributes:")[2], re.MULTILINE)
    assert documented == [field.name for field in dataclasses.fields(kind)]


def test_the_recipes_of_the_guide_are_recipes() -> None:
    shown = [block for block in re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL) if "name =" in block]
    assert shown
    for block in shown:
        recipe_from_mapping(tomllib.loads(block))
