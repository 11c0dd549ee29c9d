"""A folder of DICOM files as one series: in order of position, and refused when its pictures do not belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from superres.errors import InputError, UnsupportedFormatError
from superres.formats.base import Limits
from superres.formats.dicom import DicomFile, open_dicom
from superres.formats.dicom_guard import guarded
from superres.formats.dicom_sniff import dicom_files

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["open_series"]

#: Direction cosines and spacings are written with few digits: what differs by less is the same.
_SAME = 1e-3


@dataclass(frozen=True)
class _Placed:
    """One file and what must agree within a series."""

    file: DicomFile
    series: str
    instance: str
    reference: str
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    position: tuple[float, ...]
    number: int


def open_series(folder: Path, limits: Limits) -> list[DicomFile]:
    """Open every DICOM file of a folder, sorted along the slices' normal, else by instance number.

    Files are called by their names alone.

    Raises:
        InputError: a file cannot be used, or two do not belong to one series: both are named.
        LimitError: all of them together declare more pixels than ``limits`` allow.
    """
    placed = [_placed(open_dicom(path, path.name, limits)) for path in dicom_files(folder)]
    if not placed:
        raise InputError(f"{folder}: holds no DICOM files")
    for other in placed[1:]:
        _compare(placed[0], other)
    _refuse_copies(placed)
    first = placed[0].file.layout
    limits.check_input(str(folder), first.columns, first.rows, sum(one.file.layout.frames for one in placed))
    return [one.file for one in sorted(placed, key=_order)]


def _placed(file: DicomFile) -> _Placed:
    dataset = file.dataset
    with guarded(file.name, "its place in the patient"):
        return _Placed(
            file=file,
            series=str(dataset.get("SeriesInstanceUID", None) or ""),
            instance=str(dataset.get("SOPInstanceUID", None) or ""),
            reference=str(dataset.get("FrameOfReferenceUID", None) or ""),
            orientation=_numbers(dataset, "ImageOrientationPatient"),
            spacing=_numbers(dataset, "PixelSpacing"),
            position=_numbers(dataset, "ImagePositionPatient"),
            number=int(dataset.get("InstanceNumber", None) or 0),
        )


def _numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    return tuple(float(number) for number in dataset.get(keyword, None) or ())


def _order(one: _Placed) -> tuple[float, int, str]:
    """Along the normal, then by number, then by name."""
    along = 0.0
    if len(one.orientation) == 6 and len(one.position) == 3:
        normal = np.cross(one.orientation[:3], one.orientation[3:])
        along = float(np.dot(normal, one.position))
    return along, one.number, one.file.name


def _compare(first: _Placed, other: _Placed) -> None:
    a, b = first.file.layout, other.file.layout
    what = ""
    if first.series != other.series:
        what = "are of different series"
    elif (a.rows, a.columns) != (b.rows, b.columns):
        what = f"differ in size: {a.columns} x {a.rows} and {b.columns} x {b.rows} pixels"
    elif (a.photometric, a.labels) != (b.photometric, b.labels):
        what = "differ in what their samples mean: grey, colours, a palette or labels"
    elif first.reference != other.reference:
        what = "have different frames of reference"
    elif not _same(first.spacing, other.spacing):
        what = "differ in pixel spacing"
    elif not _same(first.orientation, other.orientation):
        what = "differ in orientation"
    elif len(first.position) != len(other.position):
        what = "have a position in the patient, one of them, and none, the other"
    if what:
        raise UnsupportedFormatError(
            f"{first.file.name} and {other.file.name} {what}; put each series into a folder of its own"
        )


def _same(a: Sequence[float], b: Sequence[float]) -> bool:
    return len(a) == len(b) and all(abs(x - y) <= _SAME * max(1.0, abs(x)) for x, y in zip(a, b, strict=True))


def _refuse_copies(placed: Sequence[_Placed]) -> None:
    seen: dict[str, str] = {}
    for one in placed:
        if one.instance and one.instance in seen:
            raise UnsupportedFormatError(
                f"{seen[one.instance]} and {one.file.name} are the same picture twice; take one of them away"
            )
        seen[one.instance] = one.file.name
