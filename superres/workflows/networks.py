"""What a workflow must know of the networks that an upscaler runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from superres.choice import Choice
from superres.errors import ModelError
from superres.image import PictureInfo
from superres.pipeline import Upscaler

__all__ = ["Networks", "networks_for", "together"]


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


def together(several: Sequence[Networks]) -> Networks:
    """What must be known where parts of a source go through different networks of one scale.

    Args:
        several: at least one; of each, all that differs is told.

    Raises:
        ModelError: they differ in scale.
    """
    first = several[0]
    if any(one.scale != first.scale for one in several):
        told = ", ".join(f"{' + '.join(one.names)} by {one.scale}" for one in several)
        raise ModelError(f"the networks for parts of one source enlarge by different factors ({told}): use one --model")
    return Networks(
        names=tuple(dict.fromkeys(name for one in several for name in one.names)),
        precision=first.precision,
        halo=max(one.halo for one in several),
        scale=first.scale,
        files=tuple(dict.fromkeys(file for one in several for file in one.files)),
    )


def networks_for(upscaler: Upscaler, info: PictureInfo, size: tuple[int, int]) -> Networks:
    """The networks that ``upscaler.strips(info, size, ...)`` runs; they are loaded."""
    chain = upscaler.chain(info, size)
    return Networks(
        names=Choice(chain.cards).names,
        precision=chain.precision,
        halo=chain.halo,
        scale=chain.scale,
        files=tuple(card.int8.sha256 if chain.precision == "int8" else card.sha256 for card in chain.cards),
    )
