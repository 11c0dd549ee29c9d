"""Recipe: the frozen description of one training, read from TOML; unknown keys are refused."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from superres.errors import OptionError, near_match

__all__ = ["DataOptions", "NetworkOptions", "OptimiserOptions", "Recipe", "load_recipe", "recipe_from_mapping"]

Part = TypeVar("Part")


@dataclass(frozen=True)
class NetworkOptions:
    """``[network]``: the architecture and its constructor options.

    Attributes:
        architecture: a key of :data:`superres.networks.NETWORKS`.
        features, layers, expansion: see :class:`superres.networks.reparam.ReparamNet`.
    """

    architecture: str = "reparam"
    features: int = 48
    layers: int = 12
    expansion: int = 2


@dataclass(frozen=True)
class DataOptions:
    """``[data]``: which pictures, and how pairs are cut from them.

    Attributes:
        folders: folders of pictures, searched recursively; relative ones are taken from the ``--data`` folder.
        degradation: a key of :data:`superres.degrade.DEGRADATIONS`.
        patch: low-resolution patch size in pixels.
        batch: patches per step.
        augment: flips and quarter turns.
    """

    folders: tuple[str, ...] = ("train",)
    degradation: str = "bicubic"
    patch: int = 48
    batch: int = 16
    augment: bool = True


@dataclass(frozen=True)
class OptimiserOptions:
    """``[optimiser]``: the step.

    Attributes:
        name: ``muon`` (hidden kernels by Muon, the rest by AdamW) or ``adamw``.
        rate: peak learning rate; cosine to zero after a linear warm-up.
        warmup: steps of linear warm-up.
        clip: largest gradient norm.
        ema: decay of the averaged weights, which are the ones exported.
        loss: ``l1``, ``l2`` or ``charbonnier``.
        finish_l2: the share of steps at the end that use L2 instead (PSNR's own loss); 0 leaves it out.
    """

    name: str = "muon"
    rate: float = 2e-3
    warmup: int = 200
    clip: float = 0.5
    ema: float = 0.999
    loss: str = "l1"
    finish_l2: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training gives.

    Attributes:
        name: of the model file, e.g. ``standard_x4``.
        scale: enlargement factor.
        steps: optimiser steps.
        seed: of every random choice; batch ``k`` depends on (seed, k) alone, so a resumed run is the same run.
        precision: ``bf16`` or ``fp32`` arithmetic.
        warm_start: a shipped model such as ``standard_x4`` whose layers are the start; empty for none.
        network, data, optimiser: the parts.
    """

    name: str
    scale: int
    steps: int
    seed: int = 0
    precision: str = "bf16"
    warm_start: str = ""
    network: NetworkOptions = field(default_factory=NetworkOptions)
    data: DataOptions = field(default_factory=DataOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)

    def __post_init__(self) -> None:
        checks = [
            ("scale", self.scale, 1 <= self.scale <= 16, "1 to 16"),
            ("steps", self.steps, self.steps >= 1, "at least 1"),
            ("precision", self.precision, self.precision in ("bf16", "fp32"), "bf16 or fp32"),
            ("data.patch", self.data.patch, self.data.patch >= 8, "at least 8"),
            ("data.batch", self.data.batch, self.data.batch >= 1, "at least 1"),
            ("optimiser.name", self.optimiser.name, self.optimiser.name in ("muon", "adamw"), "muon or adamw"),
            ("optimiser.rate", self.optimiser.rate, self.optimiser.rate > 0, "above 0"),
            ("optimiser.ema", self.optimiser.ema, 0 <= self.optimiser.ema < 1, "0 to 1"),
            ("optimiser.finish_l2", self.optimiser.finish_l2, 0 <= self.optimiser.finish_l2 <= 1, "0 to 1"),
        ]
        for key, value, good, expected in checks:
            if not good:
                raise OptionError(f"recipe {self.name!r}: {key} = {value!r}, expected {expected}")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        OptionError: no such file, not TOML, an unknown key (the nearest known one is named), a value out of range.
    """
    try:
        mapping = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot read the recipe: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: not a TOML recipe: {error}") from error
    return recipe_from_mapping(mapping, where=str(path))


def recipe_from_mapping(mapping: dict[str, Any], where: str = "recipe") -> Recipe:
    """Build a recipe from plain tables; ``where`` names the source in errors."""
    parts = {"network": NetworkOptions, "data": DataOptions, "optimiser": OptimiserOptions}
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        if key in parts:
            if not isinstance(value, dict):
                raise OptionError(f"{where}: {key} = {value!r}, expected a table [{key}]")
            values[key] = _build(parts[key], value, f"{where}: {key}.")
        else:
            values[key] = value
    return _build(Recipe, values, f"{where}: ")


def _build(kind: type[Part], values: dict[str, Any], where: str) -> Part:
    """Make a frozen dataclass from a mapping, refusing unknown keys and wrong types."""
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    ready: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            raise OptionError(f"{where}{key} is unknown: expected one of {sorted(fields)}{near_match(key, fields)}")
        ready[key] = _typed(value, str(fields[key].type), where + key)
    missing = [
        name
        for name, f in fields.items()
        if name not in ready and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise OptionError(f"{where}{missing[0]} is missing")
    return kind(**ready)


def _typed(value: Any, kind: str, where: str) -> Any:
    """Check a TOML value against a field's declared type; whole numbers pass for floats."""
    if kind == "tuple[str, ...]":
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
    elif kind == "float":
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif kind == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind in ("str", "bool"):
        if isinstance(value, {"str": str, "bool": bool}[kind]):
            return value
    else:
        return value
    raise OptionError(f"{where} = {value!r}, expected a value of type {kind}")
