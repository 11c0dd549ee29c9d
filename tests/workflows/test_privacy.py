"""Nothing that a header tells of a patient gets out: into what is printed, logged or raised, or into names of files.

Of the workflow alone: ``test_dicom_workflow.py``.  Here the command, and NIfTI, whose header has free text.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_support import MR, SECRETS, leaks, make, save, smooth

from superres.cli import main

VALUES = smooth(8, 9, 0, 4000, frames=4).astype(np.uint16)


def dicom(folder: Path) -> None:
    save(make(VALUES, stored=12), folder / "many.dcm")
    whole = (folder / "many.dcm").read_bytes()
    (folder / "cut.dcm").write_bytes(whole[:-80])
    (folder / "bent.dcm").write_bytes(whole.replace(b"4\\30 ", b"x\\zz ").replace(b"10\\-20\\30", b"a\\b\\Zykxw"))
    (folder / "series").mkdir()
    for number, frame in enumerate(VALUES):
        place = {"ImagePositionPatient": [0, 0, number], "SOPInstanceUID": f"1.2.{number}"}
        save(make(frame, stored=12, kind=MR, **place), folder / "series" / f"s{number}.dcm")
    shutil.copytree(folder / "series", folder / "mixed")
    save(make(VALUES[0], stored=12, PixelSpacing=[3, 3]), folder / "mixed" / "other.dcm")


def nifti(folder: Path) -> None:
    image = nib.Nifti1Image(np.moveaxis(VALUES, 0, 2), np.diag([1, 1, 4, 1]))
    header = image.header
    header["descrip"], header["db_name"], header["aux_file"] = b"Zykxwv^Quorl 19310713", b"PID-84915573", b"Grubbelwock"
    header["intent_name"] = b"20030917"
    header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"ACC-55102 Zykxwv"))
    nib.save(image, folder / "many.nii.gz")
    nib.save(image, folder / "plain.nii")
    (folder / "cut.nii").write_bytes((folder / "plain.nii").read_bytes()[:-40])
    whole = bytearray((folder / "plain.nii").read_bytes())
    whole[70:72] = b"\x63\x00"  # a type of samples that there is not
    (folder / "odd.nii").write_bytes(bytes(whole))


@pytest.mark.parametrize("fill", [dicom, nifti])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_command(
    fill: Callable[[Path], None],
    more: list[str],
    tiny_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    source, spool = tmp_path / "scans", tmp_path / "spool"
    source.mkdir()
    spool.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spool))
    fill(source)
    names: set[str] = set()
    real = os.fsync

    def watched(descriptor: int) -> None:
        """Every result is synced under its temporary name."""
        names.update(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    arguments = ["upscale", str(source), "-o", str(tmp_path / "out"), "--recursive", "--scale", "2"]
    # Some are damaged: those are told of, the others are done.
    assert main([*arguments, "--model", f"{tiny_folder}/tiny", "--threads", "1", *more]) == 2
    names.update(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*"))
    printed = "".join(capfd.readouterr())
    assert "cut" in printed
    assert any(name.endswith(".part") for name in names)
    assert not list(leaks(printed, caplog.text, *names))


def test_the_results_do_say_whose_they_are(tiny_folder: Path, tmp_path: Path) -> None:
    """Else the test above would say nothing."""
    dicom(tmp_path)
    target = tmp_path / "large.dcm"
    assert main(["upscale", str(tmp_path / "many.dcm"), "-o", str(target), "--model", f"{tiny_folder}/tiny",
                 "--scale", "2"]) == 0  # fmt: skip
    assert all(secret.encode() in target.read_bytes() for secret in SECRETS)
