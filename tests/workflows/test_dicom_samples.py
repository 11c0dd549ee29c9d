"""Published DICOM files go through, and another program agrees with what comes out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from dicom_support import Samples, dcmtk, doubled, needs_dcmtk, pixels, value, values
from pydicom.encaps import generate_frames
from tiny_models import open_nearest

from superres.pipeline import Options, Upscaler

pytestmark = needs_dcmtk

FILES = [
    "693_J2KR.dcm",
    "JLSL_16_15_1_1F.dcm",
    "MR-SIEMENS-DICOM-WithOverlays.dcm",
    "MR2_J2KR.dcm",
    "OT-PAL-8-face.dcm",
    "SC_rgb_16bit.dcm",
    "US1_J2KR.dcm",
    "ct_image.dcm",
    "eCT_Supplemental.dcm",
    "emri_small.dcm",
    "emri_small_RLE.dcm",
    "liver.dcm",
    "vlut_04.dcm",
    "series/IMG0001.dcm",
]
_DECODERS = {"1.2.840.10008.1.2.4.80": "dcmdjpls", "1.2.840.10008.1.2.5": "dcmdrle"}


def source_pixels(path: Path, work: Path) -> Samples:
    """(frames, rows, columns[, 3]) of a source, decoded by DCMTK, or for JPEG 2000 by imagecodecs."""
    dataset = pydicom.dcmread(path, force=True)
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if syntax == "1.2.840.10008.1.2.4.90":
        streams = generate_frames(dataset.PixelData, number_of_frames=1)
        return np.stack([imagecodecs.jpeg2k_decode(stream) for stream in streams])
    if syntax in _DECODERS:
        subprocess.run([_DECODERS[syntax], str(path), str(work / "plain.dcm")], check=True, capture_output=True)
        path = work / "plain.dcm"
    return pixels(dcmtk(path))


def without_pixels(path: Path, work: Path) -> Path:
    """A copy that dcm2json takes: it does not take compressed pixels."""
    copy = work / "header.dcm"
    copy.write_bytes(path.read_bytes())
    subprocess.run(["dcmodify", "-nb", "-e", "(7fe0,0010)", str(copy)], check=True, capture_output=True)
    return copy


@pytest.mark.parametrize("name", FILES)
def test_samples(name: str, data_root: Path, tiny_folder: Path, tmp_path: Path) -> None:
    source, target = data_root / "samples" / "dicom" / name, tmp_path / "large.dcm"
    with Upscaler(Options(scale=2, model=f"{tiny_folder}/nearest"), opener=open_nearest) as upscaler:
        upscaler.file(source, target)
    before, found = dcmtk(without_pixels(source, tmp_path)), dcmtk(target)
    small, large = source_pixels(source, tmp_path), pixels(found)
    # The fake network repeats pixels: whatever happens to values on the way must be undone.
    np.testing.assert_array_equal(large, np.stack([doubled(frame) for frame in small]))
    check_fields(before, found)
    assert f"[{value(found, '00080018')}]" in meta_information(target)
    if shutil.which("dciodvfy"):
        assert no_new_departure_from_the_standard(source, target)
    if shutil.which("dcm2pnm"):
        command = ["dcm2pnm", "--quiet", "+on", str(target), str(tmp_path / "shown.png")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def meta_information(path: Path) -> str:
    """The line of dcmdump on which instance a file holds, in the file's own head."""
    done = subprocess.run(["dcmdump", "-Un", "+P", "0002,0003", str(path)], capture_output=True, text=True, check=True)
    return done.stdout


