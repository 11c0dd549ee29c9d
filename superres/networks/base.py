"""What every network offers: construction from plain options, a receptive field, and a fused form."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from superres.errors import OptionError, near_match

__all__ = ["Network", "check_choice", "check_range", "in_float32"]


class Network(nn.Module):
    """A super-resolution network: (N, C, H, W) in [0, 1] -> (N, C, scale*H, scale*W), about [0, 1], not clipped.

    Attributes:
        scales: enlargement factors that the architecture supports.
        scale: enlargement factor.
        channels: C, 3 for RGB or 1 for one-channel data.
        inputs: channels that it is given: more than C where a guide comes with the picture.
        halo: low-resolution pixels around a window that its result depends on (the receptive field's radius).
    """

    scales: ClassVar[tuple[int, ...]] = tuple(range(1, 17))

    scale: int
    channels: int
    halo: int

    @property
    def inputs(self) -> int:
        """Channels of the input."""
        return self.channels

    @classmethod
    def from_options(cls, scale: int, options: dict[str, int | float | str | bool]) -> Self:
        """Build from a recipe's options; unknown ones are refused with the nearest known name.

        Raises:
            OptionError: an unknown option, a value of another type or out of its range, or a scale that the
                architecture does not support.
        """
        cls.check_scale(scale)
        known = {name: p.default for name, p in inspect.signature(cls).parameters.items() if name != "scale"}
        for name, value in options.items():
            if name not in known:
                raise OptionError(
                    f"option {name!r} is unknown to {cls.__name__}: expected one of {list(known)}"
                    f"{near_match(name, known)}"
                )
            _check_type(cls.__name__, name, value, type(known[name]))
        return cls(scale, **options)

    @classmethod
    def check_scale(cls, scale: int) -> None:
        """Refuse a scale that the architecture does not support.

        Raises:
            OptionError: naming the supported scales.
        """
        if scale not in cls.scales:
            raise OptionError(f"{cls.__name__}(scale={scale}): expected a scale of {', '.join(map(str, cls.scales))}")

    def forward(self, batch: Tensor) -> Tensor:
        """Enlarge a batch.  Shapes and range as in the class description."""
        raise OptionError(f"{type(self).__name__} defines no forward pass")

    def supervised(self, batch: Tensor) -> list[tuple[int, Tensor]]:
        """What training compares with the truth: (k, output (N, C, k*H, k*W)) pairs whose losses are averaged.

        The last pair is (scale, forward(batch)); an architecture with intermediate results gives them before it.
        """
        return [(self.scale, self(batch))]

    def fused(self) -> nn.Module:
        """The deployable form: same results, branches merged, no training-only parts.

        An architecture with nothing to merge is its own deployable form: a copy, in evaluation mode.
        """
        return copy.deepcopy(self).eval()

    def load_fused(self, convolutions: list[tuple[Tensor, Tensor]]) -> None:
        """Start from a deployed network: (kernel, bias) of all its convolutions, in order, the skip's among them."""
        raise OptionError(f"{type(self).__name__} cannot start from a deployed network")


def check_range(owner: str, name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside ``low .. high``.

    Raises:
        OptionError: with the network, the option, the value and what was expected.
    """
    if not low <= value <= high:
        raise OptionError(f"{owner}: {name} = {value!r}, expected {low} to {high}")


def check_choice(owner: str, name: str, value: int | str, choices: Sequence[int | str]) -> None:
    """Refuse a value that is not among ``choices``.

    Raises:
        OptionError: with the network, the option, the value, the choices and the nearest of them.
    """
    if value not in choices:
        hint = near_match(str(value), map(str, choices))
        raise OptionError(f"{owner}: {name} = {value!r}, expected one of {list(choices)}{hint}")


def in_float32(batch: Tensor) -> torch.autocast:
    """A context without autocast on the device of ``batch``: for what reduced precision would make coarser than 8 bits.

    Inputs must be made float32 by the caller; on export the context leaves no trace.
    """
    return torch.autocast(batch.device.type, enabled=False)


def _check_type(owner: str, name: str, value: object, expected: type) -> None:
    """Whole numbers pass for fractions; truth values pass for nothing else."""
    fits = isinstance(value, int | float) if expected is float else isinstance(value, expected)
    if not fits or isinstance(value, bool) != (expected is bool):
        raise OptionError(f"{owner}: {name} = {value!r}, expected a value of type {expected.__name__}")
