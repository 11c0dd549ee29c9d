"""DICOM results as SimpleITK (GDCM) reads them: a second reader that needs no program of the system."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_support import CT, MR, PATIENT, doubled, make, save, smooth
from tiny_models import open_nearest

from superres.pipeline import Options, Upscaler


@pytest.fixture(scope="session")
def itk() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import SimpleITK
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return SimpleITK


def header(itk: Any, path: Path) -> dict[str, str]:
    """Tag -> value, of all but sequences."""
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.LoadPrivateTagsOn()
    reader.ReadImageInformation()
    return {tag: reader.GetMetaData(tag).strip() for tag in reader.GetMetaDataKeys()}


def check_place(before: Any, after: Any) -> None:
    """The same field of view, corner by corner, in pixels of half the size."""
    assert after.GetSize() == tuple(2 * n if axis < 2 else n for axis, n in enumerate(before.GetSize()))
    spacing = [step / 2 if axis < 2 else step for axis, step in enumerate(before.GetSpacing())]
    assert after.GetSpacing() == pytest.approx(spacing)
    assert after.GetDirection() == pytest.approx(before.GetDirection())
    for ends in itertools.product(*[(-0.5, length - 0.5) for length in before.GetSize()[:2]]):
        rest = [0.0] * (before.GetDimension() - 2)
        old = before.TransformContinuousIndexToPhysicalPoint([*ends, *rest])
        new = after.TransformContinuousIndexToPhysicalPoint([2 * ends[0] + 0.5, 2 * ends[1] + 0.5, *rest])
        np.testing.assert_allclose(new, old, atol=1e-4)


def enlarge(tiny_folder: Path, source: Path, target: Path) -> Path:
    with Upscaler(Options(scale=2, model=f"{tiny_folder}/nearest"), opener=open_nearest) as upscaler:
        upscaler.file(source, target)
    return target


@pytest.mark.parametrize("turn", [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [0.8, 0.6, 0, 0, 0, -1]])
def test_every_field(turn: list[float], itk: Any, tiny_folder: Path, tmp_path: Path) -> None:
    samples = smooth(14, 20, 0, 4000).astype(np.uint16)
    more: dict[str, Any] = {
        "LossyImageCompression": "01",
        "RescaleSlope": "0.5",
        "RescaleIntercept": "-100",
        "RescaleType": "HU",
    }
    more |= {"SmallestImagePixelValue": 0, "LargestImagePixelValue": 4000, "ImagerPixelSpacing": [1, 2]}
    more |= {"ImageOrientationPatient": turn, "WindowCenter": "40", "WindowWidth": "400"}
    source = save(make(samples, stored=12, **more), tmp_path / "a.dcm")
    target = enlarge(tiny_folder, source, tmp_path / "b.dcm")
    small, large = itk.ReadImage(str(source)), itk.ReadImage(str(target))
    check_place(small, large)
    # In modality units.
    np.testing.assert_array_equal(itk.GetArrayFromImage(large)[0], doubled(itk.GetArrayFromImage(small)[0]))
    before, after = header(itk, source), header(itk, target)
    kept = "0020|000d 0020|0052 0020|0013 0018|0050 0018|0088 0020|1041 0028|0004 0028|0100 0028|0101 0028|0102"
    for tag in [*kept.split(), "0028|0103", "0028|1050", "0028|1051", "0028|1052", "0028|1053", "0028|1054"]:
        assert after[tag] == before[tag], tag
    assert [after[tag] for tag in ("0010|0010", "0010|0020", "0008|0050")] == [
        PATIENT[keyword] for keyword in ("PatientName", "PatientID", "AccessionNumber")
    ]
    assert (after["0028|0010"], after["0028|0011"]) == ("28", "40")
    assert [float(n) for n in after["0018|1164"].split("\\")] == [0.5, 1]
    assert after["0008|0016"] == CT
    for tag in ("0008|0018", "0020|000e"):
        assert after[tag] != before[tag]
    assert after["0008|0008"] == "DERIVED\\PRIMARY\\AXIAL"
    assert "super-resolved" in after["0008|2111"] and after["0008|103e"].startswith("Thorax super-resolved")
    assert after["0028|2110"] == "01"
    assert not {"0028|0106", "0028|0107"} & after.keys()


def test_a_series_is_one_volume(itk: Any, tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    frames = smooth(9, 8, 0, 4000, frames=4).astype(np.uint16)
    for number, frame in enumerate(frames):
        place = {"ImagePositionPatient": [5, 6, 4 * number], "SOPInstanceUID": f"1.2.{number}"}
        save(make(frame, stored=12, kind=MR, **place), tmp_path / "small" / f"s{3 - number}.dcm")
    enlarge(tiny_folder, tmp_path / "small", tmp_path / "large")
    volumes = []
    for folder in (tmp_path / "small", tmp_path / "large"):
        (uid,) = itk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        volumes.append(itk.ReadImage(itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)))
    check_place(*volumes)
    np.testing.assert_array_equal(itk.GetArrayFromImage(volumes[1]), np.stack([doubled(one) for one in frames]))


# Whether GDCM finds a place in them: it knows no spacing of the others.
SAMPLES = {
    "693_J2KR.dcm": True,
    "JLSL_16_15_1_1F.dcm": False,
    "MR-SIEMENS-DICOM-WithOverlays.dcm": True,
    "MR2_J2KR.dcm": True,
    "ct_image.dcm": True,
    "emri_small.dcm": False,
    "emri_small_RLE.dcm": False,
    "vlut_04.dcm": False,
    "series/IMG0001.dcm": True,
}


@pytest.mark.parametrize(("name", "placed"), SAMPLES.items())
def test_samples(name: str, placed: bool, itk: Any, data_root: Path, tiny_folder: Path, tmp_path: Path) -> None:
    source = data_root / "samples" / "dicom" / name
    if not source.is_file():
        pytest.skip(f"NO SAMPLE: {source} is absent")
    target = enlarge(tiny_folder, source, tmp_path / "large.dcm")
    small, large = itk.ReadImage(str(source)), itk.ReadImage(str(target))
    assert (small.GetSpacing()[:2] != (1, 1)) is placed
    if placed:
        check_place(small, large)
    pairs = zip(itk.GetArrayFromImage(small), itk.GetArrayFromImage(large), strict=True)
    assert all(np.array_equal(doubled(one), other) for one, other in pairs)
