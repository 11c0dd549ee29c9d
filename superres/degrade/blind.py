"""Blind degradation: pictures as people have them, soft, noisy and compressed, drawn anew each time.

The classical model, blur -> resize -> noise -> compression, and with some probability a second round after it, as
when a photograph is scaled and compressed again on its way.  The strengths are milder than in the papers: their
ranges suit pictures that people want enlarged, not the worst that can be found, and a network trained on them does not
smooth what was clean.

References:
    K. Zhang, J. Liang, L. Van Gool, R. Timofte, "Designing a Practical Degradation Model for Deep Blind Image
    Super-Resolution" (BSRGAN), ICCV 2021.
    X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
    Data", ICCVW 2021.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from superres.degrade.applying import apply_steps
from superres.degrade.pictures import Bytes
from superres.degrade.steps import BLURS, CODECS, NOISES, Blur, Codec, Noise, Resize, Ringing, Step
from superres.errors import OptionError, near_match
from superres.resize import KERNELS

__all__ = ["BlindOptions", "degrade", "degrade_blind", "draw_steps"]


@dataclass(frozen=True)
class BlindOptions:
    """What may be drawn.  Ranges are drawn from evenly; mappings give kinds their relative weights.

    Attributes:
        blur: standard deviation of the blur along each axis, in low-resolution pixels: 1 is 2 ground-truth pixels at
            x2 and 4 at x4.
        blur_probability: of a blur.
        blur_kinds: ``gaussian``, ``generalised``, ``plateau``.
        isotropic: share of the blurs that are round.
        generalised_shape, plateau_shape: exponents of those kernels.
        resize_kinds: ``area``, ``bilinear``, ``bicubic``, ``lanczos3``.
        noise: standard deviation at white in 8-bit steps.
        noise_probability: of noise.
        noise_kinds: ``gaussian``, ``poisson``, ``speckle``.
        grey: share of the noise that is equal in all channels.
        quality: of the compression, 1 to 100.
        codec_probability: of a compression.
        codec_kinds: ``jpeg``, ``webp``.
        subsampled: share of the JPEGs with colour at half resolution.
        ringing: cutoff of the sinc filter, in units of pi per low-resolution pixel.
        ringing_probability: of a sinc filter, before or after the last compression.
        second_probability: of a second round.
        second_strength: factor on ``blur`` and ``noise`` there.
        intermediate: size between the rounds, relative to the low-resolution one.

    Raises:
        OptionError: a range, share or weight out of bounds, or an unknown kind.
    """

    blur: tuple[float, float] = (0.0, 1.0)
    blur_probability: float = 0.8
    blur_kinds: Mapping[str, float] = field(
        default_factory=lambda: {"gaussian": 0.7, "generalised": 0.2, "plateau": 0.1}
    )
    isotropic: float = 0.5
    generalised_shape: tuple[float, float] = (0.5, 4.0)
    plateau_shape: tuple[float, float] = (1.0, 2.0)
    resize_kinds: Mapping[str, float] = field(default_factory=lambda: {"bicubic": 0.5, "bilinear": 0.25, "area": 0.25})
    noise: tuple[float, float] = (0.0, 15.0)
    noise_probability: float = 0.8
    noise_kinds: Mapping[str, float] = field(default_factory=lambda: {"gaussian": 0.6, "poisson": 0.3, "speckle": 0.1})
    grey: float = 0.4
    quality: tuple[int, int] = (30, 95)
    codec_probability: float = 0.9
    codec_kinds: Mapping[str, float] = field(default_factory=lambda: {"jpeg": 0.9, "webp": 0.1})
    subsampled: float = 0.7
    ringing: tuple[float, float] = (0.5, 1.0)
    ringing_probability: float = 0.1
    second_probability: float = 0.25
    second_strength: float = 0.5
    intermediate: tuple[float, float] = (0.7, 1.5)

    def __post_init__(self) -> None:
        ranges = {
            "blur": (0, 16),
            "generalised_shape": (0.1, 10),
            "plateau_shape": (0.1, 10),
            "noise": (0, 255),
            "quality": (1, 100),
            "ringing": (0.05, 1),
            "intermediate": (0.25, 4),
        }
        for name, (least, most) in ranges.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise OptionError(f"{name} = ({low}, {high}): expected a range within {least} to {most}")
        for name in ("blur", "noise", "codec", "ringing", "second"):
            _check_share(f"{name}_probability", getattr(self, f"{name}_probability"))
        for name in ("isotropic", "grey", "subsampled", "second_strength"):
            _check_share(name, getattr(self, name))
        _check_kinds("blur_kinds", self.blur_kinds, BLURS)
        _check_kinds("resize_kinds", self.resize_kinds, tuple(KERNELS))
        _check_kinds("noise_kinds", self.noise_kinds, tuple(NOISES))
        _check_kinds("codec_kinds", self.codec_kinds, CODECS)


def degrade(picture: Bytes, scale: int, random: np.random.Generator) -> Bytes:
    """The table's entry: :func:`degrade_blind` with the options it has by default."""
    return degrade_blind(picture, scale, random, defaults())


