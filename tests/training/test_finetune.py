from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from superres.deploy.ship import parameter_count
from superres.errors import ModelError, OptionError
from superres.training.checkpoint import make_network
from superres.training.finetune import FinetuneOptions, finetune_recipe
from superres.training.recipe_file import recipe_from_mapping, recipe_to_mapping
from superres.zoo import ZOO, ModelCard, list_cards, read_card, write_card

CARDS = list_cards()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_every_shipped_card_says_the_recipe_of_its_network(card: ModelCard) -> None:
    recipe = recipe_from_mapping(card.recipe)
    assert (recipe.name, recipe.scale) == (card.stem, card.scale)
    assert parameter_count(make_network(recipe)) == card.parameters


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Cards of a family ``mine`` at x2 and x3."""
    for scale, shipped in ((2, "realtime_x2"), (3, "realtime_x3")):
        card = read_card(ZOO / f"{shipped}.toml")
        mapping = card.recipe | {"data": {"degradation": "blind"}, "optimiser": {"name": "adam"}, "precision": "fp32"}
        write_card(replace(card, name="mine", recipe=mapping), tmp_path / f"mine_x{scale}.toml")
    return tmp_path


def test_it_goes_on_from_the_model_of_that_scale(folder: Path) -> None:
    options = FinetuneOptions(steps=50, rate=1e-4, freeze=("head",), patch=16, batch=2)
    recipe = finetune_recipe(f"{folder}/mine", 2, options)
    assert (recipe.name, recipe.scale, recipe.steps, recipe.freeze) == ("mine-tuned_x2", 2, 50, ("head",))
    assert recipe.warm_start == f"{folder}/mine_x2"
    origin = recipe_from_mapping(read_card(ZOO / "realtime_x2.toml").recipe)
    assert recipe.network == origin.network
    assert dict(recipe.network.options).items() >= {"features": 28, "layers": 6}.items()
    assert (recipe.data.folders, recipe.data.degradation, recipe.data.patch) == ((".",), "blind", 16)
    assert (recipe.optimiser.name, recipe.optimiser.rate, recipe.optimiser.warmup) == ("adam", 1e-4, 5)
    assert recipe.precision == "fp32"
    assert recipe_from_mapping(recipe_to_mapping(recipe)) == recipe


def test_bf16_becomes_fp32_where_it_would_be_imitated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    for has, chosen in ((False, "fp32"), (True, "bf16")):
        monkeypatch.setattr("superres.training.device.has_bf16", lambda has=has: has)
        assert recipe_from_mapping(read_card(ZOO / "realtime_x3.toml").recipe).precision == "bf16"
        assert finetune_recipe("realtime", 3, FinetuneOptions()).precision == chosen
        assert finetune_recipe("realtime", 3, FinetuneOptions(precision="bf16")).precision == "bf16"


def test_fp16_goes_with_adamw_where_the_model_had_muon() -> None:
    assert recipe_from_mapping(read_card(ZOO / "realtime_x2.toml").recipe).optimiser.name == "muon"
    assert finetune_recipe("realtime", 2, FinetuneOptions(precision="fp16")).optimiser.name == "adamw"
    assert finetune_recipe("realtime", 2, FinetuneOptions(precision="fp32")).optimiser.name == "muon"


def test_another_scale_starts_from_the_largest_there_is(folder: Path) -> None:
    recipe = finetune_recipe(f"{folder}/mine", 4, FinetuneOptions(name="other", degradation="bicubic"))
    assert (recipe.name, recipe.warm_start) == ("other_x4", f"{folder}/mine_x3")
    assert recipe.data.degradation == "bicubic"


def test_what_cannot_be_continued_is_told(folder: Path) -> None:
    with pytest.raises(ModelError, match="did you mean 'mine'"):
        finetune_recipe(f"{folder}/mien", 2, FinetuneOptions())
    for name in ("mine", "a/b", "auto"):
        with pytest.raises(OptionError, match=f"name '{name}': expected a name without folders"):
            finetune_recipe(f"{folder}/mine", 2, FinetuneOptions(name=name))
    with pytest.raises(OptionError, match=r"optimiser\.rate = 0"):
        finetune_recipe(f"{folder}/mine", 2, FinetuneOptions(rate=0))
    path = folder / "mine_x2.toml"
    write_card(replace(read_card(path), recipe={}), path)
    with pytest.raises(ModelError, match="mine_x2: its card does not say the recipe"):
        finetune_recipe(f"{folder}/mine", 2, FinetuneOptions())
