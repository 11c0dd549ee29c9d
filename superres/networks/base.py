"""What every network offers: construction from plain options, a receptive field, and a fused form."""

from __future__ import annotations

import inspect
from typing import Self

from torch import Tensor, nn

from superres.errors import OptionError, near_match

__all__ = ["Network"]


class Network(nn.Module):
    """A super-resolution network: (N, C, H, W) in [0, 1] -> (N, C, scale*H, scale*W), about [0, 1], not clipped.

    Attributes:
        scale: enlargement factor.
        channels: C, 3 for RGB or 1 for one-channel data.
        halo: low-resolution pixels around a window that its result depends on (the receptive field's radius).
    """

    scale: int
    channels: int
    halo: int

    @classmethod
    def from_options(cls, scale: int, options: dict[str, int | float | str | bool]) -> Self:
        """Build from a recipe's options; unknown ones are refused with the nearest known name."""
        known = [name for name in inspect.signature(cls).parameters if name != "scale"]
        for name in options:
            if name not in known:
                raise OptionError(
                    f"option {name!r} is unknown to {cls.__name__}: expected one of {known}{near_match(name, known)}"
                )
        return cls(scale, **options)

    def forward(self, batch: Tensor) -> Tensor:
        """Enlarge a batch.  Shapes and range as in the class description."""
        raise OptionError(f"{type(self).__name__} defines no forward pass")

    def fused(self) -> nn.Module:
        """The deployable form: same results, branches merged, no training-only parts."""
        raise OptionError(f"{type(self).__name__} has no fused form")

    def load_fused(self, convolutions: list[tuple[Tensor, Tensor]]) -> None:
        """Start from a deployed network: (kernel, bias) of its convolutions, in order."""
        raise OptionError(f"{type(self).__name__} cannot start from a deployed network")
