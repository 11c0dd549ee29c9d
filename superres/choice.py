"""Which models enlarge a picture: by what was asked for, and by what the source is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from superres.chain import chain_scales
from superres.errors import ModelError, OptionError, near_match
from superres.image import PictureInfo
from superres.zoo import ModelCard

__all__ = ["AUTO", "FAITHFUL", "FINE", "Choice", "choose", "choose_guided", "choose_rows", "families"]

#: Ask for this and the source decides.
AUTO = "auto"

#: The family for all that nothing else is for.
FAITHFUL = "standard"

#: A JPEG of this quality, in libjpeg's measure, has so little to undo that taking it away costs more: docs/training.md.
FINE = 95

_GREY, _CLEANING, _GUIDED, _ROWS, _VIDEO = "standard-grey", "restore", "guided", "rows", "video"

Families = Mapping[str, Mapping[int, ModelCard]]


@dataclass(frozen=True)
class Choice:
    """The models for one enlargement.

    Attributes:
        cards: in the order they run.
        reason: why they and no others, for people; empty when they are what was asked for.
    """

    cards: tuple[ModelCard, ...]
    reason: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """As results tell them: ``standard x4``."""
        return tuple(f"{card.name} x{card.scale}" for card in self.cards)


def families(cards: Iterable[ModelCard]) -> dict[str, dict[int, ModelCard]]:
    """Cards by name and scale."""
    found: dict[str, dict[int, ModelCard]] = {}
    for card in cards:
        found.setdefault(card.name, {})[card.scale] = card
    return found


def choose(wanted: str, known: Families, info: PictureInfo, factor: float, *, single: bool = False) -> Choice:
    """Choose the models for an enlargement.

    ``auto`` takes ``video`` for video, where that reaches the factor; ``restore`` for what else went through lossy
    compression (JPEG, lossy WebP...), since faithful models make its blocks and its noise larger too, but not for JPEG
    of quality :data:`FINE` and above, unless only cleaning is asked for; ``standard-grey`` for one channel;
    ``standard`` for all else.  Where two networks follow each other and the first restores, the second is a faithful
    one: there is nothing left to clean.

    Args:
        wanted: a family's name, or ``auto``.
        known: what there is; see :func:`families`.
        info: of the source.
        factor: enlargement, 1 (only clean) to 16.
        single: whether the frames of a video are to be enlarged one by one.

    Raises:
        ModelError: no such family, one that needs a guide, one of rows, or one of video for what is none.
        OptionError: a factor out of range, or one that the family's networks do not reach.
    """
    if wanted != AUTO:
        own = _family(known, wanted)
        if _takes_guide(own):
            raise ModelError(f"model {wanted!r} sharpens one source by another: give the sharp one with --guide")
        if any(card.kind == "rows" for card in own.values()):
            raise ModelError(f"model {wanted!r} enlarges rows alone: --isotropic and --axes take it unasked")
        if _remembers(own):
            return Choice(_of_video(known, wanted, info, factor, single=single))
        return Choice(_chain(known, wanted, factor))
    if info.format == _VIDEO and not single and _VIDEO in known and _reaches(known[_VIDEO], factor, networks=1):
        return Choice(_of_video(known, _VIDEO, info, factor, single=single), "frames of a video help each other")
    fine = info.quality is not None and info.quality >= FINE and factor > 1
    lossy = info.lossy and not fine
    if lossy and _CLEANING in known and _reaches(known[_CLEANING], factor):
        return Choice(_chain(known, _CLEANING, factor), f"a {info.format} source has lossy compression to undo")
    if FAITHFUL not in known:
        raise ModelError(f"model {AUTO!r}: there is no {FAITHFUL!r} here, only {sorted(known)}: name one with --model")
    faithful, grey = _chain(known, FAITHFUL, factor), known.get(_GREY, {})
    little = f"{info.format} of quality {info.quality} has little compression to undo" if fine else ""
    if info.colour == "grey" and not lossy and all(card.scale in grey for card in faithful):
        return Choice(
            tuple(grey[card.scale] for card in faithful), " and ".join(filter(None, ["it has one channel", little]))
        )
    return Choice(faithful, little)


def choose_guided(wanted: str, known: Families, factor: float) -> Choice:
    """Choose the models that sharpen a source by a guide; ``auto`` is ``guided``.

    The family's network of that factor; otherwise its smallest one as often as it takes, since each has the guide to
    go by: on most Sentinel-2 bands x2 twice gained more over bicubic than x2 once.

    Raises:
        ModelError: no such family, or one that takes no guide.
    """
    family = _GUIDED if wanted == AUTO else wanted
    own = _family(known, family)
    if not _takes_guide(own):
        raise ModelError(f"model {family!r} takes no guide: leave --model or --guide out")
    exact = [card for scale, card in own.items() if scale == factor]
    smallest = min(own)
    return Choice(tuple(exact) or (own[smallest],) * math.ceil(math.log(factor, smallest) - 1e-9))


def choose_rows(known: Families, factor: float) -> Choice:
    """Choose the model that enlarges rows alone, for planes across slices: the one whose factor is nearest.

    Raises:
        ModelError: there is none.
    """
    own = _family(known, _ROWS)
    return Choice((own[min(own, key=lambda scale: abs(math.log(scale / factor)))],))


def _family(known: Families, name: str) -> Mapping[int, ModelCard]:
    """The cards of a family by scale.  Raises ModelError, with the nearest name, where there is none."""
    if name not in known:
        raise ModelError(f"model {name!r} is unknown: expected one of {sorted(known)}{near_match(name, known)}")
    return known[name]


def _takes_guide(family: Mapping[int, ModelCard]) -> bool:
    return any(card.kind == "guided" for card in family.values())


def _remembers(family: Mapping[int, ModelCard]) -> bool:
    return any(card.kind == "video" for card in family.values())


def _of_video(known: Families, family: str, info: PictureInfo, factor: float, *, single: bool) -> tuple[ModelCard, ...]:
    """The one network of video that reaches a factor."""
    if info.format != _VIDEO:
        raise ModelError(f"model {family!r} carries a state from frame to frame: it enlarges video only")
    if single:
        raise OptionError(f"reuse: model {family!r} computes every frame, as it remembers them: use another --model")
    cards = _chain(known, family, factor)
    if len(cards) > 1:
        scales = ", ".join(f"x{scale}" for scale in sorted(known[family]))
        raise OptionError(f"scale {factor:g}: model {family!r} has {scales} and is not used twice: use another --model")
    return cards


def _chain(known: Families, family: str, factor: float) -> tuple[ModelCard, ...]:
    own = known[family]
    if factor == 1 and 1 not in own:
        raise OptionError(f"scale 1 only cleans, which model {family!r} does not do: use --model {_CLEANING}")
    first, *rest = chain_scales(factor, sorted(own))
    after = known.get(FAITHFUL, {}) if own[first].kind == "restore" else {}
    return (own[first], *(after.get(scale, own[scale]) for scale in rest))


def _reaches(own: Mapping[int, ModelCard], factor: float, networks: int = 2) -> bool:
    """Whether no more than so many of a family's networks reach a factor."""
    try:
        return len(chain_scales(factor, sorted(own))) <= networks
    except OptionError:
        return False
