"""Recipes as TOML: read with every key and type checked, written without what is at its default."""

from __future__ import annotations

import dataclasses
import inspect
import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from superres.errors import MissingExtraError, OptionError, near_match
from superres.networks import network_class
from superres.training.recipe import (
    AdversarialOptions,
    DataOptions,
    LossOptions,
    NetworkOptions,
    OptimiserOptions,
    Recipe,
    TeacherOptions,
    Value,
)

__all__ = ["load_recipe", "recipe_from_mapping", "recipe_to_mapping", "recipe_to_toml"]

Part = TypeVar("Part")

_PARTS: dict[str, type] = {
    "data": DataOptions,
    "loss": LossOptions,
    "adversarial": AdversarialOptions,
    "optimiser": OptimiserOptions,
    "teacher": TeacherOptions,
}


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        OptionError: no such file, not TOML, an unknown key (the nearest known one is named), a value out of range.
        MissingExtraError: PyTorch, in which the network's options are declared, is not installed.
    """
    try:
        mapping = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot read the recipe: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: not a TOML recipe: {error}") from error
    return recipe_from_mapping(mapping, where=str(path))


def recipe_from_mapping(mapping: dict[str, Any], where: str = "recipe") -> Recipe:
    """Build a recipe from plain tables; ``where`` names the source in errors.  Raises as :func:`load_recipe`."""
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        if key not in _PARTS and key != "network":
            values[key] = value
        elif not isinstance(value, dict):
            raise OptionError(f"{where}: {key} = {value!r}, expected a table [{key}]")
        elif key == "network":
            values[key] = _network(value, f"{where}: network.")
        else:
            values[key] = _build(_PARTS[key], value, f"{where}: {key}.")
    return _build(Recipe, values, f"{where}: ")


def recipe_to_mapping(recipe: Recipe) -> dict[str, Any]:
    """Plain tables with what differs from its default, so that a key added later changes no older recipe.

    An option of the network that equals its constructor's default is left out too.
    """
    mapping = _changed(recipe)
    defaults = _network_defaults(recipe.network.architecture, "network.")
    table = {name: value for name, value in recipe.network.options if defaults.get(name) != value}
    mapping["network"] = {"architecture": recipe.network.architecture} | dict(sorted(table.items()))
    for key in _PARTS:
        changed = _changed(getattr(recipe, key))
        if changed:
            mapping[key] = changed
    return mapping


def recipe_to_toml(recipe: Recipe) -> str:
    """The recipe as a TOML file that :func:`load_recipe` reads back to an equal training."""
    mapping = recipe_to_mapping(recipe)
    tables = {key: value for key, value in mapping.items() if isinstance(value, dict)}
    # JSON's strings, numbers, truth values and lists are TOML's, but for one character.
    lines = [f"{key} = {_toml(value)}" for key, value in mapping.items() if key not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _changed(part: Any) -> dict[str, Any]:
    """The plain fields of a dataclass that differ from their defaults; tuples as lists."""
    changed = {}
    for f in dataclasses.fields(part):
        value = getattr(part, f.name)
        if not dataclasses.is_dataclass(value) and value != f.default:
            changed[f.name] = _plain(value)
    return changed


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _network(values: dict[str, Any], where: str) -> NetworkOptions:
    """``[network]``: a free table, checked against the architecture's constructor."""
    architecture = _typed(values.get("architecture", "reparam"), "str", f"{where}architecture")
    known = _network_defaults(architecture, where)
    options: dict[str, Value] = {}
    for key, value in values.items():
        if key == "architecture":
            continue
        if key not in known:
            raise OptionError(
                f"{where}{key} is unknown to {architecture}: expected one of {sorted(known)}{near_match(key, known)}"
            )
        options[key] = _typed(value, type(known[key]).__name__, where + key)
    return NetworkOptions(architecture, tuple(sorted(options.items())))


def _network_defaults(architecture: str, where: str) -> dict[str, Value]:
    """The options of an architecture's constructor and their defaults."""
    try:
        parameters = inspect.signature(network_class(architecture)).parameters
    except OptionError as error:
        raise OptionError(f"{where}architecture: {error}") from error
    except ImportError as error:
        raise MissingExtraError("torch", "train") from error
    return {name: parameter.default for name, parameter in parameters.items() if name != "scale"}


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
    """Check a TOML value against a declared type; whole numbers pass for floats, lists for tuples."""
    inner = kind.removeprefix("tuple[").removesuffix("]")
    if kind.endswith("Options") and dataclasses.is_dataclass(value):
        return value
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind in ("str", "bool") and isinstance(value, {"str": str, "bool": bool}[kind]):
        return value
    if kind != inner and isinstance(value, list | tuple):
        if inner.endswith(", ..."):
            return tuple(_typed(item, inner.removesuffix(", ..."), f"{where}[{i}]") for i, item in enumerate(value))
        kinds = inner.split(", ")
        if len(kinds) == len(value):
            return tuple(_typed(item, one, where) for item, one in zip(value, kinds, strict=True))
    raise OptionError(f"{where} = {value!r}, expected a value of type {kind}")
