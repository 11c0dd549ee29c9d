"""One pair of patches: cut, degraded where that is random, augmented; pure functions, so that any process may do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from superres.degrade import load_degradation
from superres.degrade.patch import degrade_patch
from superres.resize import resize
from superres.training.augment import cutblur, decorrelated, exchanged, mixed, roughened, turned
from superres.training.data import Pair
from superres.training.grey import grey_pair, row_pair
from superres.training.guided import guided_pair
from superres.training.recipe import DataOptions

__all__ = ["PLANES", "Cut", "Planes", "Slot", "cut", "make_patches"]

Bytes = npt.NDArray[np.uint8]

#: Low-resolution pixels around a patch that its degradation may look at: the margin of ``degrade_patch`` and the 7
#: more that it draws.
_AROUND = 15


@dataclass(frozen=True)
class Planes:
    """What a network sees of a pair of RGB patches.

    Attributes:
        low, high: how many planes its input and its result have.
        guides: how many there are besides at the result's size, folded into the input.
        rows: whether rows alone grow: the result is as wide as the input.
        make: (low, high, scale, generator) -> those of a pair; None where they are the colours.
    """

    low: int
    high: int
    make: Callable[[Bytes, Bytes, int, np.random.Generator], tuple[Bytes, Bytes]] | None = None
    guides: int = 0
    rows: bool = False

    def inputs(self, scale: int) -> int:
        """Planes that a network is given: a guide counts once for each of its samples within a pixel."""
        return self.low + self.guides * scale * scale


#: The values of ``data.planes``.
PLANES = {
    "colour": Planes(3, 3),
    "grey": Planes(1, 1, grey_pair),
    "guided": Planes(1, 1, guided_pair, 1),
    "rows": Planes(1, 1, row_pair, rows=True),
}


@dataclass(frozen=True)
class Cut:
    """A patch and what lies around it.

    Attributes:
        high: uint8 (scale*h, scale*w, 3); with surroundings when ``low`` is None, otherwise the patch itself.
        low: uint8 (patch, patch, 3), or None to be degraded here.
        corner: (top, left) of the patch in ``high``, in low-resolution pixels.
        turn: which of the eight symmetries.
    """

    high: Bytes
    low: Bytes | None
    corner: tuple[int, int]
    turn: int


@dataclass(frozen=True)
class Slot:
    """One place in a batch.

    Attributes:
        patch: low-resolution size.
        cut: the patch.
        other: what it is mixed with, if anything.
        cutblur: whether the input gets a clean part.
        colour: whether channels are exchanged.
        decorrelate: whether each channel is turned and inverted on its own.
        rough: whether the input is sampled, sharpened, compressed or noisy.
        seed: of all that is drawn on the way: (seed, step, slot).
    """

    patch: int
    cut: Cut
    other: Cut | None
    cutblur: bool
    colour: bool
    seed: tuple[int, int, int]
    decorrelate: bool = False
    rough: bool = False

    @property
    def draws(self) -> bool:
        """Whether anything is left to chance: making a generator takes longer than cutting a patch."""
        changed = self.cutblur or self.colour or self.decorrelate or self.rough
        return changed or self.other is not None or self.cut.low is None


def cut(pair: Pair, top: int, left: int, patch: int, scale: int, turn: int) -> Cut:
    """Views of one patch of a picture; ``top`` and ``left`` in low-resolution pixels."""
    if pair.low is not None:
        high = pair.high[top * scale : (top + patch) * scale, left * scale : (left + patch) * scale]
        return Cut(high, pair.low[top : top + patch, left : left + patch], (0, 0), turn)
    first = max(0, top - _AROUND), max(0, left - _AROUND)
    # Slices end at the picture's border by themselves.
    rows = slice(first[0] * scale, (top + patch + _AROUND) * scale)
    columns = slice(first[1] * scale, (left + patch + _AROUND) * scale)
    return Cut(pair.high[rows, columns], None, (top - first[0], left - first[1]), turn)


def make_patches(slots: Sequence[Slot], scale: int, options: DataOptions) -> tuple[Bytes, Bytes]:
    """Low (N, patch, patch, C) and high (N, scale*patch, scale*patch, D) patches of one size, uint8.

    C and D are those of ``options.planes``; where rows alone grow, high is (N, scale*patch, patch, D).
    The result depends on the arguments alone, whatever process runs it.
    """
    patch, planes = slots[0].patch, PLANES[options.planes]
    low = np.empty((len(slots), patch, patch, planes.inputs(scale)), np.uint8)
    width = patch if planes.rows else patch * scale
    high = np.empty((len(slots), patch * scale, width, planes.high), np.uint8)
    for index, slot in enumerate(slots):
        pair = _colours(slot, scale, options)
        if planes.make is not None:
            # A stream of its own: no other draw depends on what planes are made.
            pair = planes.make(*pair, scale, np.random.default_rng((*slot.seed, 2)))
        _copy(pair[0], low[index])
        _copy(pair[1], high[index])
    return low, high


def _copy(patch: Bytes, target: Bytes) -> None:
    """Copy whole pixels where they lie together: a turned patch takes half as long as byte by byte."""
    if patch.strides[2] == 1:
        pixel = np.dtype((np.void, patch.shape[2]))
        patch, target = patch.view(pixel), target.view(pixel)
    target[...] = patch


def _colours(slot: Slot, scale: int, options: DataOptions) -> tuple[Bytes, Bytes]:
    random = np.random.default_rng(slot.seed) if slot.draws else None
    low, high = _sides(slot.cut, slot.patch, scale, options.degradation, random)
    if random is None:
        return low, high
    if slot.cutblur:
        low = cutblur(low, resize(high, scale=1 / scale) if scale > 1 else high, random)
    if slot.other is not None:
        low, high = mixed(low, high, *_sides(slot.other, slot.patch, scale, options.degradation, random), random)
    if slot.colour:
        low, high = exchanged(low, high, random)
    if slot.decorrelate:
        low, high = decorrelated(low, high, random)
    return roughened(low, high, scale, random) if slot.rough else (low, high)


def _sides(
    cut: Cut, patch: int, scale: int, degradation: str, random: np.random.Generator | None
) -> tuple[Bytes, Bytes]:
    """Low and high patch of a cut, turned."""
    if cut.low is not None:
        return turned(cut.low, cut.turn), turned(cut.high, cut.turn)
    if random is None:
        raise ValueError("a cut that is still to be degraded needs a generator")
    top, left = cut.corner
    low = degrade_patch(load_degradation(degradation), cut.high, scale, cut.corner, (patch, patch), random)
    high = cut.high[top * scale : (top + patch) * scale, left * scale : (left + patch) * scale]
    return turned(low, cut.turn), turned(high, cut.turn)
