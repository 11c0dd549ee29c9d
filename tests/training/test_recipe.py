from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from superres.errors import OptionError
from superres.training.recipe import DataOptions, LossOptions, NetworkOptions, Recipe
from superres.training.recipe_file import load_recipe, recipe_from_mapping, recipe_to_mapping, recipe_to_toml

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").rglob("*.toml"))


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_project_loads(path: Path) -> None:
    recipe = load_recipe(path)
    # A stage before the last has the name of what comes of it.
    assert recipe.name == re.sub("_(start|second|third)$", "", path.stem)
    assert recipe.name.endswith(f"_x{recipe.scale}")
    if recipe.warm_start.endswith(".toml"):
        assert (path.parent / recipe.warm_start) in RECIPES


def _mapping(**changes: Any) -> dict[str, Any]:
    return {"name": "n", "scale": 2, "steps": 10} | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeed": 1}, "seeed is unknown.*did you mean 'seed'"),
        ({"network": {"feature": 8}}, r"network\.feature is unknown to reparam.*did you mean 'features'"),
        ({"network": {"architecture": "repaam"}}, r"network\.architecture.*did you mean 'reparam'"),
        ({"network": {"architecture": 3}}, r"network\.architecture = 3, expected a value of type str"),
        ({"network": {"architecture": "espcn", "layers": 3}}, r"network\.layers is unknown to espcn"),
        ({"network": {"features": "many"}}, r"network\.features = 'many', expected a value of type int"),
        ({"network": {"features": True}}, r"network\.features = True, expected a value of type int"),
        ({"data": {"ptach": 8}}, r"data\.ptach is unknown.*did you mean 'patch'"),
        ({"optimiser": {"warm": 8}}, r"optimiser\.warm is unknown.*did you mean 'warmup'"),
        ({"steps": "many"}, "steps = 'many', expected a value of type int"),
        ({"steps": 1.5}, "steps = 1.5, expected a value of type int"),
        ({"steps": True}, "steps = True, expected a value of type int"),
        ({"optimiser": {"rate": "fast"}}, r"optimiser\.rate = 'fast', expected a value of type float"),
        ({"data": {"augment": 1}}, r"data\.augment = 1, expected a value of type bool"),
        ({"data": {"folders": "train"}}, r"data\.folders = 'train', expected"),
        ({"data": {"folders": ["train", 3]}}, r"data\.folders\[1\] = 3, expected a value of type str"),
        ({"network": 3}, r"network = 3, expected a table \[network\]"),
        ({"scale": 0}, "scale = 0, expected 1 to 16"),
        ({"scale": 17}, "scale = 17, expected 1 to 16"),
        ({"steps": 0}, "steps = 0, expected at least 1"),
        ({"precision": "fp8"}, "precision = 'fp8', expected one of bf16, fp32, fp16"),
        ({"precision": "fp16"}, "precision = 'fp16', expected bf16 with muon"),
        ({"seed": -1}, "seed = -1, expected 0 to"),
        ({"seed": 2**63}, "seed = 9223372036854775808, expected 0 to"),
        ({"freeze": "head"}, "freeze = 'head', expected a value of type tuple"),
        ({"data": {"patches": [[0.5, 32]]}}, r"data\.patches\[0\] = \[0.5, 32\], expected"),
        ({"data": {"patches": [[0.5, 32, 8.5]]}}, r"data\.patches\[0\] = 8.5, expected a value of type int"),
        ({"data": {"patches": [[0.5, 32, 8], [0.5, 48, 4]]}}, r"data\.patches = .*from between 0 and 1 and rising"),
        ({"data": {"patches": [[1.0, 32, 8]]}}, r"data\.patches = .*from between 0 and 1 and rising"),
        ({"data": {"patches": [[0.5, 4, 8]]}}, r"data\.patches = .*patch at least 8"),
        ({"data": {"planes": "gray"}}, r"data\.planes = 'gray', expected one of colour, grey.*did you mean 'grey'"),
        (
            {"data": {"planes": "grey"}, "loss": {"perceptual": 1, "perceptual_model": "torchvision:vgg19"}},
            r"loss\.perceptual = 1\.0, expected 0 unless data\.planes is 'colour'",
        ),
        ({"data": {"mixup": 1.5}}, r"data\.mixup = 1\.5, expected 0 to 1"),
        ({"loss": {"l3": 1}}, r"loss\.l3 is unknown: expected one of"),
        ({"loss": {"l1": -1}}, r"loss\.l1 = -1\.0, expected at least 0"),
        ({"loss": {"l1": 0}}, r"loss = .*a weight above 0"),
        ({"loss": {"l1": 0, "adversarial": 0.1}}, r"loss = .*a weight above 0"),
        ({"loss": {"perceptual": 1}}, r"loss\.perceptual_model = '', expected a network"),
        ({"loss": {"perceptual_layers": [0]}}, r"loss\.perceptual_layers = \(0,\), expected whole numbers from 1"),
        ({"loss": {"finish_loss": "forier"}}, r"loss\.finish_loss = 'forier'.*did you mean 'fourier'"),
        ({"adversarial": {"kind": "hing"}}, r"adversarial\.kind = 'hing'.*did you mean 'hinge'"),
        ({"adversarial": {"features": 0}}, r"adversarial\.features = 0, expected at least 1"),
        ({"adversarial": {"start": 2}}, r"adversarial\.start = 2\.0, expected 0 to 1"),
        ({"teacher": {"wieght": 2}}, r"teacher\.wieght is unknown.*did you mean 'weight'"),
        ({"optimiser": {"schedule": "cosin"}}, r"optimiser\.schedule = 'cosin'.*did you mean 'cosine'"),
        ({"optimiser": {"final_rate": 1}}, r"optimiser\.final_rate = 1\.0, expected 0 to optimiser\.rate"),
        ({"optimiser": {"clip": -1}}, r"optimiser\.clip = -1\.0, expected at least 0"),
        ({"data": {"patch": 7}}, r"data\.patch = 7, expected at least 8"),
        ({"data": {"batch": 0}}, r"data\.batch = 0, expected at least 1"),
        ({"optimiser": {"name": "adamv"}}, r"optimiser\.name = 'adamv', expected one of.*did you mean 'adam"),
        ({"optimiser": {"rate": 0}}, r"optimiser\.rate = 0\.0, expected above 0"),
        ({"optimiser": {"ema": 1}}, r"optimiser\.ema = 1\.0, expected 0 to 1"),
        ({"loss": {"finish": 1.1}}, r"loss\.finish = 1\.1, expected 0 to 1"),
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
    assert (recipe.data.folders, recipe.network.options) == (("a", "b"), (("layers", 5),))


