"""The model card: what a model file is, where it came from, how good it measured.  TOML beside the ONNX file."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from superres.atomic import replace_file
from superres.errors import ModelError, near_match

__all__ = ["Int8", "ModelCard", "Training", "read_card", "write_card"]


# Fields of a card that are tables of their own, after its plain values.
_TABLES = ("training", "scores", "int8", "recipe")


@dataclass(frozen=True)
class Training:
    """How a model came to be.

    Attributes:
        recipe: file name of the recipe.
        steps: optimiser steps taken.
        minutes: wall time on ``hardware``.
        hardware: what it was trained on.
        seed: of the recipe.
        warm_start: the model that it started from, empty for none.
        versions: of the libraries that decide the result.
        pictures: number of training pictures by licence class.
    """

    recipe: str = ""
    steps: int = 0
    minutes: float = 0.0
    hardware: str = ""
    seed: int = 0
    warm_start: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Int8:
    """The same network with 8-bit weights, in ``{name}_x{scale}.int8.onnx``.

    Attributes:
        sha256: of that file, lower-case hexadecimal; empty where there is none.
        steps: training steps on the quantised network.
        largest: no weight's code is larger, of either sign; processors without VNNI add codes above 64 up wrongly.
        loss: test set, with its degradation where that is another than bicubic as in ``scores`` -> PSNR lost against
            float32, in dB, published protocol.
        shift: test set -> largest change of a picture's mean in one channel against float32, in 8-bit codes.
    """

    sha256: str = ""
    steps: int = 0
    largest: int = 127
    loss: dict[str, float] = field(default_factory=dict)
    shift: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """What a model file is.

    Attributes:
        name: family name that ``--model`` takes: ``standard``, ``realtime``...
        architecture: a key of the table of networks.
        scale: enlargement factor.
        channels: 3 for RGB, 1 for one channel.
        halo: low-resolution pixels around a window that its result depends on.
        parameters: weights in the deployed network.
        gmacs: multiply-accumulates, in 1e9, for a 1280 x 720 result.
        kind: ``faithful`` (fidelity to a clean source), ``restore`` (removes compression and noise), ``guided``
            (sharpens one plane by another one of the result's size, whose samples are further channels of its input),
            ``rows`` (a start for networks that undo thick slices: rows alone grow, and the input has a border of
            ``halo`` that is used up), or ``video`` (one step: three frames and a state in, a frame and the next state
            out).
        licence: of the weights, SPDX.
        sha256: of the ONNX file, lower-case hexadecimal.
        training: where it came from.
        scores: test set -> {"psnr": dB, "ssim": index}, published protocol.
        int8: its 8-bit form.
        recipe: what it was trained by, as the tables of a recipe file without what is at its default.
    """

    name: str
    architecture: str
    scale: int
    channels: int
    halo: int
    parameters: int
    gmacs: float
    kind: str
    licence: str
    sha256: str
    training: Training = field(default_factory=Training)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    int8: Int8 = field(default_factory=Int8)
    recipe: dict[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """File name without suffix: ``standard_x4``."""
        return f"{self.name}_x{self.scale}"

    @property
    def takes_pictures(self) -> bool:
        """Whether it enlarges any single picture, along both axes: no guide, no frames before and after it."""
        return self.kind not in ("guided", "rows", "video")


def read_card(path: Path) -> ModelCard:
    """Read a card.

    Raises:
        ModelError: unreadable, unknown or missing keys, or values of the wrong type.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path}: not a readable model card: {error}") from error
    training = values.pop("training", {})
    scores = values.pop("scores", {})
    int8 = values.pop("int8", {})
    recipe = values.pop("recipe", {})
    tables = {"training": training, "scores": scores, "int8": int8, "recipe": recipe}
    tables |= {f"scores.{name}": entry for name, entry in scores.items()} if isinstance(scores, dict) else {}
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise ModelError(f"{path}: {key} = {value!r}, expected a table")
    _check(values, ModelCard, path, required=True)
    _check(training, Training, path, required=False)
    _check(int8, Int8, path, required=False)
    return ModelCard(**values, training=Training(**training), scores=scores, int8=Int8(**int8), recipe=recipe)


def _check(values: Mapping[str, Any], kind: type, path: Path, *, required: bool) -> None:
    """Refuse unknown keys, missing ones when ``required``, and values of the wrong basic type."""
    basic: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float)}
    fields = {f.name: str(f.type) for f in dataclasses.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            raise ModelError(f"{path}: key {key!r} is unknown{near_match(key, fields)}")
        wanted = basic.get(fields[key], dict)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ModelError(f"{path}: {key} = {value!r}, expected {fields[key]}")
    missing = [key for key in fields if key not in values and key not in _TABLES]
    if required and missing:
        raise ModelError(f"{path}: {missing[0]} is missing from the model card")


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card as TOML, atomically."""
    lines = [f"{f.name} = {_toml(getattr(card, f.name))}" for f in dataclasses.fields(card) if f.name not in _TABLES]
    lines += ["", "[training]"]
    lines += [f"{f.name} = {_toml(getattr(card.training, f.name))}" for f in dataclasses.fields(card.training)]
    lines += ["", "[scores]"]
    lines += [f"{_key(name)} = {_toml(values)}" for name, values in card.scores.items()]
    if card.int8.sha256:
        lines += ["", "[int8]"]
        lines += [f"{f.name} = {_toml(getattr(card.int8, f.name))}" for f in dataclasses.fields(card.int8)]
    if card.recipe:
        lines += ["", "[recipe]", *(f"{_key(name)} = {_toml(value)}" for name, value in card.recipe.items())]
    with replace_file(path) as stream:
        stream.write(("\n".join(lines) + "\n").encode())


def _toml(value: Any) -> str:
    """A value as TOML, which is JSON but for tables, numbers that are not finite, and surrogates."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
