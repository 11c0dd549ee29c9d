"""The reference of recipes in ``docs/training.md``, made from the dataclasses.

``python -m superres.training.reference`` prints it.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from typing import Any

from superres.training.recipe import NetworkOptions, Recipe

__all__ = ["recipe_reference"]


def recipe_reference() -> str:
    """Every key of a recipe with its default and meaning: one Markdown table per TOML table."""
    parts: list[tuple[str, Any]] = [("", Recipe)]
    parts += [
        (f"[{f.name}]", f.default_factory)
        for f in dataclasses.fields(Recipe)
        if f.default_factory is not dataclasses.MISSING
    ]
    return "\n\n".join(_table(title, kind) for title, kind in parts) + "\n"


def _table(title: str, kind: type) -> str:
    meanings = _meanings(kind)
    rows = [
        f"| {_key(kind, f.name)} | {_default(f)} | {meanings[f.name]} |"
        for f in dataclasses.fields(kind)
        if f.default_factory is dataclasses.MISSING  # the tables follow
    ]
    heading = f"### `{title}`\n" if title else "### Before the first table\n"
    return "\n".join([heading, "| key | default | meaning |", "|---|---|---|", *rows])


def _key(kind: type, name: str) -> str:
    """The options of a network are keys themselves."""
    return "any other" if kind is NetworkOptions and name == "options" else f"`{name}`"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    if field.name == "options":
        return "the architecture's"
    value = [*field.default] if isinstance(field.default, tuple) else field.default
    return f"`{json.dumps(value)}`"


def _meanings(kind: type) -> dict[str, str]:
    """Attribute -> text, from the class's docstring; markup of code and references as Markdown."""
    text = inspect.getdoc(kind) or ""
    attributes = text.partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n     .*)*)", attributes, re.MULTILINE)
    return {name: _markdown(re.sub(r"\s+", " ", meaning)) for name, meaning in entries}


def _markdown(text: str) -> str:
    return re.sub(r":\w+:`([^`]*)`", r"`\1`", text.replace("``", "`")).replace("|", r"\|")


if __name__ == "__main__":
    print(recipe_reference(), end="")
