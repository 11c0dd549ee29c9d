"""A result is a new instance of a new series, and says what it was made from."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_support import CT, PATIENT, SEGMENTATION, make, smooth
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, JPEGBaseline8Bit

from superres.formats.dicom_identity import IMPLEMENTATION_UID, Identities, mark_derived

GREY = smooth(6, 8, 0, 4000).astype(np.uint16)
EXPLICIT = "1.2.840.10008.1.2.1"


def marked(dataset: Dataset, identities: Identities | None = None, syntax: str = EXPLICIT) -> Dataset:
    dataset.file_meta = FileMetaDataset()
    mark_derived(dataset, syntax, identities or Identities(), "super-resolved x2", "what was done", "9.9")
    return dataset


def code(item: Dataset, keyword: str) -> tuple[str, str]:
    found = item[keyword].value[-1]
    return found.CodeValue, found.CodingSchemeDesignator


def test_identity() -> None:
    identities = Identities()
    found = marked(make(GREY), identities)
    assert found.SOPInstanceUID != "1.2.3.4.5" and found.SeriesInstanceUID == identities.series != "1.2.3.4"
    assert UID(found.SOPInstanceUID).is_valid and UID(identities.series).is_valid and UID(IMPLEMENTATION_UID).is_valid
    assert (found.StudyInstanceUID, found.FrameOfReferenceUID, found.SOPClassUID) == ("1.2.3", "1.2.3.9", CT)
    for keyword, value in PATIENT.items():
        assert found[keyword].value == value


def test_derivation() -> None:
    found = marked(make(GREY))
    assert list(found.ImageType) == ["DERIVED", "PRIMARY", "AXIAL"]
    assert found.DerivationDescription == "what was done"
    assert found.SeriesDescription == "Thorax super-resolved x2"
    assert code(found, "DerivationCodeSequence") == ("113085", "DCM")
    (source,) = found.SourceImageSequence
    assert (source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID) == (CT, "1.2.3.4.5")
    assert code(source, "PurposeOfReferenceCodeSequence") == ("121322", "DCM")
    (equipment,) = found.ContributingEquipmentSequence
    assert (equipment.Manufacturer, equipment.SoftwareVersions) == ("superres", "9.9")
    assert code(equipment, "PurposeOfReferenceCodeSequence") == ("109103", "DCM")
    assert "SourceImageEvidenceSequence" not in found


def test_what_was_derived_before_says_so_still() -> None:
    earlier = Dataset()
    earlier.CodeValue, earlier.CodingSchemeDesignator, earlier.CodeMeaning = "113040", "DCM", "Lossy Compression"
    found = marked(
        make(
            GREY,
            DerivationDescription="x" * 1020,
            DerivationCodeSequence=[earlier],
            SeriesDescription="y" * 64,
            LossyImageCompression="01",
        )
    )
    assert [item.CodeValue for item in found.DerivationCodeSequence] == ["113040", "113085"]
    assert found.DerivationDescription.endswith("x; what was done") and len(found.DerivationDescription) == 1024
    assert found.SeriesDescription.endswith("y super-resolved x2") and len(found.SeriesDescription) == 64
    assert found.LossyImageCompression == "01"


def test_lossy_codecs_leave_a_mark() -> None:
    assert "LossyImageCompression" not in marked(make(GREY))
    assert marked(make(GREY), syntax=JPEGBaseline8Bit).LossyImageCompression == "01"
    assert marked(make(GREY, LossyImageCompression="00")).LossyImageCompression == "00"


@pytest.mark.parametrize("before", [None, "ORIGINAL", ["ORIGINAL"], ""])
def test_image_type_without_more(before: object) -> None:
    assert list(marked(make(GREY, ImageType=before)).ImageType) == ["DERIVED", "SECONDARY"]


def test_empty_values_of_the_type_stay_in_their_places() -> None:
    found = marked(make(GREY, ImageType=["ORIGINAL", "PRIMARY", "", "M"]))
    assert list(found.ImageType) == ["DERIVED", "PRIMARY", "", "M"]


def test_what_no_longer_holds_is_left_out() -> None:
    stale = {"SmallestImagePixelValue": 1, "LargestImagePixelValue": 2, "InstanceCreationDate": "20200101"}
    found = marked(make(GREY, **stale, IconImageSequence=[Dataset()], DigitalSignaturesSequence=[Dataset()]))
    assert not [keyword for keyword in (*stale, "IconImageSequence", "DigitalSignaturesSequence") if keyword in found]


def frames_of(count: int) -> list[Dataset]:
    groups = []
    for _ in range(count):
        kind, group = Dataset(), Dataset()
        kind.FrameType = ["ORIGINAL", "PRIMARY", "T1", "NONE"]
        group.MRImageFrameTypeSequence = [kind]
        groups.append(group)
    return groups


def test_frames_name_their_own_source() -> None:
    dataset = make(np.stack([GREY] * 2), PerFrameFunctionalGroupsSequence=frames_of(2))
    found = marked(dataset)
    for number, group in enumerate(found.PerFrameFunctionalGroupsSequence, start=1):
        assert list(group.MRImageFrameTypeSequence[0].FrameType) == ["DERIVED", "PRIMARY", "T1", "NONE"]
        (derivation,) = group.DerivationImageSequence
        (source,) = derivation.SourceImageSequence
        assert (source.ReferencedSOPInstanceUID, source.ReferencedFrameNumber) == ("1.2.3.4.5", number)
        assert code(derivation, "DerivationCodeSequence") == ("113085", "DCM")
    (evidence,) = found.SourceImageEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    assert (evidence.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2.3", "1.2.3.4")
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5"


def test_a_derivation_that_all_frames_share_is_not_given_twice() -> None:
    shared = Dataset()
    shared.DerivationImageSequence = [Dataset()]
    dataset = make(GREY, kind=SEGMENTATION, SharedFunctionalGroupsSequence=[shared])
    dataset.PerFrameFunctionalGroupsSequence = frames_of(1)
    found = marked(dataset)
    assert len(shared.DerivationImageSequence) == 2
    assert "ReferencedFrameNumber" not in shared.DerivationImageSequence[1].SourceImageSequence[0]
    assert "DerivationImageSequence" not in found.PerFrameFunctionalGroupsSequence[0]
    assert "SourceImageEvidenceSequence" not in found


def test_files_of_one_run_share_a_series_and_what_they_shared() -> None:
    identities = Identities()
    first, second = (
        marked(make(GREY, SOPInstanceUID=f"1.2.{number}", ConcatenationUID="1.9"), identities) for number in (1, 2)
    )
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.ConcatenationUID == second.ConcatenationUID != "1.9"


def test_an_old_file_without_an_identity_gets_one() -> None:
    found = marked(make(GREY, SOPClassUID=None, SOPInstanceUID=None, SeriesDescription=None))
    assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert UID(found.SOPInstanceUID).is_valid
    assert found.SeriesDescription == "super-resolved x2"
    assert "SourceImageSequence" not in found
