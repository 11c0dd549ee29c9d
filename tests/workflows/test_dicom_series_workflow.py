"""A folder of DICOM files from folder to folder, and as an input of the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_support import MR, Samples, dcmtk, doubled, make, needs_dcmtk, save, smooth, value
from tiny_models import NearestBackend, open_nearest
from typer.testing import CliRunner

from superres.cli.app import app
from superres.cli.jobs import Job, plan, result_suffix
from superres.errors import InputError, OptionError, OutputError
from superres.pipeline import Options, Upscaler

SAMPLES = smooth(8, 9, 0, 4000, frames=4).astype(np.uint16)


@pytest.fixture
def upscaler(tiny_folder: Path) -> Iterator[Upscaler]:
    with Upscaler(Options(scale=2, model=f"{tiny_folder}/nearest"), opener=open_nearest) as one:
        yield one


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Four slices, the highest first by name; without a suffix, as scanners write them."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, frame in enumerate(SAMPLES):
        place = {
            "ImagePositionPatient": [0, 0, -number],
            "SOPInstanceUID": f"1.2.{number}",
            "InstanceNumber": number + 1,
        }
        save(make(frame, stored=12, kind=MR, **place), folder / f"IM{number:04}")
    return folder


def test_a_series(upscaler: Upscaler, scans: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    result = upscaler.file(scans, tmp_path / "out", report=lambda done, all_: seen.append((done, all_)))
    assert (result.source_size, result.target_size, result.networks) == ((9, 8), (18, 16), ("nearest x2",))
    assert seen == [(number, 4) for number in range(1, 5)]
    found = [pydicom.dcmread(path) for path in sorted((tmp_path / "out").iterdir())]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"IM000{number}" for number in range(4)]
    assert len({one.SeriesInstanceUID for one in found}) == 1 and found[0].SeriesInstanceUID != "1.2.3.4"
    assert len({one.SOPInstanceUID for one in found}) == 4
    for number, one in enumerate(found):
        np.testing.assert_array_equal(one.pixel_array, doubled(SAMPLES[number]))
        assert one.InstanceNumber == number + 1 and one.SliceLocation == 30
        assert one.ImagePositionPatient == [-0.0625, -0.125, -number]
        assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == f"1.2.{number}"


def test_slices_see_one_range(tiny_folder: Path, scans: Path, tmp_path: Path) -> None:
    largest: list[float] = []

    class Watching(NearestBackend):
        def run(self, batch: Samples) -> Samples:
            largest.append(float(batch.max()))
            return super().run(batch)

    options = Options(scale=2, model=f"{tiny_folder}/nearest")
    with Upscaler(options, opener=lambda _, model, **__: Watching(model)) as one:
        one.file(scans, tmp_path / "out")
    # From the lowest slice up, each slice's share of the largest value of all.
    assert largest == pytest.approx([float(frame.max()) / 4000 for frame in SAMPLES[::-1]], abs=1e-6)
    assert len(set(largest)) > 1


def test_one_bad_slice_and_nothing_is_written(upscaler: Upscaler, scans: Path, tmp_path: Path) -> None:
    bad = scans / "IM0002"
    bad.write_bytes(bad.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"^IM0002: ends 10 bytes before"):
        upscaler.file(scans, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def test_an_earlier_result_stays(upscaler: Upscaler, scans: Path, tmp_path: Path) -> None:
    upscaler.file(scans, tmp_path / "out")
    before = (tmp_path / "out" / "IM0000").read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        upscaler.file(scans, tmp_path / "out")
    assert (tmp_path / "out" / "IM0000").read_bytes() == before


# The command.


def test_a_folder_of_dicom_files_is_one_job(scans: Path, tmp_path: Path) -> None:
    assert plan([scans], None, "x2", False) == [Job(scans, tmp_path, "scans_x2")]
    assert plan([scans], tmp_path / "out", "x2", False) == [Job(scans, tmp_path / "out", "scans_x2")]
    assert result_suffix("dicom-series", lossy=False, animated=False, wanted=None) == ""


def test_series_below_a_folder(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.png").touch()
    (tmp_path / "DICOMDIR").write_bytes((scans / "IM0000").read_bytes())
    with_photo = [(job.source.name, job.folder, job.stem) for job in plan([tmp_path], tmp_path / "out", "x2", True)]
    assert with_photo == [("photo.png", tmp_path / "out", "photo_x2"), ("scans", tmp_path / "out", "scans_x2")]
    # The results of an earlier run are not enlarged again.
    (tmp_path / "scans_x2").mkdir()
    (tmp_path / "scans_x2" / "IM0000").write_bytes((scans / "IM0000").read_bytes())
    assert [job.source.name for job in plan([tmp_path], None, "x2", True)] == ["photo.png", "scans"]


def test_a_dicom_file_among_pictures_is_a_file(scans: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (scans / "IM0000").rename(folder / "a.dcm")
    (folder / "photo.png").touch()
    assert [job.source.name for job in plan([folder], None, "x2", False)] == ["a.dcm", "photo.png"]


def test_a_series_with_a_picture_beside_is_one_job(upscaler: Upscaler, scans: Path, tmp_path: Path) -> None:
    for file in list(scans.iterdir()):
        file.rename(file.with_suffix(".dcm"))
    (scans / "photo.png").touch()
    assert plan([scans], None, "x2", False) == [
        Job(scans, tmp_path, "scans_x2"),
        Job(scans / "photo.png", scans, "photo_x2"),
    ]
    result = upscaler.file(scans, tmp_path / "out")
    assert "1 other picture(s) in the folder" in result.note
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"IM{number:04}.dcm" for number in range(4)]


@needs_dcmtk
def test_slices_with_a_picture_beside_share_a_series(upscaler: Upscaler, scans: Path, tmp_path: Path) -> None:
    (scans / "photo.png").touch()
    upscaler.file(scans, tmp_path / "out")
    found = [dcmtk(path) for path in (tmp_path / "out").iterdir()]
    assert len({value(one, "0020000E") for one in found}) == 1 and len(found) == 4
    assert {value(one, "00280010") for one in found} == {16}


@pytest.mark.parametrize("wanted", ["jpeg2000", "dicom", "dcm", ".J2K"])
def test_formats_of_dicom(wanted: str) -> None:
    for suffix in ("", ".ima", ".DCM"):
        assert result_suffix("dicom", lossy=False, animated=False, wanted=wanted, suffix=suffix) == ".dcm"


def test_a_format_that_dicom_is_not_written_in() -> None:
    with pytest.raises(OptionError, match=r"format 'png': dicom sources are written as dicom, dcm, jpeg2000"):
        result_suffix("dicom", lossy=False, animated=False, wanted="png", suffix=".dcm")


@pytest.fixture
def run(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[dict[str, str]]]]:
    from superres.cli import batch

    monkeypatch.setattr(batch, "Upscaler", lambda options: Upscaler(options, opener=open_nearest))

    def command(*arguments: str) -> tuple[int, list[dict[str, str]]]:
        model = ["--model", f"{tiny_folder}/nearest", "--scale", "2", "--json"]
        done = CliRunner().invoke(app, ["upscale", *arguments, *model])
        return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]

    return command


def test_the_command(run: Callable[..., tuple[int, list[dict[str, str]]]], scans: Path, tmp_path: Path) -> None:
    code, lines = run(str(scans), "-o", str(tmp_path / "out"))
    assert (code, [line["status"] for line in lines]) == (0, ["done"])
    assert len(list((tmp_path / "out" / "scans_x2").iterdir())) == 4
    code, lines = run(str(scans), "-o", str(tmp_path / "out"))
    assert (code, [line["status"] for line in lines]) == (0, ["skipped"])
    code, lines = run(str(scans / "IM0000"), "--format", "jpeg2000")
    assert (code, Path(lines[0]["target"]).name) == (0, "IM0000_x2.dcm")
    code, lines = run(str(scans / "IM0000"), "--format", "png")
    assert code != 0 and "written as dicom" in lines[0]["error"]
