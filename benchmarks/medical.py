"""Known truth: medical pictures made smaller and brought back, beside linear and cubic interpolation.

    python benchmarks/medical.py --data FOLDER_OF_SAMPLES --scale 2 4 --slices 8

Slices are reduced by antialiased bicubic and enlarged again.  PSNR over all samples of a row, the range of the values
being that of the whole volume or picture; nothing is rounded or clipped.  Across the slices: ``through_plane.py``.

The MNI volume is the mean of many brains on an empty ground: nearly free of noise, so that far more of it can be
brought back than of a single scan.  The scans below it say what to expect.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from known_truth import SCANS, TEMPLATE, parser, volume

from superres.errors import SuperresError
from superres.metrics.psnr import psnr
from superres.pipeline import Options, Upscaler
from superres.resize import resize
from superres.workflows.through_plane import Enlarge
from superres.workflows.volume import Values, picture_enlarger

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code."""
    made = parser(__doc__, "folder that holds nifti and dicom samples")
    made.add_argument("--slices", type=int, default=0, help="per volume or series, evenly spread; 0 for all")
    options = made.parse_args(arguments)
    print("| data | scale | linear | cubic | " + options.model + " | over linear | over cubic |")
    print("|-|-:|-:|-:|-:|-:|-:|")
    try:
        with Upscaler(Options(model=options.model, precision="fp32", threads=options.threads)) as upscaler:
            enlarge = picture_enlarger(upscaler)
            for name, pictures in _sources(options.data, options.slices):
                for scale in options.scale:
                    _print_row(name, f"×{scale}", in_plane(pictures, scale, enlarge))
    except SuperresError as error:
        print(f"medical.py: {error}", file=sys.stderr)
        return 1
    return 0


def in_plane(pictures: Sequence[Floats], scale: int, enlarge: Enlarge) -> tuple[float, float, float]:
    """PSNR of linear and cubic interpolation and of the networks, over all pictures."""
    methods: list[Callable[[Floats, tuple[int, int]], Floats]] = [
        lambda low, size: resize(low, size, kernel="bilinear"),
        resize,
        enlarge,
    ]
    truth = [one[: one.shape[0] // scale * scale, : one.shape[1] // scale * scale] for one in pictures]
    low = [resize(one, scale=1 / scale) for one in truth]
    whole = np.concatenate([one.ravel() for one in truth])
    made = [
        np.concatenate([method(small, one.shape).ravel() for small, one in zip(low, truth, strict=True)])
        for method in methods
    ]
    linear, cubic, network = (psnr(one, whole, 1.0) for one in made)
    return linear, cubic, network


def _sources(data: Path, slices: int) -> Iterator[tuple[str, list[Floats]]]:
    """(name, pictures from 0 to 1) of the volumes and of every uncompressed grey CT and MR picture."""
    template = volume(data / TEMPLATE)
    # The outer slices hold no brain.
    yield "MNI T1", [template[:, :, k] for k in _spread(20, template.shape[2] - 20, slices)]
    for name, path in SCANS.items():
        scan = volume(data / path)
        yield name, [scan[:, :, k] for k in _spread(0, scan.shape[2], slices)]
    if importlib.util.find_spec("pydicom") is None:
        print("medical.py: pydicom is not installed, so no DICOM pictures are measured", file=sys.stderr)
        return
    files = [[path] for path in sorted((data / "dicom").glob("*.dcm"))]
    series = sorted((data / "dicom" / "series").glob("*.dcm"))
    for paths in [*files, [series[k] for k in _spread(0, len(series), slices)]]:
        pictures = [one for path in paths for one in _frames(path, slices)]
        if pictures:
            yield paths[0].stem if len(paths) == 1 else "series", pictures


def _frames(path: Path, slices: int) -> list[Floats]:
    """Frames of a file, 0 to 1 over all of them; none unless it holds uncompressed grey CT or MR pictures."""
    import pydicom
    from pydicom.misc import is_dicom

    if not is_dicom(path):  # a sample without the file header
        return []
    dataset = pydicom.dcmread(path)
    grey = dataset.get("SamplesPerPixel") == 1 and str(dataset.get("PhotometricInterpretation")).startswith("MONO")
    if dataset.get("Modality") not in ("CT", "MR") or not grey or dataset.file_meta.TransferSyntaxUID.is_compressed:
        return []
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns).transpose(1, 2, 0)
    values = Values.of(frames, path.name).normalised(frames)
    return [values[:, :, k] for k in _spread(0, values.shape[2], slices)]


def _spread(start: int, stop: int, count: int) -> list[int]:
    """``count`` places from ``start`` to ``stop``, evenly spread; every one for 0."""
    if not 0 < count < stop - start:
        return list(range(start, stop))
    return [int(start + (k + 0.5) * (stop - start) / count) for k in range(count)]


def _print_row(name: str, scale: str, scores: tuple[float, float, float]) -> None:
    linear, cubic, network = scores
    cells = [f"{score:.2f}" for score in scores] + [f"{network - linear:+.2f}", f"{network - cubic:+.2f}"]
    print(f"| {name} | {scale} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