def drawn(random: np.random.Generator) -> tuple[Step, ...]:
    """What :func:`degrade` does by the same generator."""
    return draw_steps(random, defaults())


def degrade_blind(picture: Bytes, scale: int, random: np.random.Generator, options: BlindOptions) -> Bytes:
    """Degrade one picture in a way that is drawn for it.

    Args:
        picture: uint8 (H, W, C), C 1 or 3, H and W multiples of ``scale``.
        scale: 1 (the size stays) to 16.
        random: decides everything.
        options: what may be drawn.

    Returns:
        uint8 (H/scale, W/scale, C), on the same half-pixel grid as the bicubic reduction: nothing shifts.

    Raises:
        OptionError: a scale out of range, or a side that is no multiple of it.
    """
    height, width = picture.shape[:2]
    if not 1 <= scale <= 16 or height % scale or width % scale:
        raise OptionError(
            f"cannot reduce {width} x {height} pixels by {scale}: expected a scale of 1 to 16 that divides both sides"
        )
    steps = draw_steps(random, options)
    return apply_steps(picture, steps, (height // scale, width // scale), random)


def draw_steps(random: np.random.Generator, options: BlindOptions) -> tuple[Step, ...]:
    """Draw what to do; the scale does not matter, since steps count in low-resolution pixels."""
    second = random.random() < options.second_probability
    relative = math.exp(random.uniform(*np.log(options.intermediate))) if second else 1.0
    first = [*_blur(random, options, 1.0), Resize(relative, _kind(random, options.resize_kinds))]
    noise = _noise(random, options, 1.0)
    if not second:
        return (*first, *noise, *_last(random, options))
    between = [*noise, *_codec(random, options), *_blur(random, options, options.second_strength)]
    back = [Resize(1.0, _kind(random, options.resize_kinds)), *_noise(random, options, options.second_strength)]
    return (*first, *between, *back, *_last(random, options))


@cache
def defaults() -> BlindOptions:
    """Made once: it checks itself, and is asked for with every patch."""
    return BlindOptions()


def _blur(random: np.random.Generator, options: BlindOptions, strength: float) -> list[Step]:
    if random.random() >= options.blur_probability:
        return []
    kind = _kind(random, options.blur_kinds)
    sigmas = random.uniform(*options.blur, size=2) * strength
    if random.random() < options.isotropic:
        sigmas[1] = sigmas[0]
    shapes = {"generalised": options.generalised_shape, "plateau": options.plateau_shape}
    # Shapes below and above 1 (peaked, flat) are as likely on a logarithmic scale.
    shape = math.exp(random.uniform(*np.log(shapes[kind]))) if kind in shapes else 1.0
    return [Blur(kind, (float(sigmas[0]), float(sigmas[1])), random.uniform(0, math.pi), shape)]


def _noise(random: np.random.Generator, options: BlindOptions, strength: float) -> list[Step]:
    if random.random() >= options.noise_probability:
        return []
    sigma = random.uniform(*options.noise) * strength
    return [Noise(_kind(random, options.noise_kinds), sigma, bool(random.random() < options.grey))]


def _codec(random: np.random.Generator, options: BlindOptions) -> list[Step]:
    if random.random() >= options.codec_probability:
        return []
    quality = int(random.integers(options.quality[0], options.quality[1] + 1))
    return [Codec(_kind(random, options.codec_kinds), quality, bool(random.random() < options.subsampled))]


def _last(random: np.random.Generator, options: BlindOptions) -> list[Step]:
    """The last compression, and ringing before or after it."""
    codec = _codec(random, options)
    if random.random() >= options.ringing_probability:
        return codec
    ringing = Ringing(math.pi * random.uniform(*options.ringing))
    return [ringing, *codec] if random.random() < 0.5 else [*codec, ringing]


def _kind(random: np.random.Generator, weights: Mapping[str, float]) -> str:
    names = list(weights)
    edges = np.cumsum([weights[name] for name in names])
    return names[min(int(np.searchsorted(edges, random.random() * edges[-1], side="right")), len(names) - 1)]


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise OptionError(f"{name} = {value}: expected 0 to 1")


def _check_kinds(name: str, weights: Mapping[str, float], known: tuple[str, ...]) -> None:
    for kind, weight in weights.items():
        if kind not in known:
            raise OptionError(f"{name}: {kind!r} is unknown: expected {sorted(known)}{near_match(kind, known)}")
        if not 0 <= weight < math.inf:
            raise OptionError(f"{name}: weight {weight} of {kind!r}, expected 0 or more")
    if not sum(weights.values()) > 0:
        raise OptionError(f"{name}: expected one weight above 0 at least")