FULL = _mapping(
    seed=3,
    precision="fp32",
    freeze=["head"],
    network={"architecture": "espcn", "activation": "relu", "features": 8},
    data={"folders": ["a", "ü\x7f"], "patches": [[0.5, 16, 4]], "degradation": "blind", "mixup": 0.25},
    loss={"l1": 0.0, "charbonnier": 1.0, "perceptual_layers": [2, 4], "finish": 0.1},
    adversarial={"kind": "bce"},
    optimiser={"name": "adam", "rate": 1e-05, "schedule": "wsd"},
    teacher={"model": "standard"},
)


def test_a_recipe_comes_back_from_what_was_written(tmp_path: Path) -> None:
    for mapping in (_mapping(), FULL):
        recipe = recipe_from_mapping(mapping)
        (tmp_path / "r.toml").write_text(recipe_to_toml(recipe), encoding="utf-8")
        assert load_recipe(tmp_path / "r.toml") == recipe
    assert recipe_to_mapping(recipe_from_mapping(FULL)) == FULL


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_project_says_the_same_when_written(path: Path) -> None:
    recipe = load_recipe(path)
    again = recipe_from_mapping(recipe_to_mapping(recipe))
    assert recipe_to_mapping(again) == recipe_to_mapping(recipe)


def test_what_is_at_its_default_is_left_out() -> None:
    spelt = recipe_from_mapping(
        _mapping(seed=0, network={"architecture": "reparam", "features": 48}, data={"patch": 48}, loss={"l1": 1})
    )
    assert recipe_to_mapping(spelt) == _mapping(network={"architecture": "reparam"})


def test_sizes_by_the_share_that_is_done() -> None:
    data = DataOptions(patch=32, batch=16, patches=((0.5, 48, 8), (0.75, 64, 4)))
    sizes = [data.sizes(done) for done in (0, 0.499, 0.5, 0.75, 1)]
    assert sizes == [(32, 16), (32, 16), (48, 8), (64, 4), (64, 4)]
    assert data.largest_patch == 64


def test_the_pixel_losses_that_count() -> None:
    assert LossOptions().pixel == {"l1": 1.0}
    assert LossOptions(l1=0, l2=2, fourier=0.05).pixel == {"l2": 2, "fourier": 0.05}
    assert NetworkOptions() == NetworkOptions("reparam", ())


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
