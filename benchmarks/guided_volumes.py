"""Known truth: a T2 scan made smaller and brought back with a T1 scan that lies over it, beside cubic and no guide.

    python benchmarks/guided_volumes.py --data FOLDER_OF_SAMPLES --scale 2 4

Reduced by averages of voxels: ``in-plane`` along the two axes within the slices, ``through`` along the one across them.
All goes through ``Upscaler.file``, as a user would do it.  ``wrong guide`` is that guide moved by half of its sides:
it then shows another place.  PSNR over all voxels, from the range of the T2 scan.

Where the two lie is what their headers say; nothing is registered here.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
from known_truth import SCANS, parser

from superres.errors import SuperresError
from superres.metrics.psnr import psnr
from superres.options import RasterOptions, VolumeOptions
from superres.pipeline import Options, Result, Upscaler
from superres.resize import axis_resampler
from superres.workflows.guided import fitted_mix
from superres.workflows.guided_planes import block_means, hats

Floats = npt.NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the exit code."""
    options = parser(__doc__, "folder that holds nifti samples").parse_args(arguments)
    try:
        truth, guide = pair(options.data)
        told = np.stack([one.ravel() for one in hats(guide)], axis=1)
        explained = fitted_mix(truth.ravel(), told).explained
        print(
            f"{' x '.join(map(str, truth.shape))} voxels, T1 explains {100 * explained:.1f} % of the variance of T2\n"
        )
        print("| task | cubic | without | guided | wrong guide | guided over without | networks |")
        print("|-|-:|-:|-:|-:|-:|-|")
        wrong = np.roll(guide, [length // 2 for length in guide.shape], (0, 1, 2))
        for scale in options.scale:
            for task, factors in {"in-plane": (scale, scale, 1), "through": (1, 1, scale)}.items():
                whole = tuple(slice(0, n // f * f) for n, f in zip(truth.shape, factors, strict=True))
                known, low = truth[whole], block_means(truth[whole], factors)
                made = low
                for axis, length in enumerate(known.shape):
                    made = axis_resampler(low.shape[axis], length).apply(made, axis)
                ways = [enlarged(low, factors, sharp, options.threads) for sharp in (None, guide[whole], wrong[whole])]
                found = [psnr(made, known, 1.0), *(psnr(large, known, 1.0) for _, large in ways)]
                networks = " + ".join(ways[1][0].networks)
                shown = " | ".join(f"{value:.2f}" for value in found)
                print(f"| {task} ×{scale} | {shown} | {found[2] - found[1]:+.2f} | {networks} |", flush=True)
    except SuperresError as error:
        print(f"guided_volumes.py: {error}", file=sys.stderr)
        return 1
    return 0


def pair(data: Path) -> tuple[Floats, Floats]:
    """The part that both scans show, (X, Y, Z) each on the T2 scan's grid, 0 to 1."""
    t2, t1 = (nibabel.load(data / SCANS[name]) for name in ("T2 scan", "T1 scan"))
    ours, theirs = np.asarray(t2.dataobj, np.float32), np.asarray(t1.dataobj, np.float32)
    # Both have voxels of 1 mm along the scanner's axes, and whole ones between their corners.
    places = np.linalg.inv(t1.affine) @ t2.affine
    index = np.stack([*np.indices(ours.shape), np.ones(ours.shape)]).reshape(4, -1)
    there = np.rint(places @ index)[:3].astype(int).reshape(3, *ours.shape)
    inside = np.all([(there[k] >= 0) & (there[k] < theirs.shape[k]) for k in range(3)], axis=0)
    box = tuple(slice(int(along.min()), int(along.max()) + 1) for along in np.nonzero(inside))
    there, ours = there[(slice(None), *box)], ours[box]
    guide = theirs[tuple(there)]
    low, high = ours.min(), ours.max()
    return (ours - low) / (high - low), guide / guide.max()


def enlarged(low: Floats, factors: tuple[int, int, int], guide: Floats | None, threads: int) -> tuple[Result, Floats]:
    """Through files."""
    with tempfile.TemporaryDirectory() as name:
        source, sharp, target = (Path(name) / f"{part}.nii" for part in ("low", "sharp", "high"))
        affine = np.diag([*factors, 1.0])
        affine[:3, 3] = (np.array(factors) - 1) / 2
        nibabel.Nifti1Image(low, affine).to_filename(source)
        axes = "".join(letter for letter, factor in zip("xyz", factors, strict=True) if factor > 1)
        chosen = Options(scale=max(factors), volume=VolumeOptions(axes=axes), threads=threads)
        if guide is not None:
            nibabel.Nifti1Image(guide, np.eye(4)).to_filename(sharp)
            chosen = Options(raster=RasterOptions(guide=sharp), threads=threads)
        with Upscaler(chosen) as upscaler:
            result = upscaler.file(source, target)
        return result, np.asarray(nibabel.load(target).dataobj, np.float32)


if __name__ == "__main__":
    sys.exit(main())
