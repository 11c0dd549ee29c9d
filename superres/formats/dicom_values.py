"""What stored DICOM samples mean, and the way to a network and back: pure functions on arrays.

Stored values are integers of ``BitsStored`` bits.  Modality values are ``RescaleSlope * stored + RescaleIntercept``
(Hounsfield units, becquerel per millilitre...); PS3.3 C.7.6.3 and C.11.1.  Networks see modality values from 0 (the
smallest of the file or series) to 1 (the largest), so that nothing is clipped on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.geometry import nearest_indices
from superres.ranges import UsualRange

__all__ = ["Held", "Layout", "Rescale", "Window", "held_samples", "measured", "normalised", "restored", "stored_values"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Layout:
    """How the samples of a file are laid out once they are decoded.

    Attributes:
        rows, columns, frames: of the pixel data.
        channels: 1, or 3 for RGB.
        bits_allocated: 1, 8 or 16.
        bits_stored: of them, those that hold the value: the lowest ones.
        signed: two's complement.
        photometric: MONOCHROME1, MONOCHROME2, PALETTE COLOR or RGB.
        labels: samples are names of things (a segmentation, a palette's entries, bits): nothing lies between two.
    """

    rows: int
    columns: int
    frames: int
    channels: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    photometric: str
    labels: bool

    @property
    def lowest(self) -> int:
        """Smallest value that can be stored."""
        return -(1 << self.bits_stored - 1) if self.signed else 0

    @property
    def highest(self) -> int:
        """Largest value that can be stored."""
        return (1 << self.bits_stored - int(self.signed)) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a decoded sample: little-endian integers of ``bits_allocated`` bits, bytes for single bits."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{max(1, self.bits_allocated // 8)}")


@dataclass(frozen=True)
class Rescale:
    """From stored to modality values: ``slope * stored + intercept``; the slope is not 0."""

    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True)
class Held:
    """Stored values that are no measurements: they are held out of inference and stamped into the result as they are.

    Attributes:
        padding: smallest and largest value that mark pixels outside of the picture (PixelPaddingValue).
        colours_from: stored values from here on are indices into a supplemental palette.
    """

    padding: tuple[int, int] | None = None
    colours_from: int | None = None


@dataclass(frozen=True)
class Window:
    """Modality values as networks see them: 0 is ``low``, 1 is ``low + span``; odd ones lie beyond."""

    low: float
    span: float

    @classmethod
    def of(cls, parts: Iterable[Array]) -> Window:
        """The smallest and the largest of all values but odd ones; see :class:`superres.ranges.UsualRange`."""
        seen = UsualRange()
        for part in parts:
            seen.add(part)
        low, high = seen.usual or (0.0, 0.0)
        return cls(low, high - low)


def stored_values(raw: Array, layout: Layout) -> Ints:
    """The values that ``bits_stored`` bits of decoded samples hold; the bits above them may hold anything."""
    shift = 32 - layout.bits_stored
    bits = raw.astype(np.int64).astype(np.uint32) << np.uint32(shift)
    values = bits.view(np.int32) >> np.int32(shift) if layout.signed else (bits >> np.uint32(shift)).view(np.int32)
    return values.astype(np.int32, copy=False)


def held_samples(raw: Array, layout: Layout, held: Held) -> Mask:
    """Which samples are held out of inference.

    Args:
        raw: decoded samples, with all their bits: padding need not fit into the bits stored.
    """
    values = stored_values(raw, layout)
    mask = np.zeros(raw.shape, np.bool_)
    if held.padding is not None:
        low, high = held.padding
        mask |= (raw >= low) & (raw <= high)
        if low >= layout.lowest and high <= layout.highest:
            mask |= (values >= low) & (values <= high)
    if held.colours_from is not None:
        mask |= values >= held.colours_from
    return mask


def measured(raw: Array, layout: Layout, held: Held, rescale: Rescale) -> npt.NDArray[np.float64]:
    """Modality values of the samples that are measurements, as a flat array."""
    values = stored_values(raw, layout)[~held_samples(raw, layout, held)]
    return rescale.slope * values.astype(np.float64) + rescale.intercept


def normalised(raw: Array, layout: Layout, held: Held, rescale: Rescale, window: Window) -> Floats:
    """Decoded samples -> float32 of the same shape, 0 to 1 for the window; held samples become NaN."""
    modality = rescale.slope * stored_values(raw, layout).astype(np.float64) + rescale.intercept
    unit = (modality - window.low) / (window.span or 1.0)
    return np.where(held_samples(raw, layout, held), np.nan, unit).astype(np.float32)


def restored(unit: Floats, held_raw: Array, layout: Layout, held: Held, rescale: Rescale, window: Window) -> Array:
    """The inverse of :func:`normalised`: rounded, clipped to what can be stored, held samples as they were.

    No measurement takes a value that is held: it would turn into padding, or into a colour.

    Args:
        unit: float32 from the networks; anything where samples are held.
        held_raw: decoded samples of the same shape, each from the nearest place of the source.
        layout: of the source.

    Returns:
        Samples of ``layout.dtype``.
    """
    stay = held_samples(held_raw, layout, held)
    modality = np.where(stay, 0.0, unit).astype(np.float64) * window.span + window.low
    exact = (modality - rescale.intercept) / rescale.slope
    highest = layout.highest if held.colours_from is None else min(layout.highest, held.colours_from - 1)
    values = np.clip(np.floor(_clipped(exact, layout, highest) + 0.5), layout.lowest, highest)
    if held.padding is not None:
        values = _beside(values, exact, held.padding, layout.lowest, highest)
    samples: Array = np.where(stay, held_raw.astype(np.int64), values.astype(np.int64)).astype(layout.dtype)
    return samples


def _clipped(exact: Array, layout: Layout, highest: int) -> Array:
    """Values within ``layout.lowest`` to ``highest``, each source sample's part of the result with the mean it had.

    Clipping alone brightens a picture on black: the ripples of a sharpened edge are cut off below, not above.
    """
    lowest = layout.lowest
    if exact.min() >= lowest and exact.max() <= highest:
        return exact
    places = [nearest_indices(*sides) for sides in ((layout.rows, exact.shape[0]), (layout.columns, exact.shape[1]))]
    starts = [np.searchsorted(place, np.arange(place[-1] + 1)) for place in places]

    def means(values: Array) -> Array:
        """Over the result samples of each source sample, for each result sample."""
        sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
        counts = np.outer(*(np.bincount(place) for place in places)).reshape(*sums.shape[:2], *[1] * (sums.ndim - 2))
        spread: Array = (sums / counts)[places[0]][:, places[1]]
        return spread

    clipped = np.clip(exact, lowest, highest)
    wanted, found = np.clip(means(exact), lowest, highest), means(clipped)
    with np.errstate(divide="ignore", invalid="ignore"):
        lowered = lowest + (clipped - lowest) * (wanted - lowest) / (found - lowest)
        raised = highest - (highest - clipped) * (highest - wanted) / (highest - found)
    result: Array = np.where(found > wanted, lowered, np.where(found < wanted, raised, clipped))
    return result


def _beside(values: Array, exact: Array, padding: tuple[int, int], lowest: int, highest: int) -> Array:
    """Values within the padding's range moved to the nearer side of it, or to the only side there is."""
    low, high = padding
    below, above = low - 1, high + 1
    inside = (values >= low) & (values <= high)
    upwards = exact >= (low + high) / 2
    if below < lowest:
        upwards = np.ones_like(upwards)
    if above > highest:
        upwards = np.zeros_like(upwards)
    if below < lowest and above > highest:
        return values
    return np.where(inside, np.where(upwards, above, below), values)
