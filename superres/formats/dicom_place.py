"""Where a DICOM picture lies after an enlargement: the half-pixel rule for every element that counts in pixels.

Element by element of PS3.3: pixel spacings, positions in the patient (also of each frame), ultrasound regions,
shutters, the aspect ratio.  The thickness of slices, their distance and their places along the normal stay.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from superres.formats.dicom_meaning import functional_groups
from superres.geometry import scaled_bounds, scaled_index, scaled_position, scaled_spacing

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["scale_places"]

# (Between rows, between columns).
_SPACINGS = (
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "ImagePlanePixelSpacing",
    "ObjectPixelSpacingInCenterOfBeam",
)
# Of the first pixel, with the directions that belong to it; the last pair is retired.
_POSITIONS = (("ImagePositionPatient", "ImageOrientationPatient"), ("ImagePosition", "ImageOrientation"))
_GROUP_POSITIONS = (
    ("PlanePositionSequence", "ImagePositionPatient", "PlaneOrientationSequence", "ImageOrientationPatient"),
    ("PlanePositionVolumeSequence", "ImagePositionVolume", "PlaneOrientationVolumeSequence", "ImageOrientationVolume"),
)
# Columns, or rows, counted from 1: first and last that can be seen.
_EDGES = tuple(
    pair
    for what in ("Shutter", "Collimator")
    for pair in (
        (f"{what}LeftVerticalEdge", f"{what}RightVerticalEdge", 1),
        (f"{what}UpperHorizontalEdge", f"{what}LowerHorizontalEdge", 0),
    )
)
# Row, column, row, column..., counted from 1.
_POINTS = (
    "CenterOfCircularShutter",
    "VerticesOfThePolygonalShutter",
    "CenterOfCircularCollimator",
    "VerticesOfThePolygonalCollimator",
)
_RADII = ("RadiusOfCircularShutter", "RadiusOfCircularCollimator")
# In an ultrasound region, counted from 0, with the axis.
_REGION_POINTS = tuple(
    (f"{what}{axis}{end}", number)
    for what, ends in (("DopplerSampleVolume", ("Position",)), ("TMLinePosition", ("0", "1")))
    for number, axis in ((1, "X"), (0, "Y"))
    for end in ends
)

Scale = tuple[float, float]


def scale_places(dataset: Dataset, scale: Scale) -> None:
    """Move everything along, in place.

    Args:
        dataset: of the source.
        scale: of (rows, columns): size of the result divided by that of the source.
    """
    shared, frames = functional_groups(dataset)
    _scale_positions(dataset, scale)
    _scale_group_positions(shared, frames, scale)
    for item in _places(dataset, shared, frames):
        _scale_spacings(item, scale)
        _scale_shutters(item, scale)
        if item.get("MaskSubPixelShift", None):
            item.MaskSubPixelShift = [float(v) * s for v, s in zip(item.MaskSubPixelShift, scale, strict=True)]
    for region in dataset.get("SequenceOfUltrasoundRegions", None) or []:
        _scale_region(region, scale)
    _scale_aspect(dataset, scale)


def _places(dataset: Dataset, shared: Dataset | None, frames: Sequence[Dataset]) -> Iterator[Dataset]:
    """The dataset, and every item of every functional group: elements keep their meaning in each."""
    yield dataset
    yield from dataset.get("MaskSubtractionSequence", None) or []
    for group in [*([] if shared is None else [shared]), *frames]:
        for element in group:
            if element.VR == "SQ":
                yield from element.value


def _decimal(value: float) -> str:
    """A decimal string: 16 characters hold 10 to 14 digits."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value))


def _set(dataset: Dataset, keyword: str, values: Sequence[float]) -> None:
    """Set numbers in the element's own representation."""
    texts = dataset[keyword].VR == "DS"
    setattr(dataset, keyword, [_decimal(value) if texts else float(value) for value in values])


def _numbers(dataset: Dataset | None, keyword: str, count: int) -> list[float] | None:
    """The numbers of an element, or None when it is absent, empty or of another length."""
    value = None if dataset is None else dataset.get(keyword, None)
    if value is None or isinstance(value, str) or not hasattr(value, "__len__") or len(value) != count:
        return None
    return [float(number) for number in value]


def _move(item: Dataset, keyword: str, directions: list[float] | None, spacing: list[float] | None, s: Scale) -> None:
    """Move one position, when everything that it takes is known."""
    position = _numbers(item, keyword, 3)
    if position is not None and directions is not None and spacing is not None:
        _set(item, keyword, scaled_position(position, directions[:3], directions[3:], (spacing[0], spacing[1]), s))


