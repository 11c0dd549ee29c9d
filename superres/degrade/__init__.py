"""How low resolution comes about.  A degradation is one file here and one line in :data:`DEGRADATIONS`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.degrade.steps import Step
from superres.errors import OptionError, near_match

__all__ = ["DEGRADATIONS", "Degradation", "load_degradation"]


@dataclass(frozen=True)
class Degradation:
    """One entry of the table.

    Attributes:
        location: "module:function", imported only when called; the function takes (picture, scale, random).
        random: whether two calls differ by their generators, so that training draws anew for every patch; otherwise
            the low resolution of a picture is made once.
    """

    location: str
    random: bool

    def __call__(
        self, picture: npt.NDArray[Any], scale: int, random: np.random.Generator | None = None
    ) -> npt.NDArray[Any]:
        """Make the low-resolution picture.

        Args:
            picture: ground truth, uint8 (H, W, C), H and W multiples of ``scale``; left as it is.
            scale: 1 or more.
            random: decides what a random degradation does; others need none.

        Returns:
            uint8 (H/scale, W/scale, C); the same for the same arguments and state of the generator.

        Raises:
            OptionError: no generator for a random degradation.
        """
        if self.random and random is None:
            raise OptionError("this degradation is random: give it a seeded numpy.random.Generator")
        module, _, attribute = self.location.partition(":")
        low: npt.NDArray[Any] = getattr(importlib.import_module(module), attribute)(picture, scale, random)
        return low

    def steps(self, random: np.random.Generator) -> tuple[Step, ...]:
        """What a random degradation does by a generator in this state, by its module's ``drawn``."""
        drawn: tuple[Step, ...] = importlib.import_module(self.location.partition(":")[0]).drawn(random)
        return drawn


#: Every degradation by name.
DEGRADATIONS: dict[str, Degradation] = {
    "bicubic": Degradation("superres.degrade.bicubic:degrade", random=False),
    "blind": Degradation("superres.degrade.blind:degrade", random=True),
    "everyday": Degradation("superres.degrade.everyday:degrade", random=True),
}


def load_degradation(name: str) -> Degradation:
    """The degradation called ``name``.  Raises OptionError with the nearest known name."""
    if name not in DEGRADATIONS:
        raise OptionError(
            f"degradation {name!r} is unknown: expected one of {sorted(DEGRADATIONS)}{near_match(name, DEGRADATIONS)}"
        )
    return DEGRADATIONS[name]
