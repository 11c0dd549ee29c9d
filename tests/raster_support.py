"""GeoTIFF rasters for tests, and GDAL's command line as an independent reader."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import Affine

Array = npt.NDArray[Any]

PLACE = {"crs": "EPSG:32618", "transform": Affine(30, 0, 500_000, 0, -30, 4_100_000)}


def ground(height: int, width: int, bands: int = 1, dtype: str = "uint16", seed: int = 0) -> Array:
    """(bands, height, width): soft hills with noise, well within the dtype, other in each band."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    planes = [np.sin(x / (5 + k) + k) + np.cos(y / (7 + k)) + 0.1 * rng.standard_normal(x.shape) for k in range(bands)]
    unit = np.stack(planes) / 6 + 0.5
    if np.dtype(dtype).kind == "f":
        return np.asarray(270 + 30 * unit, dtype)
    top = min(np.iinfo(dtype).max, 4000)
    return np.asarray(np.rint(top * (0.1 + 0.8 * unit)), dtype)


def make_raster(
    path: Path, samples: Array, *, mask: Array | None = None, internal: bool = True, **profile: Any
) -> Path:
    """Write (bands, height, width) as a GeoTIFF at :data:`PLACE`, unless ``profile`` says otherwise."""
    count, height, width = samples.shape
    options = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": samples.dtype.name}
    # GDAL opens files with "w" and "r+" with warnings where there is no place.
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **(options | PLACE | profile)) as dataset:
            dataset.write(samples)
            if mask is not None:
                dataset.write_mask(mask)
    return path


def read(path: Path) -> Array:
    """All bands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            return np.asarray(dataset.read())


def command(*arguments: object, stdin: str = "") -> str:
    """What one of GDAL's programs prints; skips, loudly, where they are absent."""
    if shutil.which(str(arguments[0])) is None:
        pytest.skip(f"NO {arguments[0]}: install GDAL's command line (gdal-bin) to check rasters with a second reader")
    done = subprocess.run([str(a) for a in arguments], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


def gdalinfo(path: Path, *options: str) -> dict[str, Any]:
    """What ``gdalinfo -json`` says."""
    found: dict[str, Any] = json.loads(command("gdalinfo", "-json", *options, path))
    return found


def gdal_samples(path: Path, folder: Path) -> Array:
    """All bands as GDAL's own program decodes them."""
    raw = folder / f"{path.name}.raw"
    command("gdal_translate", "-q", "-of", "ENVI", path, raw)
    info = gdalinfo(path)
    names = {"Byte": "uint8", "Int16": "int16", "UInt16": "uint16", "Int32": "int32", "UInt32": "uint32"}
    dtype = names.get(info["bands"][0]["type"], info["bands"][0]["type"].lower())
    width, height = info["size"]
    return np.fromfile(raw, dtype).reshape(len(info["bands"]), height, width)
