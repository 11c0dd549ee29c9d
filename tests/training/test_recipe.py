from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from superres.errors import OptionError
from superres.training.recipe import Recipe, load_recipe, recipe_from_mapping

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.toml"))


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_project_loads(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.name.endswith(f"_x{recipe.scale}")


def _mapping(**changes: Any) -> dict[str, Any]:
    return {"name": "n", "scale": 2, "steps": 10} | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeed": 1}, "seeed is unknown.*did you mean 'seed'"),
        ({"network": {"feature": 8}}, r"network\.feature is unknown.*did you mean 'features'"),
        ({"data": {"ptach": 8}}, r"data\.ptach is unknown.*did you mean 'patch'"),
        ({"optimiser": {"warm": 8}}, r"optimiser\.warm is unknown.*did you mean 'warmup'"),
        ({"steps": "many"}, "steps = 'many', expected a value of type int"),
        ({"steps": 1.5}, "steps = 1.5, expected a value of type int"),
        ({"steps": True}, "steps = True, expected a value of type int"),
        ({"optimiser": {"rate": "fast"}}, r"optimiser\.rate = 'fast', expected a value of type float"),
        ({"data": {"augment": 1}}, r"data\.augment = 1, expected a value of type bool"),
        ({"data": {"folders": "train"}}, r"data\.folders = 'train', expected"),
        ({"data": {"folders": ["train", 3]}}, r"data\.folders = \['train', 3\], expected"),
        ({"network": 3}, r"network = 3, expected a table \[network\]"),
        ({"scale": 0}, "scale = 0, expected 1 to 16"),
        ({"scale": 17}, "scale = 17, expected 1 to 16"),
        ({"steps": 0}, "steps = 0, expected at least 1"),
        ({"precision": "fp16"}, "precision = 'fp16', expected bf16 or fp32"),
        ({"data": {"patch": 7}}, r"data\.patch = 7, expected at least 8"),
        ({"data": {"batch": 0}}, r"data\.batch = 0, expected at least 1"),
        ({"optimiser": {"name": "sgd"}}, r"optimiser\.name = 'sgd', expected muon or adamw"),
        ({"optimiser": {"rate": 0}}, r"optimiser\.rate = 0\.0, expected above 0"),
        ({"optimiser": {"ema": 1}}, r"optimiser\.ema = 1\.0, expected 0 to 1"),
        ({"optimiser": {"finish_l2": 1.1}}, r"optimiser\.finish_l2 = 1\.1, expected 0 to 1"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        recipe_from_mapping(_mapping(**changes))


@pytest.mark.parametrize("missing", ["name", "scale", "steps"])
def test_what_is_missing_is_named(missing: str) -> None:
    mapping = _mapping()
    del mapping[missing]
    with pytest.raises(OptionError, match=f"{missing} is missing"):
        recipe_from_mapping(mapping)


def test_values_arrive_and_whole_numbers_pass_for_floats() -> None:
    recipe = recipe_from_mapping(_mapping(optimiser={"rate": 1}, data={"folders": ["a", "b"]}, network={"layers": 5}))
    assert (recipe.optimiser.rate, type(recipe.optimiser.rate)) == (1.0, float)
    assert (recipe.data.folders, recipe.network.layers) == (("a", "b"), 5)


def test_a_recipe_is_frozen_and_reading_leaves_the_mapping_alone() -> None:
    mapping = _mapping(data={"patch": 16})
    recipe = recipe_from_mapping(mapping)
    assert mapping == _mapping(data={"patch": 16})
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.seed = 3  # type: ignore[misc]
    assert recipe == Recipe(name="n", scale=2, steps=10, data=dataclasses.replace(recipe.data))


def test_files_that_are_no_recipes_are_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"gone\.toml: cannot read"):
        load_recipe(tmp_path / "gone.toml")
    (tmp_path / "bad.toml").write_text("name = ", encoding="utf-8")
    with pytest.raises(OptionError, match=r"bad\.toml: not a TOML recipe"):
        load_recipe(tmp_path / "bad.toml")
    (tmp_path / "bytes.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(OptionError, match=r"bytes\.toml: not a TOML recipe"):
        load_recipe(tmp_path / "bytes.toml")
    (tmp_path / "key.toml").write_text("name = 'n'\nscale = 2\nsteps = 1\nsteeps = 2\n", encoding="utf-8")
    with pytest.raises(OptionError, match=r"key\.toml: steeps is unknown"):
        load_recipe(tmp_path / "key.toml")
