"""How long ``--through-plane self`` takes for 256 x 256 x 256 voxels out of slices that are four times as thick.

    python benchmarks/through_plane_time.py --data FOLDER_OF_SAMPLES --side 256 --scale 4

The MNI volume is brought to ``side`` voxels by cubic interpolation, its third axis made thick by averages, stored in 16
bits, and given to ``superres upscale``.  Wall time, processor time and peak memory are those of that process, reading,
training and writing in them.  The time tells of this machine, idle; processor time says more on a busy one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from known_truth import TEMPLATE, volume

from superres.metrics.psnr import psnr
from superres.resize import axis_resampler


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the volume, enlarge it, print what it took; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds nifti samples")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--way", choices=("self", "shipped", "cubic"), default="self")
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    options = parser.parse_args(arguments)
    truth = volume(options.data / TEMPLATE)
    for axis in range(3):
        truth = axis_resampler(truth.shape[axis], options.side).apply(truth, axis)
    thick = axis_resampler(options.side, options.side // options.scale, "area").apply(truth, 2)
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "thick.nii.gz", Path(name) / "thin.nii.gz"
        nib.save(nib.Nifti1Image(_stored(thick), np.diag([1, 1, options.scale, 1])), source)
        command = [sys.executable, "-m", "superres", "upscale", str(source), "-o", str(target), "--isotropic"]
        command += ["--through-plane", options.way, "--precision", "fp32", "--threads", str(options.threads)]
        started = time.perf_counter()
        process = subprocess.Popen(command)
        _, status, usage = os.wait4(process.pid, 0)
        seconds, process.returncode = time.perf_counter() - started, os.waitstatus_to_exitcode(status)
        if process.returncode:
            return process.returncode
        made = np.asarray(nib.load(target).dataobj)
    busy = usage.ru_utime + usage.ru_stime
    print(
        f"{' x '.join(map(str, thick.shape))} to {' x '.join(map(str, made.shape))} by {options.way}: {seconds:.0f} s, "
        f"{busy:.0f} s of the processor, peak {usage.ru_maxrss / 1024:.0f} MB resident; "
        f"{psnr(made / np.float32(_RANGE), truth, 1.0):.2f} dB"
    )
    return 0


#: 12 bits, as scanners store.
_RANGE = 4095


def _stored(values: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(values * _RANGE + 0.5), 0, _RANGE).astype(np.int16)


if __name__ == "__main__":
    sys.exit(main())
