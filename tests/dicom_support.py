"""Small DICOM files for tests, and DCMTK as the second reader."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian

Samples = npt.NDArray[Any]

CT, MR, SECONDARY = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"
SEGMENTATION, ULTRASOUND = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.6.1"

#: Whatever is printed, logged, raised or named must hold none of these.
PATIENT = {
    "PatientName": "Zykxwv^Quorl",
    "PatientID": "PID-84915573",
    "PatientBirthDate": "19310713",
    "StudyDate": "20030917",
    "AccessionNumber": "ACC-55102",
    "InstitutionName": "Grubbelwock Clinic",
}
SECRETS = ("Zykxwv", "Quorl", "84915573", "19310713", "20030917", "55102", "Grubbelwock")

needs_dcmtk = pytest.mark.skipif(
    shutil.which("dcm2json") is None or shutil.which("dcmdump") is None,
    reason="NO SECOND READER: dcm2json and dcmdump of DCMTK are absent; apt-get install dcmtk",
)


def smooth(rows: int, columns: int, low: int, high: int, frames: int = 0, seed: int = 0) -> Samples:
    """Whole numbers from ``low`` to ``high``, both met, in shapes on which a shift of a pixel shows."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(np.cumsum(rng.normal(size=(frames or 1, rows, columns)), -2), -1)
    unit = (walk - walk.min()) / max(np.ptp(walk), 1e-9)
    values = np.rint(low + unit * (high - low)).astype(np.int64)
    return values if frames else values[0]


def make(
    samples: Samples, *, photometric: str = "MONOCHROME2", stored: int = 0, kind: str = CT, **more: Any
) -> Dataset:
    """A dataset with a patient, an identity and a place.

    Args:
        samples: (rows, columns), (frames, rows, columns), or with 3 colours last for RGB and YBR; its dtype says bits
            allocated and sign.
        stored: bits stored, 0 for all.
        more: elements by keyword; None removes one.
    """
    colours = 3 if photometric.startswith(("RGB", "YBR")) else 1
    shape = samples.shape[:-1] if colours == 3 else samples.shape
    bits = samples.dtype.itemsize * 8
    dataset = Dataset()
    for keyword, value in PATIENT.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, "1.2.3.4.5"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.3.9"
    dataset.ImageType, dataset.SeriesDescription, dataset.Modality = ["ORIGINAL", "PRIMARY", "AXIAL"], "Thorax", "CT"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [10, -20, 30], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness, dataset.SpacingBetweenSlices = [0.5, 0.25], 5, 4
    dataset.SliceLocation, dataset.InstanceNumber = 30, 7
    dataset.Rows, dataset.Columns = shape[-2:]
    if len(shape) == 3:
        dataset.NumberOfFrames = shape[0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = colours, photometric
    if colours == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored = bits, stored or bits
    dataset.HighBit, dataset.PixelRepresentation = (stored or bits) - 1, int(samples.dtype.kind == "i")
    dataset.PixelData = samples.astype(samples.dtype.newbyteorder("<")).tobytes() + b"\0" * (samples.nbytes % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    for keyword, value in more.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def save(
    dataset: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian, streams: list[bytes] | None = None
) -> Path:
    """Write it; with ``streams`` these are the compressed frames."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    if streams is not None:
        dataset.PixelData = encapsulate(streams)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path, enforce_file_format=True)
    return path


def dcmtk(path: Path) -> dict[str, Any]:
    """Tag -> {vr, Value or InlineBinary}, as DCMTK reads a file."""
    done = subprocess.run(["dcm2json", str(path)], capture_output=True, check=True)
    # DCMTK keeps the writer's digits, and JSON knows no number such as 01.
    return dict(json.loads(done.stdout, parse_constant=str))


def values(elements: dict[str, Any], tag: str) -> list[Any]:
    """The values of an element, [] without one."""
    return list(elements.get(tag, {}).get("Value", []))


def value(elements: dict[str, Any], tag: str) -> Any:
    """The only value of an element."""
    (only,) = values(elements, tag)
    return only


def pixels(elements: dict[str, Any]) -> Samples:
    """(frames, rows, columns[, 3]) from what DCMTK read of an uncompressed file."""
    bits, signed = value(elements, "00280100"), value(elements, "00280103")
    rows, columns, colours = (value(elements, tag) for tag in ("00280010", "00280011", "00280002"))
    data = base64.b64decode(elements["7FE00010"]["InlineBinary"])
    if bits == 1:
        flat = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    else:
        flat = np.frombuffer(data, f"<{'i' if signed else 'u'}{bits // 8}")
        # The bits above the stored ones do not count, and decoders leave there what they like.
        unused = bits - value(elements, "00280101")
        flat = flat << unused >> unused
    frames = int((values(elements, "00280008") or [1])[0])
    shape = (frames, rows, columns, *([colours] if colours > 1 else []))
    return flat[: int(np.prod(shape))].reshape(shape)


def doubled(samples: Samples) -> Samples:
    """Every pixel four times: what the fake networks make of a picture at x2."""
    return samples.repeat(2, axis=0).repeat(2, axis=1)


def leaks(*texts: str) -> Iterator[str]:
    """The secrets that stand in any of the texts."""
    for secret in SECRETS:
        if any(secret in text for text in texts):
            yield secret
