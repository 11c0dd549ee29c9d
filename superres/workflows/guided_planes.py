"""Planes of a picture or a volume sharpened by planes of a finer one of the same place, as far as that helps.

The guide is brought to the plane's scale of values first, by a combination of functions of it that is fitted where both
are of low resolution.  How much of what it then says is used is tried on the source itself, made smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from superres.chain import NetworkChain
from superres.resize import resize
from superres.workflows.guide_trial import Enlarge, best_share
from superres.workflows.guided import Mix, fitted_mix, guided_networks, sharpened

__all__ = ["GuidedPlanes", "block_means", "fitted_planes", "hats"]

Floats = npt.NDArray[np.float32]

#: Samples that a mix is fitted on, at most.
_SAMPLES = 2_000_000
#: A guide with a lower share in the result does not do what it is expected to.
_LITTLE = 0.5


@dataclass(frozen=True)
class GuidedPlanes:
    """Enlarges planes by one factor, with a guide.

    Attributes:
        factor: of both axes.
        mix: of the guide's features that is on the planes' scale of values.
        share: of the guided result in the whole, 0 to 1; the rest is made without the guide.
        tried: whether the share was found by a trial; the source may be too small for one.
        chains: the networks with a guide, one each.
        plain: the networks without; None only where all of the result is guided.
    """

    factor: int
    mix: Mix
    share: float
    tried: bool
    chains: tuple[NetworkChain, ...]
    plain: Enlarge | None

    def enlarge(self, plane: Floats, features: Sequence[Floats]) -> Floats:
        """A plane (h, w), values around 0 to 1 -> (factor * h, factor * w), not clipped.

        Made as small as the plane again, the result is the plane, up to what one step of back-projection leaves.

        Args:
            plane: without gaps.
            features: of the guide, each as large as the result.

        Raises:
            InferenceError: a network failed.
        """
        size = plane.shape[0] * self.factor, plane.shape[1] * self.factor
        made = np.zeros(size, np.float32) if self.plain is None or self.share == 1 else self.plain(plane, size)
        if self.share > 0:
            sharp = self.mix.of(list(features)).astype(np.float32)
            guided = sharpened(plane, sharp, self.chains)
            guided = guided if guided.shape == size else resize(guided, size)
            made = made + np.float32(self.share) * (guided - made)
        corrected: Floats = made + resize(plane - resize(made, plane.shape), size)
        return corrected

    @property
    def names(self) -> tuple[str, ...]:
        """Of the networks with a guide; none where that has no share."""
        return guided_networks(self.chains).names if self.share > 0 else ()

    def told(self, guide: str) -> str:
        """What is to be said of a guide of that name; empty where it does much."""
        if not self.tried:
            return f"the source is too small to try whether {guide} helps: made without it"
        if self.share >= _LITTLE:
            return ""
        return (
            f"{guide} has a share of {100 * self.share:.0f} % in the result, the rest is made without it: on the "
            "source itself, made smaller, it helped no further"
        )


def fitted_planes(
    pairs: Iterable[tuple[Floats, Sequence[Floats]]], factor: int, chains: Sequence[NetworkChain], plain: Enlarge | None
) -> GuidedPlanes:
    """Fit a guide to planes, and try how far it is worth following.

    Args:
        pairs: (plane, features of the guide), all of the plane's size (h, w), without gaps: some that show what the
            others are like.
        factor: by which planes are to be enlarged.
        chains, plain: networks with a guide and without; without the latter nothing can be tried, and the guide has
            all of the result.

    Returns:
        Where no plane is large enough to try anything, the guide has no share: nothing says that it helps.

    Raises:
        InferenceError: a network failed.
    """
    whole = [(plane, list(features)) for plane, features in pairs]
    step = max(1, sum(plane.size for plane, _ in whole) // _SAMPLES)
    values = np.concatenate([plane.ravel() for plane, _ in whole])[::step]
    told = np.concatenate([np.stack([one.ravel() for one in features], axis=1) for _, features in whole])[::step]
    mix = fitted_mix(values, told)
    if plain is None:
        return GuidedPlanes(factor, mix, 1.0, True, tuple(chains), None)
    trials = ((np.clip(plane, 0, 1), mix.of(features).astype(np.float32)) for plane, features in whole)
    share = best_share(trials, factor, plain, chains)
    return GuidedPlanes(factor, mix, share or 0.0, share is not None, tuple(chains), plain)


def block_means(array: Floats, factors: Sequence[int]) -> Floats:
    """The mean of every block: each axis of the array becomes shorter by its factor, which divides it."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            shape = (*array.shape[:axis], array.shape[axis] // factor, factor, *array.shape[axis + 1 :])
            array = array.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
    return array


def hats(guide: Floats, count: int = 9) -> list[Floats]:
    """Values 0 to 1 as ``count`` features that add up to 1: how near each is to one of as many evenly spaced values.

    A mix of them is any function of the guide that is linear between these values: what is bright in one kind of scan
    may be dark in another, and grey in both.
    """
    places = np.clip(guide, 0, 1) * np.float32(count - 1)
    return [np.maximum(np.float32(1) - np.abs(places - np.float32(k)), np.float32(0)) for k in range(count)]