def _scale_positions(dataset: Dataset, scale: Scale) -> None:
    spacing = _numbers(dataset, "PixelSpacing", 2)
    for position, orientation in _POSITIONS:
        # Nuclear medicine has them per detector.
        for item in [dataset, *(dataset.get("DetectorInformationSequence", None) or [])]:
            _move(item, position, _numbers(item, orientation, 6), spacing, scale)
    place, spacing = _numbers(dataset, "RTImagePosition", 2), _numbers(dataset, "ImagePlanePixelSpacing", 2)
    if place is not None and spacing is not None:
        # Of a radiotherapy image: x and y of the receptor, rows going down unless it says otherwise.
        turned = _numbers(dataset, "RTImageOrientation", 6) or [1.0, 0.0, 0.0, 0.0, -1.0, 0.0]
        moved = scaled_position(place, turned[:2], turned[3:5], (spacing[0], spacing[1]), scale)
        _set(dataset, "RTImagePosition", moved)


def _scale_group_positions(shared: Dataset | None, frames: Sequence[Dataset], scale: Scale) -> None:
    """Positions in functional groups; what a frame does not say itself stands in the shared group."""
    for group in frames:
        spacing = _numbers(_item("PixelMeasuresSequence", group, shared), "PixelSpacing", 2)
        for holder, position, turning, orientation in _GROUP_POSITIONS:
            item = _item(holder, group)
            if item is not None:
                _move(item, position, _numbers(_item(turning, group, shared), orientation, 6), spacing, scale)
    for holder, position, turning, orientation in _GROUP_POSITIONS:
        item = _item(holder, shared)
        if item is not None:
            spacing = _numbers(_item("PixelMeasuresSequence", shared, *frames[:1]), "PixelSpacing", 2)
            _move(item, position, _numbers(_item(turning, shared, *frames[:1]), orientation, 6), spacing, scale)


def _item(keyword: str, *groups: Dataset | None) -> Dataset | None:
    """The item of a sequence in the first group that has it."""
    for group in groups:
        sequence = None if group is None else group.get(keyword, None)
        if sequence:
            item: Dataset = sequence[0]
            return item
    return None


def _scale_spacings(item: Dataset, scale: Scale) -> None:
    for keyword in _SPACINGS:
        spacing = _numbers(item, keyword, 2)
        if spacing is not None:
            _set(item, keyword, scaled_spacing(spacing, scale))


def _scale_shutters(item: Dataset, scale: Scale) -> None:
    for low, high, axis in _EDGES:
        if item.get(low, None) is not None and item.get(high, None) is not None:
            first, last = scaled_bounds(int(item[low].value) - 1, int(item[high].value) - 1, scale[axis])
            setattr(item, low, first + 1)
            setattr(item, high, last + 1)
    for keyword in _POINTS:
        value: Any = item.get(keyword, None)
        if value is not None and hasattr(value, "__len__") and len(value) % 2 == 0:
            moved = [round(scaled_index(int(number) - 1, scale[k % 2])) + 1 for k, number in enumerate(value)]
            setattr(item, keyword, moved)
    for keyword in _RADII:
        if item.get(keyword, None) is not None:
            setattr(item, keyword, round(int(item[keyword].value) * scale[1]))


def _scale_region(region: Dataset, scale: Scale) -> None:
    """One calibrated part of an ultrasound picture (C.8.5.5): bounds count pixels from 0, both ends included."""
    for axis, s in (("X", scale[1]), ("Y", scale[0])):
        low, high = f"RegionLocationMin{axis}0", f"RegionLocationMax{axis}1"
        before = start = 0
        if low in region and high in region:
            before = int(region[low].value)
            start, last = scaled_bounds(before, int(region[high].value), s)
            region[low].value, region[high].value = start, last
        delta, reference = f"PhysicalDelta{axis}", f"ReferencePixel{axis}0"
        if delta in region:
            region[delta].value = float(region[delta].value) / s
        if reference in region:
            # Counted from the region's own first pixel, and a whole one: what it measures moves by the rest.
            exact = scaled_index(before + int(region[reference].value), s) - start
            region[reference].value = math.floor(exact)
            physical = f"ReferencePixelPhysicalValue{axis}"
            if physical in region and delta in region:
                region[physical].value = (
                    float(region[physical].value) + (math.floor(exact) - exact) * region[delta].value
                )
    for keyword, number in _REGION_POINTS:
        if keyword in region:
            region[keyword].value = math.floor(scaled_index(int(region[keyword].value), scale[number]))


def _scale_aspect(dataset: Dataset, scale: Scale) -> None:
    """Rows and columns that grow by different factors change the shape of a pixel: vertical size to horizontal size."""
    aspect = _numbers(dataset, "PixelAspectRatio", 2)
    if aspect is None or scale[0] == scale[1] or min(aspect) <= 0:
        return
    ratio = Fraction(aspect[0] / aspect[1] * scale[1] / scale[0]).limit_denominator(10_000)
    dataset.PixelAspectRatio = [ratio.numerator, ratio.denominator]
