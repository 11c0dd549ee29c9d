"""What is done to a complete GeoTIFF: overviews are added, or it becomes a cloud-optimised one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from superres.errors import OutputError
from superres.formats.gdal import gdal_settings, open_dataset, writing
from superres.formats.geotiff_meaning import Raster
from superres.formats.tiff import TiffFile

__all__ = ["add_overviews", "cog_leftovers", "convert_to_cog"]

# Offsets and sizes of strips, and of tiles.
_BLOCK_TAGS = (273, 279), (324, 325)


def add_overviews(path: Path, raster: Raster, target: Path) -> None:
    """Build the raster's overviews into a finished file.

    Raises:
        OutputError: the disk is full.
    """
    settings: dict[str, object] = {"GDAL_TIFF_INTERNAL_MASK": True, "GDAL_PAM_ENABLED": False}
    if raster.layout.tiled and raster.layout.block_width == raster.layout.block_height:
        settings["GDAL_TIFF_OVR_BLOCKSIZE"] = raster.layout.block_width
    if raster.layout.predictor != 1:
        settings["PREDICTOR_OVERVIEW"] = raster.layout.predictor
    from rasterio.enums import Resampling

    with gdal_settings(**settings), writing(str(target)):
        dataset = open_dataset(str(path), "r+", {})
        try:
            dataset.build_overviews(list(raster.overviews), Resampling[raster.resampling])
        finally:
            dataset.close()
    _check_structure(path, raster, target)


def cog_leftovers(result: Path) -> tuple[Path, ...]:
    """Files that GDAL keeps beside ``result`` while :func:`convert_to_cog` makes it."""
    return tuple(result.with_name(result.name + suffix) for suffix in (".ovr.tmp", ".msk.ovr.tmp"))


def convert_to_cog(path: Path, result: Path, raster: Raster, target: Path) -> None:
    """Write a finished GeoTIFF, ``path``, as a cloud-optimised one, ``result``: block by block, never in memory.

    Raises:
        OutputError: the disk is full.
    """
    layout = raster.layout
    square = layout.tiled and layout.block_width == layout.block_height
    options: dict[str, Any] = {
        "BIGTIFF": "IF_SAFER",
        # The driver knows no PackBits.
        "COMPRESS": layout.compression.upper().replace("PACKBITS", "DEFLATE") or "NONE",
        "BLOCKSIZE": layout.block_width if square else 512,
        "OVERVIEW_RESAMPLING": raster.resampling.upper(),
    }
    if layout.predictor != 1:
        options["PREDICTOR"] = "FLOATING_POINT" if layout.predictor == 3 else "STANDARD"
    if layout.bits:
        options["NBITS"] = layout.bits
    if layout.sparse:
        options["SPARSE_OK"] = True
    from rasterio.shutil import copy

    with gdal_settings(GDAL_PAM_ENABLED=False), writing(str(target)):
        copy(str(path), str(result), driver="COG", **options)
    _check_structure(result, raster, target)


def _check_structure(path: Path, raster: Raster, target: Path) -> None:
    """Every block of every picture in the file lies within it, and none is absent unless some may be."""
    end = path.stat().st_size
    for offset, size in _blocks(path):
        if offset + size > end or (size == 0 and not raster.layout.sparse):
            raise OutputError(f"{target}: was not written completely; is the disk full?")


def _blocks(path: Path) -> Iterator[tuple[float, float]]:
    with path.open("rb") as file:
        tiff = TiffFile(file, str(path))
        for directory in tiff.directories():
            strips, tiles = ((tiff.numbers(directory, a), tiff.numbers(directory, b)) for a, b in _BLOCK_TAGS)
            yield from zip(*strips, strict=True)
            yield from zip(*tiles, strict=True)
