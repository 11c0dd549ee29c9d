"""Every element that counts in pixels, after an enlargement."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_support import ULTRASOUND, make, smooth
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from superres.formats.dicom_place import scale_places

GREY = smooth(6, 8, 0, 4000).astype(np.uint16)


def item(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def test_spacing_and_position() -> None:
    # Rows lie 0.5 mm apart, columns 0.25: at 2 and 4 times the first centre moves by 0.125 and by 0.09375 mm.
    dataset = make(GREY, ImagerPixelSpacing=[1, 2], NominalScannedPixelSpacing=[3, 4])
    scale_places(dataset, (2.0, 4.0))
    assert dataset.PixelSpacing == [0.25, 0.0625]
    assert dataset.ImagerPixelSpacing == [0.5, 0.5]
    assert dataset.NominalScannedPixelSpacing == [1.5, 1.0]
    assert dataset.ImagePositionPatient == [10 - 0.09375, -20 - 0.125, 30]
    assert (dataset.SliceThickness, dataset.SpacingBetweenSlices, dataset.SliceLocation) == (5, 4, 30)


def test_the_first_direction_is_along_a_row() -> None:
    # A sagittal picture: columns go back, rows go down.
    dataset = make(GREY, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    scale_places(dataset, (2.0, 4.0))
    assert dataset.ImagePositionPatient == [10, -20 - 0.09375, 30 + 0.125]


def corners(dataset: Dataset, rows: int, columns: int) -> np.ndarray:
    """The four corners of the field of view, in the patient."""
    spacing = [float(v) for v in dataset.PixelSpacing]
    turn = np.array([float(v) for v in dataset.ImageOrientationPatient])
    start = np.array([float(v) for v in dataset.ImagePositionPatient])
    return np.array(
        [
            start + (c - 0.5) * spacing[1] * turn[:3] + (r - 0.5) * spacing[0] * turn[3:]
            for r in (0, rows)
            for c in (0, columns)
        ]
    )


@given(
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.tuples(st.floats(0.05, 5), st.floats(0.05, 5)),
    st.floats(0, 6.28),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.floats(1, 8), st.floats(1, 8)),
)
def test_the_field_of_view_stays(
    position: tuple[float, ...],
    spacing: tuple[float, float],
    turn: float,
    size: tuple[int, int],
    scale: tuple[float, float],
) -> None:
    after = round(size[0] * scale[0]), round(size[1] * scale[1])
    exact = after[0] / size[0], after[1] / size[1]
    c, s = float(np.cos(turn)), float(np.sin(turn))
    dataset = make(GREY)
    for keyword, numbers in (
        ("ImagePositionPatient", position),
        ("PixelSpacing", spacing),
        ("ImageOrientationPatient", (c, s, 0, -s, c, 0)),
    ):
        setattr(dataset, keyword, [f"{number:.9g}" for number in numbers])
    before = corners(dataset, *size)
    scale_places(dataset, exact)
    # A decimal string has 16 characters, which leaves 9 digits in the worst case (-1.234567890e-05).
    np.testing.assert_allclose(corners(dataset, *after), before, atol=1e-6)
    assert all(len(str(number)) <= 16 for number in [*dataset.PixelSpacing, *dataset.ImagePositionPatient])


def test_positions_of_frames() -> None:
    def frame(z: float, **more: object) -> Dataset:
        return item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])], **more)

    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[1, 1], SliceThickness=3)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    own = frame(
        5,
        PixelMeasuresSequence=[item(PixelSpacing=[2, 2])],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 0, 1, 0, 1, 0])],
    )
    dataset = make(np.stack([GREY] * 2), SharedFunctionalGroupsSequence=[shared])
    del dataset.ImagePositionPatient, dataset.PixelSpacing
    dataset.PerFrameFunctionalGroupsSequence = [frame(0), own]
    scale_places(dataset, (2.0, 2.0))
    frames = dataset.PerFrameFunctionalGroupsSequence
    assert frames[0].PlanePositionSequence[0].ImagePositionPatient == [-0.25, -0.25, 0]
    assert frames[1].PlanePositionSequence[0].ImagePositionPatient == [0, -0.5, 4.5]
    assert frames[1].PixelMeasuresSequence[0].PixelSpacing == [1, 1]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [0.5, 0.5]
    assert shared.PixelMeasuresSequence[0].SliceThickness == 3


def test_a_position_that_all_frames_share_and_one_of_a_volume() -> None:
    shared = item(
        PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 0])],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[1, 1])],
        PlanePositionVolumeSequence=[item(ImagePositionVolume=[1.0, 1.0, 1.0])],
        PlaneOrientationVolumeSequence=[item(ImageOrientationVolume=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])],
    )
    dataset = make(GREY, SharedFunctionalGroupsSequence=[shared])
    scale_places(dataset, (2.0, 2.0))
    assert shared.PlanePositionSequence[0].ImagePositionPatient == [-0.25, -0.25, 0]
    assert shared.PlanePositionVolumeSequence[0].ImagePositionVolume == [0.75, 0.75, 1.0]


def test_positions_of_detectors_and_of_radiotherapy_images() -> None:
    detector = item(ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    dataset = make(
        GREY, DetectorInformationSequence=[detector], ImagePlanePixelSpacing=[1, 1], RTImagePosition=[-100, 100]
    )
    scale_places(dataset, (2.0, 2.0))
    assert detector.ImagePositionPatient == [-0.0625, -0.125, 0]
    # Rows go down from the upper left corner.
    assert dataset.RTImagePosition == [-100.25, 100.25]
    assert dataset.ImagePlanePixelSpacing == [0.5, 0.5]


def test_what_has_no_place_stays() -> None:
    dataset = make(GREY, PixelSpacing=None, ImageOrientationPatient=None)
    scale_places(dataset, (2.0, 2.0))
    assert dataset.ImagePositionPatient == [10, -20, 30]
    empty = make(GREY, PixelSpacing="", ImagePositionPatient="")
    scale_places(empty, (2.0, 2.0))
    assert not empty.PixelSpacing


def region(**more: object) -> Dataset:
    bounds = {"RegionLocationMinX0": 0, "RegionLocationMaxX1": 7, "RegionLocationMinY0": 2, "RegionLocationMaxY1": 5}
    return item(**{**bounds, "PhysicalDeltaX": 0.5, "PhysicalDeltaY": 0.25, **more})


def test_ultrasound_regions() -> None:
    dataset = make(GREY, kind=ULTRASOUND, SequenceOfUltrasoundRegions=[region(), region(RegionLocationMinX0=3)])
    scale_places(dataset, (2.0, 3.0))
    first, second = dataset.SequenceOfUltrasoundRegions
    # Both bounds belong to the region: 8 columns and 4 rows become 24 and 8.
    assert (first.RegionLocationMinX0, first.RegionLocationMaxX1) == (0, 23)
    assert (first.RegionLocationMinY0, first.RegionLocationMaxY1) == (4, 11)
    assert (first.PhysicalDeltaX, first.PhysicalDeltaY) == (pytest.approx(0.5 / 3), 0.125)
    assert second.RegionLocationMinX0 == 9


@given(st.integers(0, 5), st.integers(-20, 20), st.floats(1, 8), st.floats(0.01, 3), st.floats(-9, 9))
def test_a_reference_pixel_still_measures_the_same_place(
    start: int, reference: int, scale: float, delta: float, physical: float
) -> None:
    one = region(
        RegionLocationMinX0=start,
        ReferencePixelX0=reference,
        ReferencePixelPhysicalValueX=physical,
        PhysicalDeltaX=delta,
    )
    dataset = make(GREY, kind=ULTRASOUND, SequenceOfUltrasoundRegions=[one])
    scale_places(dataset, (scale, scale))
    # Column 3 of the picture lies at this place, and so does the column that it has become.
    place = physical + (3 - start - reference) * delta
    column = scale * 3 + (scale - 1) / 2
    offset = column - one.RegionLocationMinX0 - one.ReferencePixelX0
    assert one.ReferencePixelPhysicalValueX + offset * one.PhysicalDeltaX == pytest.approx(place, abs=1e-9)


def test_shutters() -> None:
    shutter = {
        "ShutterLeftVerticalEdge": 1,
        "ShutterRightVerticalEdge": 8,
        "ShutterUpperHorizontalEdge": 2,
        "ShutterLowerHorizontalEdge": 5,
        "CenterOfCircularShutter": [3, 4],
        "RadiusOfCircularShutter": 2,
        "VerticesOfThePolygonalShutter": [1, 1, 1, 8, 6, 8],
    }
    group = item(FrameDisplayShutterSequence=[item(ShutterLeftVerticalEdge=3, ShutterRightVerticalEdge=4)])
    dataset = make(GREY, **shutter, PerFrameFunctionalGroupsSequence=[group])
    scale_places(dataset, (2.0, 3.0))
    # All that was seen is seen: columns 1 to 8 of 8 become 1 to 24 of 24.
    assert (dataset.ShutterLeftVerticalEdge, dataset.ShutterRightVerticalEdge) == (1, 24)
    assert (dataset.ShutterUpperHorizontalEdge, dataset.ShutterLowerHorizontalEdge) == (3, 10)
    assert dataset.CenterOfCircularShutter == [5, 11]  # row centre 2 (from 0) -> 4.5, column centre 3 -> 10
    assert dataset.RadiusOfCircularShutter == 6
    assert dataset.VerticesOfThePolygonalShutter == [1, 2, 1, 23, 11, 23]
    inner = group.FrameDisplayShutterSequence[0]
    assert (inner.ShutterLeftVerticalEdge, inner.ShutterRightVerticalEdge) == (7, 12)


def test_aspect_ratio_and_mask_shift() -> None:
    dataset = make(GREY, PixelAspectRatio=[1, 1], MaskSubtractionSequence=[item(MaskSubPixelShift=[0.5, -1.0])])
    scale_places(dataset, (2.0, 3.0))
    # Pixels became narrower than high: vertical size to horizontal size.
    assert dataset.PixelAspectRatio == [3, 2]
    assert dataset.MaskSubtractionSequence[0].MaskSubPixelShift == [1.0, -3.0]
    same = make(GREY, PixelAspectRatio=[4, 3])
    scale_places(same, (2.0, 2.0))
    assert same.PixelAspectRatio == [4, 3]


def test_the_mask_shift_of_a_frame() -> None:
    shift = item(FramePixelShiftSequence=[item(MaskSubPixelShift=[1.5, 2.0])])
    dataset = make(GREY, PerFrameFunctionalGroupsSequence=[shift])
    scale_places(dataset, (2.0, 3.0))
    found = dataset.PerFrameFunctionalGroupsSequence[0].FramePixelShiftSequence[0].MaskSubPixelShift
    assert found == [3.0, 6.0]


def test_twice_by_two_is_once_by_four() -> None:
    once, twice = make(GREY, ImagerPixelSpacing=[1, 2]), make(GREY, ImagerPixelSpacing=[1, 2])
    scale_places(once, (4.0, 4.0))
    for _ in range(2):
        scale_places(twice, (2.0, 2.0))
    assert once == twice
