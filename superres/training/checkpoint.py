"""Checkpoints: the whole state of a training in one file that appears whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from superres.atomic import replace_file
from superres.errors import OptionError, TrainingError
from superres.networks import build_network
from superres.networks.base import Network
from superres.networks.rows import RowNetwork
from superres.networks.temporal import TemporalNetwork
from superres.training.patches import PLANES
from superres.training.recipe import Recipe
from superres.training.recipe_file import recipe_from_mapping, recipe_to_mapping
from superres.training.warm import warm_start

__all__ = [
    "averaged",
    "make_network",
    "read_checkpoint",
    "same_recipe",
    "step_reached",
    "trained_network",
    "write_checkpoint",
]

_KEYS = {"recipe", "step", "network", "average", "optimisers"}


def make_network(recipe: Recipe) -> Network:
    """The untrained network of a recipe, initialised from its seed.

    Raises:
        OptionError: an option out of its range, or a network that does not take the planes of ``data.planes``.
    """
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.network.architecture, recipe.scale, dict(recipe.network.options))
    planes = PLANES[recipe.data.planes]
    if (network.inputs, network.channels) != (planes.inputs(recipe.scale), planes.high):
        raise OptionError(
            f"network.channels = {network.channels} with data.planes = {recipe.data.planes!r}: expected {planes.high}"
            + (", and a network that takes a guide" if planes.guides else " and no guide" if planes.high == 1 else "")
        )
    if isinstance(network, RowNetwork) != planes.rows:
        raise OptionError(
            f"network.architecture = {recipe.network.architecture!r} with data.planes = {recipe.data.planes!r}: "
            "networks of rows are trained on 'rows', and no others"
        )
    if isinstance(network, TemporalNetwork) != bool(recipe.data.frames):
        raise OptionError(
            f"network.architecture = {recipe.network.architecture!r} with data.frames = {recipe.data.frames}: networks "
            "of video are trained on frames, others on pictures (0 frames)"
        )
    return network


def averaged(recipe: Recipe, network: Network, average: list[Tensor]) -> Network:
    """A copy of a network that holds the averaged weights, in evaluation mode on the CPU.

    What is not a weight, such as the statistics of BatchNorm, is the network's own.  The warm start's weights keep
    their ``warm_share``.
    """
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    names = [name for name, _ in network.named_parameters()]
    copy = make_network(recipe)
    copy.load_state_dict(state | {name: value.cpu() for name, value in zip(names, average, strict=True)})
    if recipe.warm_share:
        start = make_network(recipe)
        warm_start(start, recipe.warm_start)
        with torch.no_grad():
            for ours, theirs in zip(copy.parameters(), start.parameters(), strict=True):
                ours.lerp_(theirs, recipe.warm_share)
    return copy.eval()


def write_checkpoint(path: Path, recipe: Recipe, state: dict[str, Any]) -> None:
    """Write a checkpoint beside its target and rename it.

    Args:
        path: the file.
        recipe: of the training; kept as plain tables.
        state: ``step``, ``network``, ``average``, ``optimisers`` and what else is to be found again.

    Raises:
        OutputError: it cannot be written; the last good one is kept.
    """
    # In memory first: torch hides the reason when the stream that it writes to fails.
    contents = io.BytesIO()
    torch.save({"recipe": recipe_to_mapping(recipe), **state}, contents)
    with replace_file(path) as stream:
        stream.write(contents.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What :func:`write_checkpoint` wrote, on the CPU; only tensors and plain values are accepted.

    Raises:
        TrainingError: no such file, or not a checkpoint of superres.
    """
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise TrainingError(f"{path}: cannot read the checkpoint: {error.strerror}") from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise TrainingError(f"{path}: damaged checkpoint ({error}); remove it to start anew") from error
    if not isinstance(state, dict) or _KEYS - state.keys() or not isinstance(state["recipe"], dict):
        raise TrainingError(f"{path}: damaged checkpoint (not one of superres); remove it to start anew")
    return state


def step_reached(path: Path) -> int:
    """The step that a run's checkpoint holds, 0 where there is none.  Raises as :func:`read_checkpoint`."""
    return int(read_checkpoint(path)["step"]) if path.exists() else 0


def same_recipe(state: dict[str, Any], recipe: Recipe) -> bool:
    """Whether a checkpoint belongs to a recipe, whichever of the two spells out its defaults."""
    try:
        return recipe_to_mapping(recipe_from_mapping(state["recipe"])) == recipe_to_mapping(recipe)
    except OptionError:  # a key that this version does not know
        return False


def trained_network(path: Path) -> Network:
    """The averaged network of a checkpoint, in evaluation mode.

    Raises:
        TrainingError: as :func:`read_checkpoint`.
        OptionError: its recipe is none of this version.
    """
    state = read_checkpoint(path)
    recipe = recipe_from_mapping(state["recipe"], where=str(path))
    network = make_network(recipe)
    network.load_state_dict(state["network"])
    return averaged(recipe, network, state["average"])
