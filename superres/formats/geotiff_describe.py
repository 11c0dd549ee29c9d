"""From an open dataset of rasterio to :class:`superres.formats.geotiff_meaning.Raster`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from superres.formats.geotiff_meaning import Band, ControlPoint, Layout, Place, Raster
from superres.formats.geotiff_tables import NO_TABLES, Tables

__all__ = ["describe"]

# Domains that GDAL fills itself, or that are kept in a way of their own.
_OWN_DOMAINS = frozenset({"IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "rio_creation_kwds", "RPC", "TIFF", "SUBDATASETS"})
# Facts about the samples that an enlargement changes.
_STALE = ("STATISTICS_", "TIFFTAG_MINSAMPLEVALUE", "TIFFTAG_MAXSAMPLEVALUE")
# How HFA and ArcGIS say that a band holds classes; and the convention of netCDF, which lists them.
_THEMATIC, _CLASS_NAMES = ("LAYER_TYPE", "RepresentationType"), "flag_meanings"
_LOSSLESS = frozenset({"deflate", "lzw", "zstd", "packbits", "lzma"})
_METHODS = frozenset({"nearest", "average", "bilinear", "cubic", "cubicspline", "lanczos", "mode", "gauss", "rms"})


def describe(dataset: Any, sparse: bool, tiled: bool, tables: Mapping[int, Tables], epoch: float | None) -> Raster:
    """Everything that a result must keep.

    Args:
        dataset: open for reading.
        sparse, tiled: whether blocks are absent, and whether they are tiles; rasterio does not say for sure.
        tables: by band, from 1, what lies beside the file.
        epoch: of its coordinates, None for none.
    """
    dtype = np.dtype(dataset.dtypes[0])
    nodata = dataset.nodata
    if nodata is not None and dtype.kind != "f" and not _fits(nodata, dtype):
        nodata = None  # no sample can have it
    bands = tuple(_band(dataset, number, tables.get(number, NO_TABLES)) for number in range(1, dataset.count + 1))
    tags = _tags(dataset, 0)
    flags = [flag.name for flag in dataset.mask_flag_enums[0]]
    method = tags.get("", {}).get("OVR_RESAMPLING_ALG", "average").lower()
    coarse = method not in _METHODS or any(band.colours for band in bands)
    return Raster(
        width=dataset.width,
        height=dataset.height,
        dtype=dtype,
        nodata=nodata,
        bands=bands,
        place=_place(dataset, epoch),
        tags=tags,
        mask="per_dataset" in flags and "alpha" not in flags,
        overviews=tuple(sorted(dataset.overviews(1))),
        resampling="nearest" if coarse else method,
        layout=_layout(dataset, dtype, sparse, tiled),
    )


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return bool(np.isfinite(value)) and limits.min <= value <= limits.max and value == int(value)


def _band(dataset: Any, number: int, tables: Tables) -> Band:
    at, tags = number - 1, _tags(dataset, number)
    interpretation = dataset.colorinterp[at].name
    return Band(
        source=number,
        interpretation=interpretation,
        description=dataset.descriptions[at],
        scale=dataset.scales[at],
        offset=dataset.offsets[at],
        unit=dataset.units[at] or None,
        tags=tags,
        colours=dict(dataset.colormap(number)) if interpretation == "palette" else None,
        tables=tables.found,
        classes=tables.classes or any(_are_declared_classes(items.get("", {})) for items in (tags, _tags(dataset, 0))),
    )


def _are_declared_classes(tags: Mapping[str, str]) -> bool:
    return _CLASS_NAMES in tags or any(tags.get(key, "").lower() == "thematic" for key in _THEMATIC)


def _tags(dataset: Any, number: int) -> dict[str, dict[str, str]]:
    """Metadata by domain, of a band or, for 0, of the whole."""
    found = {}
    for domain in ("", *dataset.tag_namespaces(number)):
        if domain in _OWN_DOMAINS:
            continue
        items = dataset.tags(number, ns=domain or None)
        kept = {key: value for key, value in items.items() if not key.startswith(_STALE)}
        if kept:
            found[domain] = kept
    return found


def _place(dataset: Any, epoch: float | None) -> Place:
    points, points_crs = dataset.gcps
    transform = dataset.transform
    # GDAL gives the identity where there is no transform, and does not write it where there is.
    known = not points and not transform.is_identity
    return Place(
        crs=points_crs if points else dataset.crs,
        transform=(transform.a, transform.b, transform.c, transform.d, transform.e, transform.f) if known else None,
        points=tuple(
            ControlPoint(p.row, p.col, p.x, p.y, 0.0 if p.z is None else p.z, str(p.id), p.info or "") for p in points
        ),
        rpc=None if dataset.rpcs is None else dataset.rpcs.to_dict(),
        epoch=epoch,
    )


def _layout(dataset: Any, dtype: np.dtype[Any], sparse: bool, tiled: bool) -> Layout:
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    high, wide = dataset.block_shapes[0]
    stored = "" if dataset.compression is None else dataset.compression.name
    bits = int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 0))
    predictor = int(structure.get("PREDICTOR", 1))
    if stored and stored not in _LOSSLESS:
        # JPEG, WebP, LERC...: what was lost is lost, but no more of it.
        stored, predictor = "deflate", 3 if dtype.kind == "f" else 2
    return Layout(
        tiled=tiled,
        block_width=wide,
        block_height=high,
        compression=stored,
        predictor=1 if bits else predictor,
        interleave=structure.get("INTERLEAVE", "BAND").lower(),
        bits=bits,
        sparse=sparse,
        white_is_zero=structure.get("MINISWHITE") == "YES",
        premultiplied=structure.get("ALPHA") == "PREMULTIPLIED",
    )