def check_fields(before: dict[str, Any], found: dict[str, Any]) -> None:
    """Every field that an enlargement touches, or must not touch."""
    assert value(found, "00280010") == 2 * value(before, "00280010")
    assert value(found, "00280011") == 2 * value(before, "00280011")
    for tag in ("00280030", "00181164"):
        assert values(found, tag) == pytest.approx([float(step) / 2 for step in values(before, tag)])
    for old, new in zip(places(before), places(found), strict=True):
        spacing, turn, position = old
        expected = [
            p - (spacing[1] * turn[k] + spacing[0] * turn[k + 3]) / 4 if spacing and turn else p
            for k, p in enumerate(position)
        ]
        assert new[2] == pytest.approx(expected, abs=1e-6)
        assert new[0] == pytest.approx([step / 2 for step in spacing])
        assert new[1] == turn
    kept = "00080016 0020000D 00200052 00180050 00180088 00201041 00280101 00280103"
    for tag in [*kept.split(), "00281052", "00281053", "00280120", "00281050", "00281051"]:
        assert found.get(tag) == before.get(tag), tag
    for tag in ("00080018", "0020000E"):
        assert values(found, tag) != values(before, tag)
    assert values(found, "00080008")[0] == "DERIVED"
    assert values(found, "00080008")[1:] == (values(before, "00080008")[1:] or ["SECONDARY"])
    assert "super-resolved" in value(found, "0008103E") and "super-resolved" in value(found, "00082111")
    assert value(value(found, "00082112"), "00081155") == value(before, "00080018")
    assert "00280106" not in found and "00280107" not in found and "00880200" not in found
    colours = value(before, "00280002") == 3
    assert value(found, "00280004") == ("RGB" if colours else value(before, "00280004"))
    if "60003000" in before:
        assert value(found, "60000010") == 2 * value(before, "60000010")
    for region, old_region in zip(values(found, "00186011"), values(before, "00186011"), strict=True):
        for tag in ("0018602C", "0018602E"):
            assert value(region, tag) == pytest.approx(value(old_region, tag) / 2)
        for tag, last in (("00186018", 0), ("0018601A", 0), ("0018601C", 1), ("0018601E", 1)):
            assert value(region, tag) == 2 * value(old_region, tag) + last
    for number, group in enumerate(values(found, "52009230"), start=1):
        derivation = values(group, "00089124")[-1]
        assert value(derivation, "00082111") == value(found, "00082111")
        assert value(value(derivation, "00082112"), "00081160") == number
    for old_group, group in zip(groups(before), groups(found), strict=True):
        for old_type, new_type in zip(frame_types(old_group), frame_types(group), strict=True):
            assert new_type == ["DERIVED", *old_type[1:]]


def groups(elements: dict[str, Any]) -> list[dict[str, Any]]:
    """The functional groups that frames share, and those of each frame."""
    return [*values(elements, "52009229"), *values(elements, "52009230")]


def frame_types(group: dict[str, Any]) -> list[list[str]]:
    """Every FrameType in a functional group."""
    items = [item for element in group.values() if element["vr"] == "SQ" for item in element.get("Value", [])]
    return [values(item, "00089007") for item in items if "00089007" in item]


def places(elements: dict[str, Any]) -> list[tuple[list[float], list[float], list[float]]]:
    """(pixel spacing, orientation, position) of the dataset and of every frame."""
    shared = (values(elements, "52009229") or [{}])[0]

    def of(group: dict[str, Any], sequence: str, tag: str) -> list[float]:
        for one in (group, shared):
            for item in values(one, sequence):
                if tag in item:
                    return [float(number) for number in values(item, tag)]
        return []

    found = [tuple([float(n) for n in values(elements, tag)] for tag in ("00280030", "00200037", "00200032"))]
    for group in values(elements, "52009230"):
        found.append(
            (of(group, "00289110", "00280030"), of(group, "00209116", "00200037"), of(group, "00209113", "00200032"))
        )
    return found  # type: ignore[return-value]


def test_a_series(data_root: Path, tiny_folder: Path, tmp_path: Path) -> None:
    source = data_root / "samples" / "dicom" / "series"
    with Upscaler(Options(scale=2, model=f"{tiny_folder}/nearest"), opener=open_nearest) as upscaler:
        result = upscaler.file(source, tmp_path / "out")
    assert result.target_size == (176, 256)
    found = {path.name: pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / "out").iterdir()}
    assert found.keys() == {path.name for path in source.iterdir()}
    assert len({one.SeriesInstanceUID for one in found.values()}) == 1
    assert len({one.SOPInstanceUID for one in found.values()}) == 17
    for name, one in found.items():
        before = pydicom.dcmread(source / name, stop_before_pixels=True)
        assert one.ImagePositionPatient[2] == before.ImagePositionPatient[2]
        assert one.ImagePositionPatient[:2] == [float(p) + 0.5 for p in before.ImagePositionPatient[:2]]


def no_new_departure_from_the_standard(source: Path, target: Path) -> bool:
    """By David Clunie's dciodvfy: no error that the source does not have."""
    before, found = ({line for line in verdict(path) if line.startswith("Error")} for path in (source, target))
    # What describes how the source was acquired stays, although it may be left out of a derived picture.
    return not {line for line in found - before if "present when condition unsatisfied" not in line}


def verdict(path: Path) -> list[str]:
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace")
    return (done.stdout + done.stderr).splitlines()
