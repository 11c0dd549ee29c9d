"""Transfer learning: a recipe that goes on from a trained model on other pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from superres.errors import ModelError, OptionError
from superres.training.device import imitated
from superres.training.recipe import DataOptions, OptimiserOptions, Recipe
from superres.training.recipe_file import recipe_from_mapping
from superres.zoo import ModelCard, find_model, list_cards, locate

__all__ = ["FinetuneOptions", "finetune_recipe"]


@dataclass(frozen=True)
class FinetuneOptions:
    """What a user may choose.

    Attributes:
        name: of the new model's family; empty for ``{model}-tuned``.
        steps: optimiser steps.
        rate: peak learning rate.
        freeze: beginnings of the names of parameters that stay as they are.
        patch: low-resolution patch size; every picture must hold one.
        batch: patches per step.
        degradation: how low resolution comes about; empty for that of the model.
        seed: of every random choice.
        precision: ``bf16``, ``fp32`` or ``fp16``; empty for that of the model, but fp32 where its bf16 would be
            imitated.
    """

    name: str = ""
    steps: int = 2000
    rate: float = 5e-4
    freeze: tuple[str, ...] = ()
    patch: int = 48
    batch: int = 16
    degradation: str = ""
    seed: int = 1
    precision: str = ""


def finetune_recipe(model: str, scale: int, options: FinetuneOptions) -> Recipe:
    """The recipe that continues a model on pictures that lie directly in the ``--data`` folder.

    Args:
        model: a shipped family such as ``standard``, or ``FOLDER/NAME``.  One without this scale starts from its
            largest other one: all but the last layers are taken over.
        scale: enlargement factor of the new model.
        options: the choices.

    Raises:
        ModelError: no such model, or one whose card does not say its recipe.
        OptionError: a choice out of its range.
    """
    folder, family = locate(model)
    if "/" in options.name or options.name in (family, "auto"):
        raise OptionError(
            f"name {options.name!r}: expected a name without folders, other than the model's own and than 'auto'"
        )
    card = _start(family, scale, folder)
    if not card.recipe:
        raise ModelError(f"{card.stem}: its card does not say the recipe, so its layers are not known; train anew")
    origin = recipe_from_mapping(card.recipe, where=f"card of {card.stem}")
    # Muon knows no gradients that are scaled up, as those of fp16 are.
    optimiser = "adamw" if (options.precision, origin.optimiser.name) == ("fp16", "muon") else origin.optimiser.name
    return Recipe(
        name=f"{options.name or f'{family}-tuned'}_x{scale}",
        scale=scale,
        steps=options.steps,
        seed=options.seed,
        precision=options.precision or ("fp32" if imitated(origin.precision) else origin.precision),
        warm_start=f"{model}_x{card.scale}",
        freeze=options.freeze,
        network=origin.network,
        data=DataOptions(
            folders=(".",),
            degradation=options.degradation or origin.data.degradation,
            planes=origin.data.planes,
            frames=origin.data.frames,
            patch=options.patch,
            batch=options.batch,
        ),
        optimiser=OptimiserOptions(name=optimiser, rate=options.rate, warmup=min(100, options.steps // 10)),
    )


def _start(family: str, scale: int, folder: Path) -> ModelCard:
    """The model of this scale, or else the family's largest one."""
    scales = [card.scale for card in list_cards(folder) if card.name == family]
    return find_model(family, scale if scale in scales else max(scales, default=scale), folder)
