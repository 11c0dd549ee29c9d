"""Whose picture an enlarged DICOM file is: a new instance of a new series, derived from the source and saying so.

PS3.3 C.7.6.1 (General Image), C.7.6.16.2.6 (Derivation Image) and C.12.1 (SOP Common).  The patient, the study and the
frame of reference stay.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from superres.formats.dicom_frames import LOSSY_SYNTAXES
from superres.formats.dicom_meaning import SEGMENTATIONS, functional_groups

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["IMPLEMENTATION_UID", "Identities", "mark_derived"]

#: Says which program wrote a file; made once, by the rule of PS3.5 B.2 for UIDs of one's own.
IMPLEMENTATION_UID = "2.25.57761844965815470167435841844199823686"

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
# What no longer holds: extremes and icons of other pixels, offsets, signatures, and who made the source when.
_STALE = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane",
    "IconImageSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelDataProviderURL",
    "MACParametersSequence",
    "DigitalSignaturesSequence",
    "InstanceCreationDate",
    "InstanceCreationTime",
    "InstanceCreatorUID",
)
# Characters that an LO and an ST element hold.
_LONG, _SHORT_TEXT = 64, 1024


class Identities:
    """New UIDs for the results of one run: files that shared one share one again.

    Attributes:
        series: of all of them.
    """

    def __init__(self) -> None:
        self.series = _new_uid()
        self._renewed: dict[str, str] = {}

    def renewed(self, uid: str) -> str:
        """The new UID in place of ``uid``, the same at every call."""
        return self._renewed.setdefault(uid, _new_uid())


def _new_uid() -> str:
    """A UID from a random UUID: PS3.5 B.2.  Random, for two runs may differ in the network's last bit."""
    return f"2.25.{uuid.uuid4().int}"


def mark_derived(dataset: Dataset, syntax: str, identities: Identities, title: str, account: str, version: str) -> None:
    """Give a copy of a source's dataset an identity of its own, in place.

    Args:
        dataset: of the source, with its file meta information.
        syntax: transfer syntax of the source.
        identities: of this run.
        title: joins the series' description: ``super-resolved x2``.
        account: what was done, a sentence for DerivationDescription.
        version: of superres.
    """
    kind = dataset.get("SOPClassUID", None) or dataset.file_meta.get("MediaStorageSOPClassUID", None)
    instance = dataset.get("SOPInstanceUID", None) or dataset.file_meta.get("MediaStorageSOPInstanceUID", None)
    for keyword in _STALE:
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.SOPClassUID = kind or _SECONDARY_CAPTURE
    dataset.SOPInstanceUID = _new_uid() if instance is None else identities.renewed(str(instance))
    series = str(dataset.get("SeriesInstanceUID", None) or "")
    dataset.SeriesInstanceUID = identities.series
    for keyword in ("ConcatenationUID", "SOPInstanceUIDOfConcatenationSource"):
        if keyword in dataset:
            setattr(dataset, keyword, identities.renewed(str(dataset[keyword].value)))
    described = str(dataset.get("SeriesDescription", None) or "").strip()
    dataset.SeriesDescription = f"{described[: _LONG - len(title) - 1]} {title}".strip()
    _mark_types(dataset)
    before = str(dataset.get("DerivationDescription", None) or "").strip()
    dataset.DerivationDescription = f"{before[: _SHORT_TEXT - len(account) - 2]}; {account}" if before else account
    _append(dataset, "DerivationCodeSequence", _code("113085", "Spatial resampling"))
    _append(dataset, "ContributingEquipmentSequence", _equipment(title, version))
    if syntax in LOSSY_SYNTAXES:
        dataset.LossyImageCompression = "01"
    if kind is not None and instance is not None:
        _point_to_source(dataset, series, str(kind), str(instance), account)


def _mark_types(dataset: Dataset) -> None:
    """ImageType, and FrameType in every functional group that has one: the first value is DERIVED."""
    values = list(_several(dataset.get("ImageType", None)))
    dataset.ImageType = ["DERIVED", *(values[1:] or ["SECONDARY"])]
    shared, frames = functional_groups(dataset)
    for group in [*([] if shared is None else [shared]), *frames]:
        for element in group:
            if element.VR == "SQ":
                for item in element.value:
                    if item.get("FrameType", None):
                        item.FrameType = ["DERIVED", *list(_several(item.FrameType))[1:]]


def _several(value: object) -> list[str]:
    """The values of an element that may have none, one or several."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(part) for part in value]  # type: ignore[attr-defined]


def _point_to_source(dataset: Dataset, series: str, kind: str, instance: str, account: str) -> None:
    """Name the source: for the whole, and frame by frame where there are functional groups."""
    from pydicom import Dataset as NewDataset

    dataset.SourceImageSequence = [_reference(kind, instance, None)]
    shared, frames = functional_groups(dataset)
    if frames and kind not in SEGMENTATIONS:  # which list their references in a sequence of their own
        _append(dataset, "SourceImageEvidenceSequence", _evidence(dataset, series, kind, instance))
    common = shared is not None and "DerivationImageSequence" in shared
    for number, group in enumerate([shared] if common and shared is not None else frames, start=1):
        item = NewDataset()
        item.DerivationDescription = account
        item.DerivationCodeSequence = [_code("113085", "Spatial resampling")]
        item.SourceImageSequence = [_reference(kind, instance, None if common else number)]
        _append(group, "DerivationImageSequence", item)


def _evidence(dataset: Dataset, series: str, kind: str, instance: str) -> Dataset:
    """Where the source of the frames is found: its study, its series and itself."""
    from pydicom import Dataset as NewDataset

    source, within, item = NewDataset(), NewDataset(), NewDataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = kind, instance
    within.SeriesInstanceUID, within.ReferencedSOPSequence = series, [source]
    item.StudyInstanceUID, item.ReferencedSeriesSequence = dataset.get("StudyInstanceUID", ""), [within]
    return item


def _reference(kind: str, instance: str, frame: int | None) -> Dataset:
    from pydicom import Dataset as NewDataset

    item = NewDataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = kind, instance
    if frame is not None:
        item.ReferencedFrameNumber = frame
    item.PurposeOfReferenceCodeSequence = [_code("121322", "Source image for image processing operation")]
    return item


def _code(value: str, meaning: str) -> Dataset:
    """A coded term of the standard's own scheme: PS3.16 D."""
    from pydicom import Dataset as NewDataset

    item = NewDataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _equipment(title: str, version: str) -> Dataset:
    """superres, as what modified the picture."""
    from pydicom import Dataset as NewDataset

    item = NewDataset()
    item.PurposeOfReferenceCodeSequence = [_code("109103", "Modifying Equipment")]
    item.Manufacturer, item.ManufacturerModelName, item.SoftwareVersions = "superres", "superres", version
    item.ContributionDescription = title
    return item


def _append(dataset: Dataset, keyword: str, item: Dataset) -> None:
    """Add an item to a sequence that need not be there yet."""
    setattr(dataset, keyword, [*(dataset.get(keyword, None) or []), item])
