"""Writer of GeoTIFF rasters: whole blocks in order, and a check of what then lies on the disk."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OutputError
from superres.formats.gdal import gdal_settings, open_dataset, rasterio, writing
from superres.formats.geotiff import Box
from superres.formats.geotiff_meaning import Raster
from superres.formats.placement import FilePlacement

__all__ = ["NamedPlacement", "RasterWriter", "block_shape"]

Array = npt.NDArray[Any]

# A strip of a result is at most this large: whole strips are written, and memory must hold some.
_STRIP_BYTES = 4 * 2**20


class NamedPlacement(FilePlacement):
    """A placement for libraries that write by name, into the file that is there."""

    @property
    def hidden(self) -> Path:
        """The hidden file."""
        return Path(self._hidden)


def block_shape(raster: Raster) -> tuple[int, int]:
    """(height, width) of the blocks that a result is written in: the source's, but no strip of too many rows."""
    layout = raster.layout
    if layout.tiled:
        return layout.block_height, layout.block_width
    bands = len(raster.bands) if layout.interleave == "pixel" else 1
    rows = max(1, _STRIP_BYTES // (raster.width * raster.dtype.itemsize * bands))
    return min(layout.block_height, rows, raster.height), raster.width


class RasterWriter:
    """A GeoTIFF in the making.  A context manager: leaving it without an error checks the file.

    The same windows, written in the same order, give the same bytes.

    Args:
        path: an empty file, or none yet.
        raster: what the result is.
        target: what errors call it.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, raster: Raster, target: Path) -> None:
        self._path, self._raster, self._target = path, raster, target
        self._sums: list[tuple[Box, int]] = []
        # Nothing goes into a file beside the result, and a mask goes into the file itself.
        self._settings = gdal_settings(GDAL_PAM_ENABLED=False, GDAL_TIFF_INTERNAL_MASK=True)

    def __enter__(self) -> RasterWriter:
        self._settings.__enter__()
        try:
            with writing(str(self._target)):
                self._dataset = open_dataset(str(self._path), "w", _creation(self._raster))
                _describe(self._dataset, self._raster)
        except BaseException:
            self._settings.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with writing(str(self._target)):
                self._dataset.close()
                if kind is None:
                    self._check()
        finally:
            self._settings.__exit__(None, None, None)

    def write(self, box: Box, samples: Array, mask: npt.NDArray[np.uint8] | None) -> None:
        """Write whole blocks.

        Args:
            box: where; starts at blocks' edges, and ends at them or at the raster's.
            samples: (bands, rows, columns) of the raster's dtype, or (bands, 1, 1) where each band is constant.
            mask: (rows, columns), 0 or 255; None for a raster without.

        Raises:
            OutputError: the disk is full.
        """
        if self._is_absent(samples, mask):
            return
        window = (box[0], box[1]), (box[2], box[3])
        samples = np.ascontiguousarray(np.broadcast_to(samples, (len(samples), box[1] - box[0], box[3] - box[2])))
        if (
            samples.dtype.kind == "f" and self._raster.layout.bits == 16
        ):  # as the file holds them, to be compared with it
            most = samples.dtype.type(np.finfo(np.float16).max)
            within = np.where(np.isfinite(samples), np.clip(samples, -most, most), samples)
            samples = within.astype(np.float16).astype(samples.dtype)
        with writing(str(self._target)):
            self._dataset.write(samples, window=window)
            if mask is not None:
                self._dataset.write_mask(mask, window=window)
        self._sums.append((box, _checksum(samples, mask)))

    def _is_absent(self, samples: Array, mask: npt.NDArray[np.uint8] | None) -> bool:
        """Whether these blocks may be left out, as the source leaves out such."""
        if not self._raster.layout.sparse or (mask is not None and mask.any()):
            return False
        absent = np.asarray(self._raster.nodata or 0).astype(self._raster.dtype)
        if absent != absent:  # NaN
            return bool(np.isnan(samples).all())
        return bool(samples.flat[0] == absent and (samples == absent).all())

    def _check(self) -> None:
        """Read everything back: GDAL does not report that the disk was full when it closed the file."""
        checked = open_dataset(str(self._path), "r", {})
        try:
            for box, wanted in self._sums:
                window = (box[0], box[1]), (box[2], box[3])
                mask = checked.read_masks(1, window=window) if self._raster.mask else None
                if _checksum(checked.read(window=window), mask) != wanted:
                    raise OutputError(f"{self._target}: reads back other than it was written; is the disk full?")
        finally:
            checked.close()


def _checksum(samples: Array, mask: npt.NDArray[np.uint8] | None) -> int:
    """CRC-32 in which -0 equals 0 and every NaN is the same, because absent blocks read as 0 or the usual NaN."""
    if samples.dtype.kind == "f":
        samples = np.where(np.isnan(samples), samples.dtype.type(np.nan), samples + samples.dtype.type(0))
    total = zlib.crc32(np.ascontiguousarray(samples).data)
    return total if mask is None else zlib.crc32(np.ascontiguousarray(mask).data, total)


def _creation(raster: Raster) -> dict[str, Any]:
    """Options that rasterio and GDAL create the file by."""
    from rasterio.control import GroundControlPoint
    from rasterio.rpc import RPC

    layout, place = raster.layout, raster.place
    height, width = block_shape(raster)
    options: dict[str, Any] = {
        "width": raster.width,
        "height": raster.height,
        "count": len(raster.bands),
        "dtype": raster.dtype.name,
        "nodata": raster.nodata,
        "interleave": layout.interleave,
        "tiled": layout.tiled,
        "blockysize": height,
        "photometric": _photometric(raster),
        "BIGTIFF": "IF_SAFER",
    }
    if layout.tiled:
        options["blockxsize"] = width
    if layout.compression:
        options |= {"compress": layout.compression, "predictor": layout.predictor}
    if layout.bits:
        options["NBITS"] = layout.bits
    if layout.sparse:
        options["SPARSE_OK"] = True
    alphas = [number for number, band in enumerate(raster.bands) if band.interpretation == "alpha"]
    options["alpha"] = ("PREMULTIPLIED" if layout.premultiplied else "NON-PREMULTIPLIED") if alphas else "UNSPECIFIED"
    if place.points:
        points = [GroundControlPoint(p.row, p.column, p.x, p.y, p.z, p.id, p.info) for p in place.points]
        options |= {"gcps": points, "crs": place.crs}
    else:
        options["crs"] = place.crs
        if place.transform is not None:
            options["transform"] = rasterio().Affine(*place.transform)
    if place.rpc is not None:
        options["rpcs"] = RPC(**place.rpc)
    return options


def _photometric(raster: Raster) -> str:
    shown = [band.interpretation for band in raster.bands[:3]]
    if shown == ["palette"]:
        return "PALETTE"
    if shown == ["red", "green", "blue"]:
        return "RGB"
    return "MINISWHITE" if raster.layout.white_is_zero else "MINISBLACK"


def _describe(dataset: Any, raster: Raster) -> None:
    """Everything that is set on the open file, before its first block."""
    from rasterio.enums import ColorInterp

    for number, band in enumerate(raster.bands, 1):
        if band.colours is not None:
            dataset.write_colormap(number, dict(band.colours))
        if band.description is not None:
            dataset.set_band_description(number, band.description)
        _tag(dataset, number, band.tags)
    dataset.colorinterp = [ColorInterp[band.interpretation] for band in raster.bands]
    if any(band.unit for band in raster.bands):
        dataset.units = [band.unit or "" for band in raster.bands]
    if any(band.scale != 1 for band in raster.bands):
        dataset.scales = [band.scale for band in raster.bands]
    if any(band.offset != 0 for band in raster.bands):
        dataset.offsets = [band.offset for band in raster.bands]
    _tag(dataset, 0, raster.tags)


def _tag(dataset: Any, number: int, tags: Any) -> None:
    for domain, items in tags.items():
        if domain.startswith("xml:"):
            # GDAL holds one document where others have KEY=VALUE: cut at its first "=", it is joined to itself.
            items = dict(text.partition("=")[::2] for text in items.values())
        dataset.update_tags(number, ns=domain or None, **items)
