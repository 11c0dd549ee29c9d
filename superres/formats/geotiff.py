"""Reader of GeoTIFF rasters through rasterio: any window of any band, gaps told apart from values.

Only the file itself is read, and beside it what GDAL keeps there of the same raster: a mask (``.msk``), overviews
(``.ovr``), metadata (``.aux.xml``); and a table of its values (``.vat.dbf``).  None of them may lead to another file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import CorruptInputError, InputError, UnsupportedFormatError
from superres.formats import sniff
from superres.formats.base import Limits
from superres.formats.gdal import open_dataset, reading
from superres.formats.geotiff_describe import describe
from superres.formats.geotiff_meaning import Raster
from superres.formats.geotiff_tables import tables_of
from superres.formats.tiff import Directory, TiffFile

__all__ = ["Box", "RasterSource", "open_raster"]

Array = npt.NDArray[Any]

#: A window: first row, row after the last, first column, column after the last.
Box = tuple[int, int, int, int]

# -3.4e38 and the like are how programs mark "no value".
_LARGEST_QUANTITY = 1e30

_GDAL_METADATA, _STRIP_BYTES, _TILE_WIDTH, _TILE_BYTES = 42112, 279, 322, 325
# GeoTIFF keys, the numbers that they point to, and the key of the time that coordinates of a moving frame hold for.
_GEO_KEYS, _GEO_NUMBERS, _COORDINATE_EPOCH = 34735, 34736, 5120
# A dBASE file's columns are described within its first 64 KiB.
_DBASE_HEAD = 2**16
_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class RasterSource:
    """An open raster.  One thread at a time may use it.

    Attributes:
        name: what errors call it.
        raster: what it is.
    """

    def __init__(self, dataset: Any, raster: Raster, name: str) -> None:
        self._dataset = dataset
        self.name, self.raster = name, raster
        # GDAL's mask bands know nothing of a nodata value where there is a mask or an alpha band besides.
        self._masks = [flags != ["all_valid"] for flags in _mask_flags(dataset)]

    def read(self, band: int, box: Box) -> Array:
        """Samples (rows, columns) of ``raster.dtype``; ``band`` counts from 1 in the file.

        Raises:
            CorruptInputError: the data is damaged or ends early.
        """
        with reading(self.name):
            samples: Array = self._dataset.read(band, window=_window(box))
        return samples

    def has_gaps(self, band: int) -> bool:
        """Whether some samples of a band may be gaps."""
        return self._masks[band - 1] or self.raster.nodata is not None or self.raster.dtype.kind == "f"

    def gaps(self, band: int, box: Box, samples: Array) -> npt.NDArray[np.bool_]:
        """Where ``samples``, which were read from ``box``, are no values.

        Masked, transparent, nodata, not finite; and floats beyond any quantity, which are marks that nobody declared.

        Raises:
            CorruptInputError: the mask is damaged.
        """
        found = np.zeros(samples.shape, np.bool_)
        if self._masks[band - 1]:
            with reading(self.name):
                found |= self._dataset.read_masks(band, window=_window(box)) == 0
        if self.raster.nodata is not None:
            with np.errstate(over="ignore"):  # beyond float32: infinity, a gap anyway
                found |= samples == np.asarray(self.raster.nodata).astype(self.raster.dtype)
        if self.raster.dtype.kind == "f":
            found |= ~(np.abs(samples) < _LARGEST_QUANTITY)  # NaN too
        return found

    def mask(self, box: Box) -> npt.NDArray[np.uint8]:
        """The raster's own mask, 0 or 255; for a raster with ``raster.mask``.

        Raises:
            CorruptInputError: it is damaged.
        """
        with reading(self.name):
            mask = self._dataset.read_masks(1, window=_window(box))
        return np.where(mask, np.uint8(255), np.uint8(0))

    def close(self) -> None:
        """Close the file.  May be called twice."""
        self._dataset.close()


def open_raster(path: Path, name: str, limits: Limits) -> RasterSource:
    """Open a GeoTIFF.

    Raises:
        InputError: there is no such file, or what lies beside it is not what it should be.
        CorruptInputError: it is damaged.
        LimitError: it is larger than ``limits`` allow.
        UnsupportedFormatError: complex samples, a mask per band, or a colour table among several bands.
        MissingExtraError: rasterio is not installed.
    """
    with sniff.open_source(path, name) as file:
        try:
            tiff = TiffFile(file, name)
            directory = tiff.directory(tiff.first)
            metadata = directory.fields.get(_GDAL_METADATA)
            _check_metadata(b"" if metadata is None else tiff.raw(metadata), name)
            sparse, tiled = _is_sparse(tiff, directory), _TILE_WIDTH in directory.fields
            epoch = _epoch(tiff, directory)
        except OSError as exc:
            raise InputError(f"{name}: cannot be read ({exc})") from exc
    _check_neighbours(path, name)
    beside = _beside(path, ".aux.xml", 2**26)
    _check_metadata(beside, name)
    tables = tables_of(beside, _beside(path, ".vat.dbf", _DBASE_HEAD))
    with reading(name):
        # Absolute, so that no name can be taken for one of GDAL's own addresses.
        dataset = open_dataset(str(path.absolute()), "r", {})
    try:
        limits.check_input(name, dataset.width, dataset.height)
        if dataset.subdatasets:
            raise UnsupportedFormatError(
                f"{name}: holds {len(dataset.subdatasets)} rasters: take them out one by one, with gdal_translate "
                f"GTIFF_DIR:1:{name}"
            )
        _check(dataset, name)
        with reading(name):
            raster = describe(dataset, sparse, tiled, tables, epoch)
    except BaseException:
        dataset.close()
        raise
    return RasterSource(dataset, raster, name)


def _window(box: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    return (box[0], box[1]), (box[2], box[3])


def _mask_flags(dataset: Any) -> list[list[str]]:
    return [[flag.name for flag in flags] for flags in dataset.mask_flag_enums]


def _check(dataset: Any, name: str) -> None:
    """Refuse what has no meaning here."""
    if not dataset.count:
        raise CorruptInputError(f"{name}: has no bands")
    dtype = dataset.dtypes[0]
    if dtype.startswith("complex"):
        raise UnsupportedFormatError(
            f"{name}: has complex samples ({dtype}); write amplitude and phase, or both parts, as bands of their own"
        )
    if dtype in ("int64", "uint64") and dataset.nodata is not None and abs(dataset.nodata) > 2**53:
        raise UnsupportedFormatError(
            f"{name}: its nodata value, about {dataset.nodata:g}, is not held exactly; choose one within 2^53"
        )
    if any(flags == [] for flags in _mask_flags(dataset)):
        raise UnsupportedFormatError(f"{name}: has a mask per band; write one mask for all, or a nodata value")
    if dataset.count > 1 and any(interp.name == "palette" for interp in dataset.colorinterp):
        raise UnsupportedFormatError(
            f"{name}: has a colour table among {dataset.count} bands, which a TIFF cannot hold; split the bands first"
        )


def _is_sparse(tiff: TiffFile, directory: Directory) -> bool:
    """Whether some blocks are absent: GDAL leaves their size 0."""
    sizes = tiff.numbers(directory, _TILE_BYTES) or tiff.numbers(directory, _STRIP_BYTES)
    return 0 in sizes


def _epoch(tiff: TiffFile, directory: Directory) -> float | None:
    """The year, with its fraction, that the coordinates hold for; None where the file names none."""
    keys, numbers = tiff.numbers(directory, _GEO_KEYS), tiff.numbers(directory, _GEO_NUMBERS)
    # Four numbers each: the key, the tag that its value is in, how many, and from where on; the first four are a head.
    for at in range(4, len(keys) - 3, 4):
        if keys[at : at + 2] == (_COORDINATE_EPOCH, _GEO_NUMBERS) and keys[at + 3] < len(numbers):
            return numbers[int(keys[at + 3])]
    return None


def _check_neighbours(path: Path, name: str) -> None:
    """A mask or overviews beside the raster must be TIFF: GDAL would open them whatever they are, also a VRT."""
    for suffix in (".msk", ".MSK", ".ovr", ".OVR", ".msk.ovr"):
        beside = path.with_name(path.name + suffix)
        if beside.is_file():
            with sniff.open_source(beside, str(beside)) as file:
                if not file.read(4).startswith(_SIGNATURES):
                    raise InputError(f"{name}: {beside.name} beside it is no TIFF; remove it")


def _beside(path: Path, suffix: str, most: int) -> bytes:
    """The beginning of a file beside the raster; empty where there is none."""
    beside = path.with_name(path.name + suffix)
    if not beside.is_file():
        return b""
    with sniff.open_source(beside, str(beside)) as file:
        return file.read(most)


def _check_metadata(data: bytes, name: str) -> None:
    """Refuse metadata that name another file for GDAL to open."""
    if b"OVERVIEW_FILE" in data:
        raise InputError(f"{name}: its metadata name another file for overviews, which is not opened; remove that item")
