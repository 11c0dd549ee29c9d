"""From a training run to a shipped model: ONNX file and card, side by side."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from superres.degrade import load_degradation
from superres.deploy.export import export_onnx, signature
from superres.networks.base import Network
from superres.training.recipe import Recipe
from superres.training.recipe_file import recipe_to_mapping
from superres.zoo import ModelCard, Training, write_card

__all__ = ["Provenance", "licence_counts", "multiply_accumulates", "parameter_count", "ship"]


@dataclass(frozen=True)
class Provenance:
    """What a card tells of a training beside its recipe.

    Attributes:
        recipe: file name of the recipe.
        steps: optimiser steps taken.
        minutes: wall time.
        pictures: number of training pictures by licence class.
    """

    recipe: str
    steps: int
    minutes: float
    pictures: dict[str, int]


def parameter_count(network: Network) -> int:
    """Weights and biases of the deployed form."""
    return sum(p.numel() for p in network.fused().parameters())


def multiply_accumulates(network: Network) -> float:
    """Multiply-accumulates of the deployed form for a 1280 x 720 result, in 1e9.

    Counted on a small picture: every convolution and matrix product, each at the resolution that it runs at.
    """
    deployed, (inputs, _, _) = network.fused(), signature(network)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        deployed(*inputs)
    batch, _, height, width = inputs[0].shape
    per_pixel = counter.get_total_flops() / 2 / (batch * height * width)
    return float(per_pixel * (1280 / network.scale) * (720 / network.scale) / 1e9)


def licence_counts(table: Path, folder: str = "") -> dict[str, int]:
    """Tiles per licence class from a LICENCES.tsv whose header names a column ``licence_class``.

    A table of another form says nothing of them; nor does a row without that column.

    Args:
        table: its first column is a tile's path from where it lies.
        folder: beside it; only tiles of this one are counted.  Empty for all.
    """
    text = table.read_text(encoding="utf-8", errors="replace")
    header, *rows = [line.split("\t") for line in text.splitlines() if line] or [[]]
    if "licence_class" not in header:
        return {}
    column, beginning = header.index("licence_class"), f"{folder}/" if folder else ""
    told = (row[column] for row in rows if len(row) > column and row[0].startswith(beginning))
    return dict(sorted(Counter(told).items()))


def ship(network: Network, recipe: Recipe, provenance: Provenance, folder: Path) -> ModelCard:
    """Write ``{name}_x{scale}.onnx`` and its card into ``folder``.

    Args:
        network: trained, with the averaged weights.
        recipe: what it was trained by; its name is ``{family}_x{scale}``.
        provenance: the rest of the card's ``[training]``.
        folder: usually the zoo.

    Raises:
        OutputError: a file cannot be written; the old ones stay.
    """
    family = recipe.name.removesuffix(f"_x{recipe.scale}")
    target = folder / f"{family}_x{recipe.scale}.onnx"
    export_onnx(network, target)
    card = ModelCard(
        name=family,
        architecture=recipe.network.architecture,
        scale=recipe.scale,
        channels=network.channels,
        halo=network.halo,
        parameters=parameter_count(network),
        gmacs=round(multiply_accumulates(network), 2),
        kind=_kind(recipe),
        licence="Apache-2.0",
        sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
        training=Training(
            recipe=provenance.recipe,
            steps=provenance.steps,
            minutes=round(provenance.minutes, 1),
            hardware=_hardware(),
            seed=recipe.seed,
            warm_start=recipe.warm_start,
            versions={"torch": torch.__version__, "python": platform.python_version()},
            pictures=provenance.pictures,
        ),
        recipe=recipe_to_mapping(recipe),
    )
    write_card(card, target.with_suffix(".toml"))
    return card


def _kind(recipe: Recipe) -> str:
    """What the network is for; see :class:`superres.zoo.ModelCard`."""
    if recipe.data.frames:
        return "video"
    if recipe.data.planes in ("guided", "rows"):
        return recipe.data.planes
    return "restore" if load_degradation(recipe.data.degradation).random else "faithful"


def _hardware() -> str:
    """What :func:`superres.training.device.make_fabric` trains on here."""
    if torch.cuda.is_available():
        return f"GPU, {torch.cuda.get_device_name()}"
    return f"CPU, {torch.get_num_threads()} cores"
