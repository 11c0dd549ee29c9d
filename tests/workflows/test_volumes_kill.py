"""Scans: a run that is killed or interrupted leaves the old result or the whole new one, and nothing in the way."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom_support import MR, Samples, doubled, make, save, smooth

ROOT = Path(__file__).resolve().parents[2]
SLICES = 5

# Each picture takes a while, and is told of once it is made.
_CHILD = """
import sys, time
from pathlib import Path
from superres.pipeline import Options, Upscaler

class Slow:
    precision, lanes = "fp32", 1

    def run(self, batch):
        time.sleep(0.05)
        return batch.repeat(2, axis=2).repeat(2, axis=3)

    def close(self):
        pass

folder, source, target = map(Path, sys.argv[1:])
options = Options(scale=2, model="nearest", overwrite=True)
with Upscaler(options, folder=folder, opener=lambda *_, **__: Slow()) as upscaler:
    upscaler.file(source, target, report=lambda done, total: print(done, total, flush=True))
print("finished", flush=True)
"""


def child(folder: Path, source: Path, target: Path) -> subprocess.Popen[str]:
    arguments = [str(argument) for argument in (folder, source, target)]
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def values() -> Samples:
    return smooth(9, 8, 0, 4000, frames=SLICES).astype(np.uint16)


def dicom(folder: Path) -> Path:
    return save(make(values(), stored=12), folder / "small.dcm")


def series(folder: Path) -> Path:
    (folder / "small").mkdir()
    for number, frame in enumerate(values()):
        place = {"ImagePositionPatient": [0, 0, number], "SOPInstanceUID": f"1.2.{number}"}
        save(make(frame, stored=12, kind=MR, **place), folder / "small" / f"s{number}.dcm")
    return folder / "small"


def nifti(folder: Path) -> Path:
    path = folder / "small.nii.gz"
    nib.save(nib.Nifti1Image(np.moveaxis(values(), 0, 2), np.eye(4)), path)
    return path


def read(path: Path) -> Samples:
    """(slices, rows, columns) of a result, which is to be whole."""
    if path.is_dir():
        assert len(list(path.iterdir())) == SLICES
        return np.stack([pydicom.dcmread(one).pixel_array for one in sorted(path.iterdir())])
    if path.suffix == ".dcm":
        array: Samples = pydicom.dcmread(path).pixel_array
        return array
    return np.moveaxis(np.asarray(nib.load(path).dataobj), 2, 0)


def old(source: Path, target: Path) -> None:
    """An earlier result of another picture: the source itself."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


kinds = pytest.mark.parametrize("kind", [dicom, series, nifti], ids=lambda kind: kind.__name__)


@kinds
@pytest.mark.parametrize("reports", [1, SLICES])
def test_killed_at_any_point(kind: Callable[[Path], Path], reports: int, tiny_folder: Path, tmp_path: Path) -> None:
    """After the last report the kill races with the commit."""
    source = kind(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    target = out / source.name.replace("small", "large")
    old(source, target)
    with child(tiny_folder, source, target) as process:
        assert process.stdout is not None
        for _ in range(reports):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    new = np.stack([doubled(frame) for frame in values()])
    found = read(target)
    assert np.array_equal(found, values()) or np.array_equal(found, new)
    assert [path.name for path in out.iterdir() if not path.name.startswith(".")] == [target.name]
    # What was left behind does not disturb the next run.
    with child(tiny_folder, source, target) as process:
        output, errors = process.communicate(timeout=60)
    assert output.endswith("finished\n"), errors
    np.testing.assert_array_equal(read(target), new)


@kinds
def test_interrupted(kind: Callable[[Path], Path], tiny_folder: Path, tmp_path: Path) -> None:
    source = kind(tmp_path)
    target = tmp_path / source.name.replace("small", "large")
    with child(tiny_folder, source, target) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert "finished" not in output
    assert "KeyboardInterrupt" in errors
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
