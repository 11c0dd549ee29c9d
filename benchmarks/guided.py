"""Known truth: bands made smaller and brought back with a sharp guide, beside bicubic and the networks without one.

    python benchmarks/guided.py --data FOLDER_OF_SAMPLES/geotiff

Wald's protocol: band and guide are both reduced by what lies between them, so that the band as it was is the truth.
Sentinel-2's bands of 20 m are guided by its bands of 10 m, those of 60 m by the same; NAIP's near infrared by its
colours.  All goes through ``Upscaler.file``, as a user would do it.  ``wrong guide`` is the same guide moved by half of
its sides: it then shows another place.  PSNR counts from 10,000 for reflectances and 255 for 8 bits, a border of two
low-resolution pixels left out.

References:
    L. Wald, T. Ranchin, M. Mangolini, "Fusion of satellite images of different spatial resolutions: Assessing the
    quality of resulting images", PE&RS 63(6), 1997.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

from superres.metrics import load_metric
from superres.options import RasterOptions
from superres.pipeline import Options, Upscaler
from superres.resize import resize

Array = npt.NDArray[Any]

_WAYS = ("without", "guided", "wrong guide")


@dataclass(frozen=True)
class Case:
    """Bands of known truth (H, W, C) and a guide (H, W, K) of the same pixels, in one dtype."""

    name: str
    truth: Array
    guide: Array
    scale: int
    data_range: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the exit code."""
    options = _parser().parse_args(arguments)
    print("| case | band | bicubic | " + " | ".join(_WAYS) + " | over bicubic | over without | change of mean % |")
    print("|-|-|-:|" + "-:|" * len(_WAYS) + "-:|-:|-:|")
    for case in cases(options.data):
        low = _rounded(resize(case.truth.astype(np.float64), scale=1 / case.scale), case.truth.dtype)
        bicubic = measure(resize(low.astype(np.float64), case.truth.shape[:2]), case)
        wrong = np.roll(case.guide, (case.guide.shape[0] // 2, case.guide.shape[1] // 2), (0, 1))
        made = [enlarged(low, case.scale, guide, options.threads) for guide in (None, case.guide, wrong)]
        rows = zip(bicubic, *(measure(one, case) for one in made), strict=True)
        for band, (before, *ways) in enumerate(rows):
            change = 100 * (made[1][:, :, band].mean(dtype=np.float64) / low[:, :, band].mean(dtype=np.float64) - 1)
            shown = " | ".join(f"{value:.2f}" for value in (before, *ways))
            gains = f"{ways[1] - before:+.2f} | {ways[1] - ways[0]:+.2f} | {change:+.4f}"
            print(f"| {case.name} | {band + 1} | {shown} | {gains} |", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the sample rasters")
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    return parser


def cases(folder: Path) -> Iterator[Case]:
    """Sentinel-2 by its own bands of 10 m, NAIP's near infrared by its colours."""
    bands = np.load(folder / "sentinel2_T33UUB.npz")
    ten, twenty, sixty = (
        np.rint(bands[name]).astype(np.uint16).transpose(1, 2, 0) for name in ("im10", "im20", "im60")
    )
    yield Case("Sentinel-2 20 m", twenty, _reduced(ten, 2), 2, 10_000)
    yield Case("Sentinel-2 40 m", twenty, _reduced(ten, 2), 4, 10_000)
    yield Case("Sentinel-2 60 m", sixty[:96, :96], _reduced(ten, 6)[:96, :96], 6, 10_000)
    with rasterio.open(folder / "m_4709963_se_14_1_20180716.tif") as dataset:
        naip = dataset.read().transpose(1, 2, 0)[:720, :720]
    for scale in (2, 3, 4):
        yield Case("NAIP near infrared", naip[:, :, 3:], naip[:, :, :3], scale, 255)


def _reduced(bands: Array, factor: int) -> Array:
    return _rounded(resize(bands.astype(np.float64), scale=1 / factor), bands.dtype)


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    return np.clip(np.floor(values + 0.5), limits.min, limits.max).astype(dtype)


def enlarged(low: Array, scale: int, guide: Array | None, threads: int) -> Array:
    """(h, w, C) through files."""
    with tempfile.TemporaryDirectory() as name:
        source, sharp, target = (Path(name) / f"{part}.tif" for part in ("low", "sharp", "high"))
        _write(source, low, 10.0 * scale)
        if guide is not None:
            _write(sharp, guide, 10.0)
        raster = RasterOptions(guide=sharp if guide is not None else None)
        with Upscaler(Options(scale=scale, threads=threads, raster=raster)) as upscaler:
            upscaler.file(source, target)
        with rasterio.open(target) as dataset:
            return np.asarray(dataset.read().transpose(1, 2, 0))


def _write(path: Path, samples: Array, pixel: float) -> None:
    height, width, count = samples.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": samples.dtype.name}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(pixel, 0, 0, 0, -pixel, 0)}
    with rasterio.open(path, "w", photometric="MINISBLACK", **profile, **place) as dataset:
        dataset.write(samples.transpose(2, 0, 1))


def measure(result: Array, case: Case) -> list[float]:
    """PSNR of every band in dB."""
    border = 2 * case.scale
    inner = slice(border, -border), slice(border, -border)
    truth, made = case.truth[inner].astype(np.float64), result[inner].astype(np.float64)
    return [load_metric("psnr")(made[:, :, k], truth[:, :, k], case.data_range) for k in range(truth.shape[2])]


if __name__ == "__main__":
    sys.exit(main())
