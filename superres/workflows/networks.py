"""What a workflow must know of the networks that an upscaler runs."""

from __future__ import annotations

from dataclasses import dataclass

from superres.image import PictureInfo
from superres.pipeline import Upscaler

__all__ = ["Networks", "networks_for"]


@dataclass(frozen=True)
class Networks:
    """The networks of one enlargement.

    Attributes:
        names: in the order they run, as results name them.
        precision: arithmetic in use.
        halo: source pixels that a result depends on around its own place.
        scale: of all together; a result is at most this much larger.
        files: SHA-256 of each model.
    """

    names: tuple[str, ...]
    precision: str
    halo: int
    scale: int
    files: tuple[str, ...]


def networks_for(upscaler: Upscaler, info: PictureInfo, size: tuple[int, int]) -> Networks:
    """The networks that ``upscaler.strips(info, size, ...)`` runs; they are loaded."""
    chain = upscaler.chain(info, size)
    return Networks(
        names=tuple(f"{card.name} x{card.scale}" for card in chain.cards),
        precision=chain.precision,
        halo=chain.halo,
        scale=chain.scale,
        files=tuple(card.int8.sha256 if chain.precision == "int8" else card.sha256 for card in chain.cards),
    )
