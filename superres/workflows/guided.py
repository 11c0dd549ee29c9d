"""One plane sharpened by another one of the same place: pure arithmetic around the guided networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.chain import NetworkChain
from superres.resize import resize
from superres.tiling import spans
from superres.workflows.networks import Networks

__all__ = ["Mix", "fitted_mix", "guided_networks", "sharpened"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

#: Pixels on a side of what goes through a network at a time.
_TILE = 256
#: Of the guide's mean variance, against bands that say the same: what they differ in is noise then.
_RIDGE = 1e-6


@dataclass(frozen=True)
class Mix:
    """A linear combination of a guide's planes.

    Attributes:
        weights: one per plane of the guide.
        offset: added to their sum.
        explained: share of the plane's variance that the combination explains where both are of low resolution.
    """

    weights: tuple[float, ...]
    offset: float
    explained: float

    def of(self, planes: Sequence[Array]) -> npt.NDArray[np.float64]:
        """The combination of some planes of one shape."""
        total: npt.NDArray[np.float64] = np.full(planes[0].shape, self.offset, np.float64)
        for weight, plane in zip(self.weights, planes, strict=True):
            total += weight * plane
        return total


def fitted_mix(plane: Array, guides: Array) -> Mix:
    """The combination of a guide's planes that is nearest to a plane, by least squares over the samples given.

    Planes of a guide that has nothing to do with the plane get weights near 0: it then says next to nothing.

    Args:
        plane: (n,) samples of low resolution.
        guides: (n, K), the guide's planes reduced to the same samples.

    References:
        B. Aiazzi, S. Baronti, M. Selva, "Improving Component Substitution Pansharpening Through Multivariate Regression
        of MS+Pan Data", IEEE TGRS 45(10), 2007.
    """
    values, features = plane.astype(np.float64), guides.astype(np.float64)
    if not values.size:
        return Mix((0.0,) * features.shape[1], 0.0, 0.0)
    middle, centre = float(values.mean()), features.mean(axis=0)
    apart, around = values - middle, features - centre
    products = around.T @ around / len(values)
    ridge = _RIDGE * float(np.trace(products)) / len(products)
    variance = float((apart * apart).mean())
    if ridge == 0 or variance == 0:
        return Mix((0.0,) * features.shape[1], middle, 0.0)
    weights = np.linalg.solve(products + ridge * np.eye(len(products)), around.T @ apart / len(values))
    left = apart - around @ weights
    explained = 1 - float((left * left).mean()) / variance
    return Mix(tuple(float(w) for w in weights), middle - float(centre @ weights), max(0.0, explained))


def guided_networks(chains: Sequence[NetworkChain]) -> Networks:
    """What a workflow must know of guided networks that run one after the other."""
    scale, halo = 1, 0
    for chain in reversed(chains):
        halo = chain.halo + -(-halo // chain.scale)
    for chain in chains:
        scale *= chain.scale
    cards = [card for chain in chains for card in chain.cards]
    # Two more: a guide of another size is brought to theirs by bicubic resizing.
    return Networks(
        names=tuple(f"{card.name} x{card.scale}" for card in cards),
        precision=chains[0].precision,
        halo=halo + 2,
        scale=scale,
        files=tuple(card.sha256 for card in cards),
    )


def sharpened(plane: Floats, guide: Floats, chains: Sequence[NetworkChain]) -> Floats:
    """A plane enlarged by guided networks, one after the other.

    Args:
        plane: (h, w), 0 to 1.
        guide: (H, W) of the same place, on the plane's scale of values; H and W are h and w by one factor, which the
            networks reach.
        chains: one network each.

    Returns:
        (h, w) times the scale of all networks, not clipped.

    Raises:
        InferenceError: a network failed.
    """
    for chain in chains:
        large = plane.shape[0] * chain.scale, plane.shape[1] * chain.scale
        sharp = guide if guide.shape == large else resize(guide, large)
        plane = _through(np.clip(plane, 0, 1), np.clip(sharp, 0, 1), chain)
    return plane


def _through(plane: Floats, guide: Floats, chain: NetworkChain) -> Floats:
    """One network, tile by tile, with the plane mirrored at its borders."""
    s, halo = chain.scale, chain.halo
    height, width = plane.shape
    planes = np.pad(plane, halo, mode="symmetric"), np.pad(guide, halo * s, mode="symmetric")
    large = np.empty((height * s, width * s), np.float32)
    for down in spans(height, _TILE, halo, halo):
        for across in spans(width, _TILE, halo, halo):
            # A span's window may reach beyond the padding; what is there is no part of the result.
            rows, columns = (slice(one.start, one.stop + 2 * halo) for one in (down, across))
            batch = _batch(planes[0][rows, columns], planes[1][_times(rows, s), _times(columns, s)], s)
            made = chain.run(batch)[0, 0, halo * s : -halo * s, halo * s : -halo * s]
            large[down.start * s : down.stop * s, across.start * s : across.stop * s] = made
    return large


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)


def _batch(plane: Floats, guide: Floats, scale: int) -> Floats:
    """(h, w) and (scale*h, scale*w) -> (1, 1 + scale^2, h, w): the guide's samples within each pixel, row by row."""
    height, width = plane.shape
    parts = guide.reshape(height, scale, width, scale).transpose(1, 3, 0, 2).reshape(-1, height, width)
    return np.ascontiguousarray(np.concatenate([plane[None], parts])[None], np.float32)
