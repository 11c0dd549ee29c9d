"""A degradation as a list of steps: what is to be done, apart from doing it.

Steps are plain values, so that a degradation can be drawn once, written into a table, and applied again.  Lengths are
in pixels of the result (the low-resolution grid), whatever the size that a step works at.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from superres.degrade.kernels import Kernel, generalised_gaussian_kernel, plateau_kernel, sinc_kernel
from superres.errors import OptionError, near_match
from superres.resize import KERNELS

__all__ = [
    "BLURS",
    "CODECS",
    "NOISES",
    "Blur",
    "Codec",
    "Noise",
    "Resize",
    "Ringing",
    "Step",
    "describe",
]

#: Kinds of blur, noise and codec that steps may name.
BLURS = ("gaussian", "generalised", "plateau")
NOISES = ("gaussian", "poisson", "speckle")
CODECS = ("jpeg", "webp")

# In pixels of the picture at hand.  A narrower kernel is its centre sample alone; and the narrow axis of a wide one is
# no narrower than a pixel's own footprint.
_SMALLEST_SIGMA, _FOOTPRINT = 0.15, 0.5


@dataclass(frozen=True)
class Blur:
    """Blur with a kernel of :mod:`superres.degrade.kernels`.

    Attributes:
        kind: ``gaussian``, ``generalised`` or ``plateau``.
        sigmas: along the two axes, in pixels of the result.
        angle: radians.
        shape: exponent of the generalised and plateau kernels.
    """

    kind: str
    sigmas: tuple[float, float]
    angle: float = 0.0
    shape: float = 1.0

    def __post_init__(self) -> None:
        _check_kind("blur", self.kind, BLURS)

    def kernel(self, ratio: float) -> Kernel | None:
        """The kernel where one pixel of the result spans ``ratio`` pixels; None when it is no wider than one."""
        widths = [sigma * ratio for sigma in self.sigmas]
        if max(widths) < _SMALLEST_SIGMA:
            return None
        least = min(_FOOTPRINT, max(widths))
        first, second = (max(width, least) for width in widths)
        if self.kind == "plateau":
            return plateau_kernel(first, second, self.angle, shape=self.shape)
        shape = 1.0 if self.kind == "gaussian" else self.shape
        return generalised_gaussian_kernel(first, second, self.angle, shape=shape)

    def __str__(self) -> str:
        shape = "" if self.kind == "gaussian" else f" shape {self.shape:.2f}"
        return f"{self.kind} blur {self.sigmas[0]:.2f}/{self.sigmas[1]:.2f} at {math.degrees(self.angle):.0f}°{shape}"


@dataclass(frozen=True)
class Ringing:
    """Cut high frequencies off sharply.

    Attributes:
        cutoff: radians per pixel of the result, above 0 up to pi.
    """

    cutoff: float

    def kernel(self, ratio: float) -> Kernel | None:
        """The sinc kernel, two of its periods in every direction; None where nothing lies above the cutoff."""
        cutoff = self.cutoff / ratio
        return None if cutoff >= math.pi else sinc_kernel(cutoff, min(64, math.ceil(4 * math.pi / cutoff)))

    def __str__(self) -> str:
        return f"sinc {self.cutoff / math.pi:.2f} pi"


@dataclass(frozen=True)
class Resize:
    """Resize to ``relative`` times the result's size with ``kernel`` (a key of :data:`superres.resize.KERNELS`)."""

    relative: float = 1.0
    kernel: str = "bicubic"

    def __post_init__(self) -> None:
        _check_kind("resize", self.kernel, KERNELS)

    def __str__(self) -> str:
        return f"{self.kernel} to {self.relative:.2f}"


@dataclass(frozen=True)
class Noise:
    """Noise of ``kind`` (``gaussian``, ``poisson`` or ``speckle``); ``sigma`` in 8-bit steps at white."""

    kind: str
    sigma: float
    grey: bool = False

    def __post_init__(self) -> None:
        _check_kind("noise", self.kind, NOISES)

    def __str__(self) -> str:
        return f"{'grey ' if self.grey else ''}{self.kind} noise {self.sigma:.1f}"


@dataclass(frozen=True)
class Codec:
    """Compression by ``kind`` (``jpeg`` or ``webp``) at ``quality`` 1 to 100; WebP always subsamples colour."""

    kind: str
    quality: int
    subsampled: bool = True

    def __post_init__(self) -> None:
        _check_kind("codec", self.kind, CODECS)

    def __str__(self) -> str:
        return f"{self.kind} {self.quality}" + ("" if self.subsampled or self.kind == "webp" else " 4:4:4")


Step = Blur | Ringing | Resize | Noise | Codec


def describe(steps: Sequence[Step]) -> str:
    """The steps in words, for tables.

    >>> describe([Blur("gaussian", (0.5, 0.5)), Resize(), Noise("gaussian", 4), Codec("jpeg", 60)])
    'gaussian blur 0.50/0.50 at 0°, bicubic to 1.00, gaussian noise 4.0, jpeg 60'
    """
    return ", ".join(str(step) for step in steps)


def _check_kind(what: str, kind: str, known: Collection[str]) -> None:
    if kind not in known:
        raise OptionError(f"{what} {kind!r} is unknown: expected one of {sorted(known)}{near_match(kind, known)}")
