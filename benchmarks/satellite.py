"""Known truth from orbit: rasters made smaller and brought back, per band against bicubic, with SAM and ERGAS.

    python benchmarks/satellite.py --data FOLDER_OF_SAMPLES/geotiff --crop 256

Each scene is reduced by bicubic resizing, rounded to its dtype, written as a GeoTIFF and enlarged through
``Upscaler.file``, as a user would.  Gaps are left out of every figure.  PSNR counts from the range that the sensor's
numbers have: 255 for 8 bits, 10,000 for reflectances.  ``change`` is that of the band's mean.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from known_truth import parser

from superres.metrics import load_metric
from superres.pipeline import Options, Upscaler
from superres.resize import resize

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Scene:
    """Samples (H, W, C) of known truth; nodata or None; data range; whether three bands are colours; band names."""

    name: str
    samples: Array
    nodata: int | None
    data_range: float
    colours: bool
    bands: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """Of one method on one scene: dB and change of the mean in % per band, degrees, ERGAS."""

    psnr: tuple[float, ...]
    change: tuple[float, ...]
    sam: float
    ergas: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one table per scale; the exit code."""
    made = parser(__doc__, "the folder of the sample rasters")
    made.add_argument("--crop", type=int, default=0, help="side of the middle part that is used; 0 for whole scenes")
    options = made.parse_args(arguments)
    for scale in options.scale:
        print(
            f"\n## x{scale}, {options.model}, " + (f"crops of {options.crop}\n" if options.crop else "whole scenes\n")
        )
        print("| scene | band | bicubic dB | dB | gain | change of mean % | SAM ° bicubic → | ERGAS bicubic → |")
        print("|-|-|-:|-:|-:|-:|-:|-:|")
        with Upscaler(Options(scale=scale, model=options.model, threads=options.threads)) as upscaler:
            for scene in scenes(options.data, options.crop, scale):
                _print_rows(scene, *compare(scene, scale, upscaler))
    return 0


def scenes(folder: Path, crop: int, scale: int) -> Iterator[Scene]:
    """Landsat in colour, NAIP with its bands alone and in colour, Sentinel-2 at 10 m."""
    with rasterio.open(folder / "RGB.byte.tif") as dataset:
        samples = dataset.read().transpose(1, 2, 0)
    yield Scene("Landsat RGB", _middle(samples, crop, scale), 0, 255, True, ("red", "green", "blue"))
    with rasterio.open(folder / "m_4709963_se_14_1_20180716.tif") as dataset:
        samples = dataset.read().transpose(1, 2, 0)
    naip = _middle(samples, crop, scale)
    yield Scene("NAIP, bands alone", naip, 0, 255, False, ("red", "green", "blue", "near infrared"))
    yield Scene("NAIP RGB together", naip[:, :, :3], 0, 255, True, ("red", "green", "blue"))
    samples = np.load(folder / "sentinel2_T33UUB.npz")["im10"].transpose(1, 2, 0)
    sentinel = _middle(np.rint(samples).astype(np.uint16), crop, scale)
    yield Scene("Sentinel-2 10 m", sentinel, None, 10_000, False, tuple(f"band {n}" for n in range(1, 5)))


def _middle(samples: Array, crop: int, scale: int) -> Array:
    """The middle part, or all, in sides that the scale divides."""
    height, width = ((crop or side) // scale * scale for side in samples.shape[:2])
    top, left = (samples.shape[0] - height) // 2, (samples.shape[1] - width) // 2
    return samples[top : top + height, left : left + width]


def compare(scene: Scene, scale: int, upscaler: Upscaler) -> tuple[Measured, Measured]:
    """Bicubic and the model on one scene."""
    truth, dtype = scene.samples, scene.samples.dtype
    height, width = truth.shape[0] // scale, truth.shape[1] // scale
    gaps = np.zeros(truth.shape, np.bool_) if scene.nodata is None else truth == scene.nodata
    low = _rounded(resize(truth.astype(np.float64), (height, width)), dtype)
    # A reduced pixel that saw a gap is one.
    holes = gaps.reshape(height, scale, width, scale, -1).any(axis=(1, 3))
    if scene.nodata is not None:
        low = np.where(holes, scene.nodata, np.where(low == scene.nodata, scene.nodata + 1, low)).astype(dtype)
    bicubic = _rounded(resize(low.astype(np.float64), truth.shape[:2]), dtype)
    result = enlarged(low, scene, upscaler)
    valid = ~holes.repeat(scale, 0).repeat(scale, 1)
    return measure(bicubic, low, scene, scale, valid), measure(result, low, scene, scale, valid)


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    return np.clip(np.floor(values + 0.5), limits.min, limits.max).astype(dtype)


def enlarged(low: Array, scene: Scene, upscaler: Upscaler) -> Array:
    """(h, w, C) through files."""
    height, width, count = low.shape
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "low.tif", Path(name) / "high.tif"
        profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": low.dtype.name}
        place = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 0, 0, -10, 0), "nodata": scene.nodata}
        photometric = "RGB" if scene.colours else "MINISBLACK"
        with rasterio.open(source, "w", photometric=photometric, **(profile | place)) as dataset:
            dataset.write(low.transpose(2, 0, 1))
        upscaler.file(source, target)
        with rasterio.open(target) as dataset:
            return np.asarray(dataset.read().transpose(1, 2, 0))


def measure(result: Array, low: Array, scene: Scene, scale: int, valid: npt.NDArray[np.bool_]) -> Measured:
    """Against the truth, a border of two low-resolution pixels left out."""
    inner = slice(2 * scale, -2 * scale), slice(2 * scale, -2 * scale)
    truth, kept = scene.samples[inner].astype(np.float64), valid[inner]
    made = result[inner].astype(np.float64)
    psnr, change = [], []
    for band in range(truth.shape[2]):
        here = kept[:, :, band]
        psnr.append(load_metric("psnr")(made[:, :, band][here], truth[:, :, band][here], scene.data_range))
        known = valid[:, :, band]
        before = low.repeat(scale, 0).repeat(scale, 1)[:, :, band][known].mean(dtype=np.float64)
        change.append(100 * (result[:, :, band][known].mean(dtype=np.float64) / before - 1))
    whole = kept.all(axis=2)
    spectra = made[whole][None], truth[whole][None]
    return Measured(
        tuple(psnr), tuple(change), load_metric("sam")(*spectra), load_metric("ergas")(*spectra, scale=scale)
    )


def _print_rows(scene: Scene, bicubic: Measured, model: Measured) -> None:
    for number, band in enumerate(scene.bands):
        before, after = bicubic.psnr[number], model.psnr[number]
        gain = f"{before:.2f} | {after:.2f} | {after - before:+.2f}"
        row = f"| {scene.name} | {band} | {gain} | {model.change[number]:+.4f} |"
        if number == 0:
            row += f" {bicubic.sam:.3f} → {model.sam:.3f} | {bicubic.ergas:.3f} → {model.ergas:.3f} |"
        else:
            row += " | |"
        print(row, flush=True)


if __name__ == "__main__":
    sys.exit(main())
