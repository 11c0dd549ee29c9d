"""What the benchmarks of known truth share: their command line, and volumes from 0 to 1."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.formats import Limits
from superres.formats.nifti import open_volume, volumes
from superres.workflows.volume import Values

Floats = npt.NDArray[np.float32]

TEMPLATE = "nifti/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
SCANS = {"T1 scan": "nifti/sct_t1w.nii.gz", "T2 scan": "nifti/sct_t2.nii.gz", "T2* scan": "nifti/sct_t2s.nii.gz"}


def parser(description: str | None, data: str) -> argparse.ArgumentParser:
    """Of a benchmark that makes samples smaller and brings them back.

    Args:
        description: the benchmark's docstring, of which the first line is shown.
        data: what the folder must hold.
    """
    made = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    made.add_argument("--data", type=Path, required=True, help=data)
    made.add_argument("--model", default="auto")
    made.add_argument("--scale", type=int, nargs="+", default=[2, 4])
    made.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    return made


def volume(path: Path) -> Floats:
    """A 3-D NIfTI volume, 0 to 1."""
    with tempfile.TemporaryDirectory() as folder, open_volume(path, path.name, Limits(), Path(folder)) as opened:
        (values,) = volumes(opened.values)
        return Values.of(values, path.name).normalised(values)
