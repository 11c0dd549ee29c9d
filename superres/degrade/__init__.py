"""How low resolution comes about.  A degradation is one file here and one line in :data:`DEGRADATIONS`."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy.typing as npt

from superres.errors import OptionError, near_match

__all__ = ["DEGRADATIONS", "Degradation", "load_degradation"]

#: Name -> "module:function", imported only when asked for.
DEGRADATIONS: dict[str, str] = {
    "bicubic": "superres.degrade.bicubic:degrade",
}


class Degradation(Protocol):
    """(H, W, C) uint8 ground truth, H and W multiples of ``scale`` -> (H/scale, W/scale, C) uint8."""

    def __call__(self, picture: npt.NDArray[Any], scale: int) -> npt.NDArray[Any]:
        """Make the low-resolution picture."""


def load_degradation(name: str) -> Degradation:
    """The degradation called ``name``.  Raises OptionError with the nearest known name."""
    if name not in DEGRADATIONS:
        raise OptionError(
            f"degradation {name!r} is unknown: expected one of {sorted(DEGRADATIONS)}{near_match(name, DEGRADATIONS)}"
        )
    module, _, attribute = DEGRADATIONS[name].partition(":")
    degradation: Degradation = getattr(importlib.import_module(module), attribute)
    return degradation
