"""A folder as one series: what belongs together, and in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_support import leaks, make, save, smooth

from superres.errors import LimitError, OutputError, UnsupportedFormatError
from superres.formats import Limits
from superres.formats.dicom_folder import placed_folder
from superres.formats.dicom_series import open_series
from superres.formats.kinds import is_dicom_series, kind_of

GREY = smooth(6, 8, 0, 4000).astype(np.uint16)


def slices(folder: Path, *positions: float, **more: object) -> Path:
    folder.mkdir(exist_ok=True)
    for number, z in enumerate(positions):
        one = {"ImagePositionPatient": [0, 0, z], "SOPInstanceUID": f"1.2.3.{number + 1}", "InstanceNumber": 1, **more}
        save(make(GREY, **one), folder / f"s{number}")
    return folder


def names(folder: Path) -> list[str]:
    return [file.name for file in open_series(folder, Limits())]


def test_order_of_position(tmp_path: Path) -> None:
    assert names(slices(tmp_path / "a", 5, -10, 0)) == ["s1", "s2", "s0"]


def test_position_counts_along_the_normal(tmp_path: Path) -> None:
    # Sagittal: along a row to the back, along a column down; the normal points to -x.
    folder = tmp_path / "a"
    folder.mkdir()
    for number, x in enumerate((3, -5, 0)):
        place = {"ImagePositionPatient": [x, 9 - number, 5], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}
        save(make(GREY, SOPInstanceUID=f"1.2.{number}", **place), folder / f"s{number}")
    assert names(folder) == ["s0", "s2", "s1"]


def test_without_a_position_numbers_count(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for number, instance in enumerate((10, 9, 11)):
        more = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "SOPInstanceUID": f"1.2.{number}"}
        save(make(GREY, InstanceNumber=instance, **more), folder / f"s{number}")
    assert names(folder) == ["s1", "s0", "s2"]


def test_other_files_do_not_matter(tmp_path: Path) -> None:
    folder = slices(tmp_path / "a", 0, 1)
    (folder / "readme.txt").write_text("no picture")
    (folder / ".hidden").write_bytes((folder / "s0").read_bytes())
    (folder / "DICOMDIR").write_bytes((folder / "s0").read_bytes())
    (folder / "below").mkdir()
    assert is_dicom_series(folder) and kind_of(folder) == "dicom-series"
    assert names(folder) == ["s0", "s1"]


def test_folders_that_are_no_series(tmp_path: Path) -> None:
    assert not is_dicom_series(tmp_path)
    folder = slices(tmp_path / "a", 0)
    (folder / "scan.nii.gz").touch()
    assert not is_dicom_series(folder)  # a DICOM file among pictures is one of them
    assert kind_of(folder) == "frames"  # whose reader says what is no picture there


@pytest.mark.parametrize("beside", ["photo.png", "scan.nii.gz", "000.TIF"])
def test_a_series_with_other_pictures_beside_stays_one(beside: str, tmp_path: Path) -> None:
    folder = slices(tmp_path / "a", 1, 0)
    (folder / beside).touch()
    assert is_dicom_series(folder) and kind_of(folder) == "dicom-series"
    assert names(folder) == ["s1", "s0"]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"SeriesInstanceUID": "1.2.9"}, "of different series"),
        ({"FrameOfReferenceUID": "1.2.9"}, "frames of reference"),
        ({"PixelSpacing": [0.5, 0.26]}, "pixel spacing"),
        ({"PixelSpacing": None}, "pixel spacing"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "in orientation"),
        ({"ImagePositionPatient": None}, "a position in the patient"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "what their samples mean"),
        ({"Rows": 3, "Columns": 16}, "in size: 16 x 3 and 8 x 6 pixels"),
    ],
)
def test_what_does_not_belong_together_is_named(more: dict[str, object], what: str, tmp_path: Path) -> None:
    folder = slices(tmp_path / "a", 0, 1, 2)
    odd = {"ImagePositionPatient": [0, 0, 3], "SOPInstanceUID": "1.2.7", **more}
    save(make(GREY, **odd), folder / "odd.dcm")
    with pytest.raises(UnsupportedFormatError) as caught:
        open_series(folder, Limits())
    message = str(caught.value)
    assert what in message and "odd.dcm" in message and "s0" in message
    assert str(tmp_path) not in message and not list(leaks(message))


def test_rounded_directions_are_the_same(tmp_path: Path) -> None:
    folder = slices(tmp_path / "a", 0, 1)
    near = {"ImageOrientationPatient": [0.999999, 0.0004, 0, 0, 1, 0], "PixelSpacing": [0.5, 0.2500001]}
    save(make(GREY, ImagePositionPatient=[0, 0, 2], SOPInstanceUID="1.2.8", **near), folder / "near")
    assert len(names(folder)) == 3


def test_a_picture_that_is_there_twice(tmp_path: Path) -> None:
    folder = slices(tmp_path / "a", 0, 1)
    (folder / "copy").write_bytes((folder / "s0").read_bytes())
    with pytest.raises(UnsupportedFormatError, match="copy and s0 are the same picture twice"):
        open_series(folder, Limits())


def test_a_report_among_the_slices(tmp_path: Path) -> None:
    folder = slices(tmp_path / "a", 0, 1)
    report = make(GREY, kind="1.2.840.10008.5.1.4.1.1.88.11", Rows=None)
    save(report, folder / "report.dcm")
    with pytest.raises(UnsupportedFormatError, match=r"^report\.dcm: is a DICOM file without a picture"):
        open_series(folder, Limits())


def test_all_slices_together_count(tmp_path: Path) -> None:
    folder = slices(tmp_path / "a", 0, 1, 2)
    with pytest.raises(LimitError, match="8 x 6 pixels x 3 frame"):
        open_series(folder, Limits(input_pixels=100))


# The folder of a result.


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with placed_folder(target, tmp_path / "in") as folder:
        (folder / "a").write_text("x")
        assert not target.exists()
        assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (target / "a").read_text() == "x"


def test_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), placed_folder(tmp_path / "out", tmp_path / "in") as folder:
        (folder / "a").write_text("x")
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_is_replaced_only_when_asked_and_only_whole(tmp_path: Path) -> None:
    target = slices(tmp_path / "out", 0)
    before = (target / "s0").read_bytes()
    with pytest.raises(OutputError, match="--overwrite"), placed_folder(target, tmp_path / "in"):
        pass
    with pytest.raises(ZeroDivisionError), placed_folder(target, tmp_path / "in", overwrite=True):
        _ = 1 / 0
    assert (target / "s0").read_bytes() == before
    with placed_folder(target, tmp_path / "in", overwrite=True) as folder:
        (folder / "new").write_text("x")
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_earlier_result_comes_back_when_the_new_one_cannot_be_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rename = slices(tmp_path / "out", 0), Path.rename

    def failing(self: Path, other: Path) -> Path:
        if (self / "new").exists():
            raise OSError(28, "No space left on device")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", failing)
    with (
        pytest.raises(OutputError, match="disk is full"),
        placed_folder(target, tmp_path / "in", overwrite=True) as folder,
    ):
        (folder / "new").write_text("x")
    assert [path.name for path in target.iterdir()] == ["s0"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_folders_that_are_not_written(tmp_path: Path) -> None:
    source = slices(tmp_path / "in", 0)
    for target, what in (
        (source, "within the input"),
        (source / "out", "within the input"),
        (tmp_path, "holds it"),
        (tmp_path / "no" / "out", "does not exist"),
        (source / "s0" / "x", "does not exist"),
    ):
        with pytest.raises(OutputError, match=what), placed_folder(target, source, overwrite=True):
            pass
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"), placed_folder(tmp_path / "file", source, overwrite=True):
        pass
    mixed = slices(tmp_path / "mixed", 0)
    (mixed / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="holds more than DICOM files"), placed_folder(mixed, source, overwrite=True):
        pass
    assert (mixed / "thesis.txt").exists()
