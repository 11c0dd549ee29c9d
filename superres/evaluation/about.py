"""What must be said beside scores so that they can be understood and made again: protocol, models, versions."""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from superres import __version__
from superres.backends.ensemble import TURNS
from superres.evaluation.enlargers import BICUBIC
from superres.evaluation.runner import Settings
from superres.image import Image
from superres.pipeline import Options, Upscaler
from superres.zoo import ModelCard

__all__ = ["About", "about"]

_LOW = {
    "bicubic": "Low resolution: MATLAB imresize bicubic with antialiasing, 8 bit.",
    "measurement": (
        "Low resolution: round blur of 0 to 1 pixel, bicubic reduction, noise of 0 to 15 steps of 255, JPEG of "
        "quality 30 to 90 with 4:2:0 colour; strengths fixed by each picture's place in its set."
    ),
    "blind": "Low resolution: the random degradation of training, seeded by each picture's place in its set.",
    "everyday": "Low resolution: half of the pictures as blind, half hardly degraded, seeded by each picture's place.",
}
# What a reader must know of a metric beyond its name.
_NOTES = {
    "psnr": "PSNR on BT.601 luma (16-235).",
    "ssim": "SSIM on BT.601 luma: Gaussian window 11x11, sigma 1.5.",
    "ms-ssim": "MS-SSIM on BT.601 luma: five scales (Wang 2003).",
    "sam": "SAM: mean spectral angle of RGB, in degrees.",
    "ergas": "ERGAS on RGB (Wald 2000).",
    "consistency": "Consistency: PSNR of RGB, the result reduced by MATLAB bicubic against the input; no border cut.",
    "niqe": "NIQE without a reference, on luma: values compare with each other, not with published ones (own model).",
    "lpips": "LPIPS on RGB: AlexNet, version 0.1.",
    "dists": "DISTS on RGB: VGG-16, pictures at their own size.",
}


@dataclass(frozen=True)
class About:
    """What stands beside scores.

    Attributes:
        protocol: sentences.
        cards: of the networks that ran, each once.
        versions: of the software that decides the result.
    """

    protocol: Sequence[str]
    cards: Sequence[ModelCard]
    versions: Mapping[str, str]


def about(settings: Settings, low: Path | None = None) -> About:
    """Describe an evaluation.

    Args:
        settings: what was evaluated.
        low: the folder that low resolution was read from, if it was.
    """
    made = f"Low resolution: read from {low.name}." if low is not None else _LOW[settings.degradation]
    ran = {model: _networks(model, settings) for model in settings.models if model != BICUBIC}
    cards = list({(card.stem, card.sha256): card for networks, _ in ran.values() for card in networks}.values())
    protocol = [
        f"Ground truth of 8 bits, cropped to a multiple of {settings.scale}.",
        made,
        f"Results are 8-bit RGB; a border of {settings.scale} pixels is cut off before measuring.",
        *(_NOTES[name] for name in settings.metrics),
        "Means count every picture the same.",
    ]
    if cards:
        bearers = Counter(card.stem for card in cards)
        used = "; ".join(f"{model}: {_told(*plan, settings.scale, bearers)}" for model, plan in ran.items())
        protocol.append(f"Networks ran through superres.Upscaler, as files do: {used}.")
        if settings.ensemble:
            protocol.append(f"Self-ensemble: the mean over {TURNS} flips and quarter turns (Timofte 2016).")
    packages = ["numpy", *(["openvino"] if cards else []), *(p for p in ("lpips",) if p in settings.metrics)]
    versions = {"superres": __version__, "Python": platform.python_version()}
    return About(protocol, cards, versions | {package: metadata.version(package) for package in packages})


def _networks(model: str, settings: Settings) -> tuple[tuple[ModelCard, ...], str]:
    """The cards of the networks that a model takes for the pictures of a set, in the order they run; arithmetic."""
    # Any picture will do: they are all opaque 8-bit RGB, and their results exactly so many times as large.
    side, scale = 64, settings.scale
    info = Image.from_array(np.zeros((side, side, 3), np.uint8)).info
    options = Options(scale=scale, model=model, precision=settings.precision, ensemble=settings.ensemble)
    with Upscaler(options) as upscaler:
        choice, precision = upscaler.plan(info, (side * scale, side * scale))
    return choice.cards, precision


def _told(networks: Sequence[ModelCard], precision: str, scale: int, bearers: Mapping[str, int]) -> str:
    """Networks in the order they ran; ``bearers`` counts those of one name, from folders of the user's own."""
    names = [card.stem if bearers[card.stem] == 1 else f"{card.stem} ({card.sha256[:16]}…)" for card in networks]
    reached = math.prod(card.scale for card in networks)
    reduced = f", reduced from x{reached} by antialiased bicubic" if reached != scale else ""
    return f"{', then '.join(names)} in {precision}{reduced}"
