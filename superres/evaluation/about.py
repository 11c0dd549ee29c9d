"""What must be said beside scores so that they can be understood and made again: protocol, models, versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from superres import __version__
from superres.backends.ensemble import TURNS
from superres.evaluation.enlargers import BICUBIC, arithmetic
from superres.evaluation.runner import Settings
from superres.zoo import ModelCard, find_model, list_cards, locate

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
        cards: of the models that ran.
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
    cards = [card for model in settings.models if model != BICUBIC for card in _cards(model, settings.scale)]
    protocol = [
        f"Ground truth of 8 bits, cropped to a multiple of {settings.scale}.",
        made,
        f"Results are 8-bit RGB; a border of {settings.scale} pixels is cut off before measuring.",
        *(_NOTES[name] for name in settings.metrics),
        "Means count every picture the same.",
    ]
    if cards:
        used = ", ".join(f"{card.stem} in {arithmetic(card, settings.precision)}" for card in cards)
        protocol.append(f"Networks ran through superres.Upscaler, as files do: {used}.")
        if settings.ensemble:
            protocol.append(f"Self-ensemble: the mean over {TURNS} flips and quarter turns (Timofte 2016).")
    packages = ["numpy", *(["openvino"] if cards else []), *(p for p in ("lpips",) if p in settings.metrics)]
    versions = {"superres": __version__, "Python": platform.python_version()}
    return About(protocol, cards, versions | {package: metadata.version(package) for package in packages})


def _cards(model: str, scale: int) -> list[ModelCard]:
    """The card of a model for a scale; all its cards where the scale takes several networks."""
    folder, name = locate(model)
    cards = list_cards(folder)
    if any((card.name, card.scale) == (name, scale) for card in cards):
        return [find_model(name, scale, folder)]
    return [card for card in cards if card.name == name]
