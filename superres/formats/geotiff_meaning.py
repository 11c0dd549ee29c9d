"""What a raster is besides its samples: place, bands, layout; read from one file, scaled, written to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from superres.errors import OptionError
from superres.geometry import scaled_edge, scaled_rpc, scaled_transform

__all__ = ["Band", "ControlPoint", "Layout", "Place", "Raster", "Tags"]

#: Domain -> key -> value, as GDAL keeps metadata; the domain "" is the default one.
Tags = Mapping[str, Mapping[str, str]]

#: TIFFTAG_RESOLUTIONUNIT that gives a print size: inch and centimetre.
_PRINTED = ("2", "3")


@dataclass(frozen=True)
class Band:
    """One band.

    Attributes:
        source: its number in the source, from 1.
        interpretation: GDAL's name of what it shows: ``red``, ``gray``, ``alpha``, ``undefined``...
        description: its title, None for none.
        scale, offset: physical value = scale * sample + offset; (1, 0) for none.
        unit: of physical values, None for none.
        tags: its metadata, statistics left out: they would be wrong after an enlargement.
        colours: its colour table, index -> (red, green, blue, alpha); None for none.
        tables: what lies beside the file and names its values, in words; no result has it.
        classes: the source says that its samples name something: nothing lies between two.
    """

    source: int
    interpretation: str
    description: str | None
    scale: float
    offset: float
    unit: str | None
    tags: Tags
    colours: Mapping[int, tuple[int, ...]] | None
    tables: tuple[str, ...] = ()
    classes: bool = False


@dataclass(frozen=True)
class ControlPoint:
    """A ground control point: ``row`` and ``column`` count from the outer corner of the first pixel."""

    row: float
    column: float
    x: float
    y: float
    z: float
    id: str
    info: str


@dataclass(frozen=True)
class Place:
    """Where a raster lies; any of the three ways, None or empty where absent.

    Attributes:
        crs: rasterio's coordinate reference system, of ``transform`` or of ``points``.
        transform: see :func:`superres.geometry.scaled_transform`.
        points: ground control points.
        rpc: rational polynomial coefficients, by the names that ``rasterio.rpc.RPC`` takes.
        epoch: year, with its fraction, of the coordinates of a dynamic ``crs``, None for none; no result has it.
    """

    crs: Any
    transform: tuple[float, float, float, float, float, float] | None
    points: tuple[ControlPoint, ...]
    rpc: Mapping[str, Any] | None
    epoch: float | None = None

    def scaled(self, across: float, down: float) -> Place:
        """After an enlargement of width and height by these factors."""
        points = tuple(
            replace(point, row=scaled_edge(point.row, down), column=scaled_edge(point.column, across))
            for point in self.points
        )
        rpc = None
        if self.rpc is not None:
            rpc = dict(self.rpc)
            for axis, factor in (("line", down), ("samp", across)):
                offset, scale = scaled_rpc(rpc[f"{axis}_off"], rpc[f"{axis}_scale"], factor)
                rpc |= {f"{axis}_off": offset, f"{axis}_scale": scale}
        transform = None if self.transform is None else scaled_transform(self.transform, across, down)
        return replace(self, transform=transform, points=points, rpc=rpc)


@dataclass(frozen=True)
class Layout:
    """How the samples lie in the file.

    Attributes:
        tiled: in tiles rather than in strips of whole rows.
        block_width, block_height: of a tile or strip, in pixels.
        compression: GDAL's lower-case name; empty for none.
        predictor: of the compression: 1 none, 2 differences, 3 floating point.
        interleave: ``pixel`` or ``band``.
        bits: per sample where that is less than the dtype has, else 0.
        sparse: some blocks are absent: all their pixels are nodata, or 0 where there is no such value.
        white_is_zero: how a single grey band is to be shown.
        premultiplied: colours are stored times alpha.
    """

    tiled: bool
    block_width: int
    block_height: int
    compression: str
    predictor: int
    interleave: str
    bits: int
    sparse: bool
    white_is_zero: bool
    premultiplied: bool


@dataclass(frozen=True)
class Raster:
    """A raster: everything but its samples.

    Attributes:
        width, height: in pixels.
        dtype: of every band, native byte order.
        nodata: the sample that means "no value", in any band; None for none.
        bands: in order.
        place: where it lies.
        tags: metadata of the whole.
        mask: it has a mask of its own (not nodata, not alpha).
        overviews: by what the smaller copies that it carries are smaller; empty for none.
        resampling: how those are made, by rasterio's names.
        layout: how the samples lie in the file.
    """

    width: int
    height: int
    dtype: np.dtype[Any]
    nodata: float | int | None
    bands: tuple[Band, ...]
    place: Place
    tags: Tags
    mask: bool
    overviews: tuple[int, ...]
    resampling: str
    layout: Layout

    @property
    def largest(self) -> int | float:
        """The largest sample that the file can hold; infinity for floats."""
        if self.dtype.kind == "f":
            return float("inf")
        return 2**self.layout.bits - 1 if self.layout.bits else int(np.iinfo(self.dtype).max)

    def chosen(self, bands: Sequence[int], name: str) -> Raster:
        """With these bands only, counted from 1, in this order; all of them when empty.

        Raises:
            OptionError: a band that there is not, or one that is named twice.
        """
        if not bands:
            return self
        count = len(self.bands)
        wrong = [band for band in bands if not 1 <= band <= count]
        if wrong or len(set(bands)) != len(bands):
            listed = ",".join(map(str, bands))
            raise OptionError(f"{name}: bands {listed}: expected some of 1 to {count}, each once")
        return replace(self, bands=tuple(self.bands[band - 1] for band in bands))

    def scaled(self, width: int, height: int) -> Raster:
        """The same meaning for a result of this size, with overviews down to the size that the source has."""
        across, down = width / self.width, height / self.height
        overviews = list(self.overviews)
        if overviews:
            smallest = max(self.width, self.height) / overviews[-1]
            while max(width, height) / overviews[-1] > smallest:
                overviews.append(2 * overviews[-1])
        return replace(
            self,
            width=width,
            height=height,
            place=self.place.scaled(across, down),
            overviews=tuple(overviews),
            tags={**self.tags, "": _print_size_kept(self.tags.get("", {}), across, down)},
        )


def _print_size_kept(tags: Mapping[str, str], across: float, down: float) -> dict[str, str]:
    """The print size stays, so a resolution per inch or centimetre grows."""
    kept = dict(tags)
    if kept.get("TIFFTAG_RESOLUTIONUNIT", "").startswith(_PRINTED):
        for key, factor in (("TIFFTAG_XRESOLUTION", across), ("TIFFTAG_YRESOLUTION", down)):
            if key in kept:
                kept[key] = f"{float(kept[key]) * factor:.9g}"
    return kept
