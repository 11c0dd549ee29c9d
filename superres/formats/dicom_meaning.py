"""What a DICOM header says about its samples: their layout, their scale, and which of them are no measurements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from superres.errors import CorruptInputError, UnsupportedFormatError
from superres.formats.dicom_values import Held, Layout, Rescale

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["SEGMENTATIONS", "functional_groups", "held_values", "layout_of", "rescales_of"]

_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
#: Segmentation and Label Map Segmentation.
SEGMENTATIONS = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})


def layout_of(dataset: Dataset, name: str) -> tuple[Layout, dict[str, Any]]:
    """The layout of decoded samples, and what pydicom's decoders need to know to make them.

    Raises:
        CorruptInputError: sizes or depths that cannot be.
        UnsupportedFormatError: depths or colours that are not read.
    """
    kind = str(dataset.PhotometricInterpretation)
    options: dict[str, Any] = {
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "number_of_frames": int(dataset.get("NumberOfFrames", None) or 1),
        "samples_per_pixel": int(dataset.get("SamplesPerPixel", 1)),
        "photometric_interpretation": kind,
        "bits_allocated": int(dataset.BitsAllocated),
        "bits_stored": int(dataset.get("BitsStored", dataset.BitsAllocated)),
        "pixel_representation": int(dataset.get("PixelRepresentation", 0)),
        "pixel_keyword": "PixelData",
    }
    channels = options["samples_per_pixel"]
    if channels > 1:
        options["planar_configuration"] = int(dataset.get("PlanarConfiguration", 0))
    _check(dataset, options, name)
    one_bit = options["bits_allocated"] == 1
    segmentation = str(dataset.get("SOPClassUID", "")) in SEGMENTATIONS
    layout = Layout(
        rows=options["rows"],
        columns=options["columns"],
        frames=options["number_of_frames"],
        channels=channels,
        bits_allocated=options["bits_allocated"],
        bits_stored=options["bits_stored"],
        signed=bool(options["pixel_representation"]),
        photometric="RGB" if channels == 3 else kind,
        labels=one_bit or segmentation or kind == "PALETTE COLOR" or options["bits_stored"] == 1,
    )
    return layout, options


def _check(dataset: Dataset, options: dict[str, Any], name: str) -> None:
    rows, columns, frames = options["rows"], options["columns"], options["number_of_frames"]
    if min(rows, columns, frames) < 1:
        raise CorruptInputError(f"{name}: declares {columns} x {rows} pixels x {frames} frame(s); get the file again")
    kind, channels = options["photometric_interpretation"], options["samples_per_pixel"]
    expected = 1 if kind in _GREY or kind == "PALETTE COLOR" else 3 if kind in _COLOURS else 0
    if expected == 0:
        raise UnsupportedFormatError(
            f"{name}: its colours are not grey, RGB, YBR or a palette; convert it to one of these first"
        )
    if channels != expected:
        raise CorruptInputError(f"{name}: declares {channels} samples per pixel of {kind}, which has {expected}")
    allocated, stored = options["bits_allocated"], options["bits_stored"]
    if allocated not in (1, 8, 16):
        raise UnsupportedFormatError(f"{name}: has {allocated} bits per sample; expected 1, 8 or 16")
    if not 1 <= stored <= allocated or options["pixel_representation"] not in (0, 1):
        raise CorruptInputError(f"{name}: declares {stored} bits stored of {allocated} allocated; get the file again")
    high = int(dataset.get("HighBit", stored - 1))
    if high != stored - 1:
        raise UnsupportedFormatError(
            f"{name}: its samples end at bit {high}; expected {stored - 1}, the highest of {stored} bits from bit 0"
        )
    if kind == "YBR_FULL" and allocated != 8:
        raise UnsupportedFormatError(
            f"{name}: has YBR colours of {allocated} bits; expected 8: convert it to RGB first"
        )
    if channels == 3 and options["pixel_representation"] == 1:
        raise UnsupportedFormatError(f"{name}: has signed colours; expected unsigned ones")


def held_values(dataset: Dataset, layout: Layout) -> Held:
    """Which stored values are padding, or indices into a supplemental palette."""
    if layout.channels == 3 or layout.labels:
        return Held()
    padding = None
    if dataset.get("PixelPaddingValue", None) is not None:
        first = _as_stored(int(dataset.PixelPaddingValue), layout)
        limit = dataset.get("PixelPaddingRangeLimit", None)
        last = first if limit is None else _as_stored(int(limit), layout)
        padding = (min(first, last), max(first, last))
    descriptor = dataset.get("RedPaletteColorLookupTableDescriptor", None)
    colours = None if descriptor is None else _as_stored(int(descriptor[1]), layout)
    return Held(padding, colours)


def _as_stored(value: int, layout: Layout) -> int:
    """A value whose element was written signed or unsigned, whichever the samples are not."""
    whole = 1 << layout.bits_allocated
    value %= whole
    return value - whole if layout.signed and value >= whole // 2 else value


def rescales_of(dataset: Dataset, layout: Layout) -> tuple[Rescale, ...]:
    """To modality values: one for all frames, or one per frame where the frames have functional groups.

    Of a frame's own groups, the shared ones, or the dataset, the first that has one counts.
    """
    if layout.channels == 3 or layout.labels:
        return (Rescale(),)
    shared, frames = functional_groups(dataset)
    whole = _rescale(dataset) or Rescale()
    common = _rescale_of_group(shared) or whole
    if not frames:
        return (common,)
    return tuple(_rescale_of_group(frames[index]) or common for index in range(layout.frames))


def _rescale_of_group(group: Dataset | None) -> Rescale | None:
    steps = None if group is None else group.get("PixelValueTransformationSequence", None)
    return _rescale(steps[0]) if steps else None


def _rescale(dataset: Dataset) -> Rescale | None:
    slope, intercept = dataset.get("RescaleSlope", None), dataset.get("RescaleIntercept", None)
    if slope is None and intercept is None:
        return None
    # Met in the wild: a slope of 0, which would make every value the same.
    rescale = Rescale(float(1 if slope is None else slope) or 1.0, float(0 if intercept is None else intercept))
    if not math.isfinite(rescale.slope) or not math.isfinite(rescale.intercept):
        raise ValueError("a scale that is no number")
    return rescale


def functional_groups(dataset: Dataset) -> tuple[Dataset | None, list[Dataset]]:
    """The shared functional groups and those of each frame, of an enhanced multi-frame dataset."""
    shared = dataset.get("SharedFunctionalGroupsSequence", None)
    frames = dataset.get("PerFrameFunctionalGroupsSequence", None)
    return (shared[0] if shared else None), list(frames or [])
