"""Every exception that superres raises on purpose.

::

    SuperresError
    ├── OptionError        an argument, option or recipe value is wrong; nothing was touched   (exit code 1)
    ├── InputError         a picture cannot be used
    │   ├── UnsupportedFormatError   its content is no format that we read
    │   ├── CorruptInputError        it is damaged or lies about itself
    │   └── LimitError               it, or its result, is larger than the limit
    ├── OutputError        a result cannot be written (exists, read-only, disk full)
    ├── ModelError         a model is unknown, damaged, or does not fit its card
    ├── InferenceError     a network failed on a tile; the message names the tile
    ├── TrainingError      training cannot start or go on
    └── MissingExtraError  an optional dependency is absent; the message is the pip command

Each message states the value, what was expected, and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CorruptInputError",
    "InferenceError",
    "InputError",
    "LimitError",
    "MissingExtraError",
    "ModelError",
    "OptionError",
    "OutputError",
    "SuperresError",
    "TrainingError",
    "UnsupportedFormatError",
    "near_match",
]


class SuperresError(Exception):
    """The root of the tree: catch this to catch everything that superres raises on purpose."""


class OptionError(SuperresError):
    """An argument, option or recipe value is wrong."""


class InputError(SuperresError):
    """A picture cannot be used."""


class UnsupportedFormatError(InputError):
    """The content of a file is no format that superres reads."""


class CorruptInputError(InputError):
    """A file is damaged, cut short, or its header does not match its data."""


class LimitError(InputError):
    """A picture, or what it would become, is larger than the limit in force."""


class OutputError(SuperresError):
    """A result cannot be written."""


class ModelError(SuperresError):
    """A model is unknown, damaged, or does not fit its card."""


class InferenceError(SuperresError):
    """A network failed on a tile."""


class TrainingError(SuperresError):
    """Training cannot start or go on."""


class MissingExtraError(SuperresError):
    """An optional dependency is absent.

    Args:
        package: the import name that is missing.
        extra: the extra of superres that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: run  pip install 'superres[{extra}]'")


def near_match(value: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the known name nearest to ``value``, or an empty string."""
    close = difflib.get_close_matches(value, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
