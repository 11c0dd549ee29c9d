"""GeoTIFF rasters from file to file: any size, any bands, in windows; values stay physical, gaps stay gaps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from superres import __version__
from superres.atomic import temporary_beside
from superres.errors import InputError, OptionError
from superres.formats.gdal import gdal_settings
from superres.formats.geotiff import open_raster
from superres.formats.geotiff_finish import add_overviews, cog_leftovers, convert_to_cog
from superres.formats.geotiff_meaning import Raster
from superres.formats.geotiff_write import NamedPlacement, RasterWriter, block_shape
from superres.formats.kinds import KINDS
from superres.formats.table import format_of_name
from superres.image import PictureInfo
from superres.pipeline import Options, Result, Upscaler
from superres.workflows.geotiff_guide import guide_bands, guided_size, open_guide
from superres.workflows.networks import Networks, networks_for, together
from superres.workflows.raster_bands import Group, plan_groups
from superres.workflows.raster_grid import boxes
from superres.workflows.raster_parts import PartMaker
from superres.workflows.raster_spool import Parts, job_key, spool_path
from superres.workflows.spool import Spool

__all__ = ["SPOOLED_SAMPLES", "upscale_file"]

#: Results with more samples than this keep their finished parts in a hidden file beside them until they are complete,
#: so that a killed run goes on where it was.
SPOOLED_SAMPLES = 100_000_000

_NEAREST = "nearest neighbour"
# Of the memory budget, for one window of the result; the rest is the networks' and the strips'.
_SHARE, _MOST = 8, 256_000_000


def upscale_file(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    *,
    name: str,
    report: Callable[[int, int], None] | None,
) -> Result:
    """Enlarge a GeoTIFF; see :class:`superres.workflows.Workflow`.

    ``options.raster`` says which bands, and whether the result is cloud-optimised.  Memory does not grow with the
    raster: windows of it are read, enlarged and written.  A result of more than :data:`SPOOLED_SAMPLES` samples keeps
    what is done in ``.NAME.resume`` beside it; the same command, after whatever stopped it, goes on from there, and the
    result has the same bytes as that of an uninterrupted run.

    ``report`` counts samples of the result.

    Raises:
        SuperresError: see :mod:`superres.errors`; then no part of a result is left behind, but for ``.NAME.resume``.
    """
    started, options = time.perf_counter(), upscaler.options
    _check_options(target, options)
    with ExitStack() as stack:
        stack.enter_context(gdal_settings())
        opened = open_raster(source, name, options.limits)
        stack.callback(opened.close)
        chosen = opened.raster.chosen(options.raster.bands, name)
        _check_blocks(chosen, options, name)
        info = _as_picture(chosen)
        guide = open_guide(opened, name, options, stack)
        size = upscaler.target(info, name) if guide is None else guided_size(chosen, guide, options, name)
        place = NamedPlacement(target, overwrite=options.overwrite, source=source)
        stack.callback(place.discard)  # does nothing after a commit
        groups = plan_groups(opened, chosen, apart=guide is not None)
        guidance = None if guide is None else guide_bands(guide, opened, chosen, groups, upscaler)
        networks = guidance.networks if guidance else _networks(upscaler, info, size, groups)
        maker = PartMaker(opened, chosen.scaled(*size), groups, upscaler, networks, guidance)
        if all(group.kind == "nearest" for group in groups):
            networks = replace(networks, names=(_NEAREST,), precision="exact")
        result = _noted(chosen, _overviews_for(maker.raster, groups), networks)
        # The window itself, as it is packed and unpacked, and as it is read back.
        pixels = min(options.memory // _SHARE, _MOST) // (4 * len(result.bands) * result.dtype.itemsize)
        windows = boxes(*size, block_shape(result), pixels)
        parts = Parts(maker, windows, report)
        spool = None
        if parts.samples > SPOOLED_SAMPLES:
            key = job_key(source, replace(options, overwrite=False), networks, windows)
            spool = stack.enter_context(Spool(spool_path(target), key))
        _write(result, parts, spool, place, target, options)
        place.commit()
        if spool is not None:
            spool.remove()
    return Result(
        source=name,
        target=str(target),
        source_size=(chosen.width, chosen.height),
        target_size=size,
        networks=networks.names,
        precision=networks.precision,
        seconds=time.perf_counter() - started,
        warnings=guidance.warnings if guidance else (),
        note=_left_behind(chosen),
    )


def _left_behind(source: Raster) -> str:
    """What the source says and its result does not, because rasterio writes none of it."""
    missing = dict.fromkeys(table for band in source.bands for table in band.tables)
    if source.place.epoch is not None:
        missing[f"coordinate epoch {source.place.epoch:.9g}"] = None
    return f"not carried along: {', '.join(missing)}" if missing else ""


def _overviews_for(result: Raster, groups: Sequence[Group]) -> Raster:
    """With overviews that invent no classes, where a band has such: what is chosen for one band holds for all."""
    classes = any(
        group.kind == "nearest" and result.bands[place].interpretation != "alpha"
        for group in groups
        for place in group.places
    )
    return replace(result, resampling="nearest") if classes and result.resampling != "mode" else result


def _check_options(target: Path, options: Options) -> None:
    """Refuse what means nothing to a raster."""
    suffixes = KINDS["geotiff"].results
    if target.suffix.lower() not in suffixes or (options.format and format_of_name(options.format) != "tiff"):
        asked = f"format {options.format}" if options.format else f"suffix {target.suffix!r}"
        raise OptionError(f"{target}: {asked}: a GeoTIFF becomes a GeoTIFF; name it {' or '.join(suffixes)}")
    if options.quality is not None:
        raise OptionError(f"quality {options.quality}: rasters are written without loss; omit it")


def _check_blocks(raster: Raster, options: Options, name: str) -> None:
    """Refuse blocks that do not fit into memory: GDAL decodes whole ones."""
    layout = raster.layout
    bands = len(raster.bands) if layout.interleave == "pixel" else 1
    size = layout.block_height * layout.block_width * bands * raster.dtype.itemsize
    if size > options.memory // 4:
        raise InputError(
            f"{name}: has blocks of {layout.block_width} x {layout.block_height} pixels, {size / 1e6:.0f} MB each, too "
            f"large for a memory budget of {options.memory / 1e6:.0f} MB: raise it, or rewrite the file in tiles with "
            "gdal_translate -co TILED=YES"
        )


def _as_picture(raster: Raster) -> PictureInfo:
    """The raster as the pipeline sees one band of it."""
    return PictureInfo(
        height=raster.height,
        width=raster.width,
        colour="grey",
        dtype=np.dtype(np.float32),
        sample_range=1.0,
        alpha=False,
        format="geotiff",
        lossy=False,
    )


def _networks(upscaler: Upscaler, info: PictureInfo, size: tuple[int, int], groups: Sequence[Group]) -> Networks:
    """Those of colours, of single bands, or of both."""
    kinds = dict.fromkeys(group.kind for group in groups if group.kind != "nearest") or {"grey": None}
    return together([networks_for(upscaler, replace(info, colour=kind), size) for kind in kinds])


def _noted(source: Raster, result: Raster, networks: Networks) -> Raster:
    """With a note in its metadata that it is derived."""
    note = (
        f"derived, {source.width} x {source.height} pixels enlarged to {result.width} x {result.height} "
        f"by {' + '.join(networks.names)}, superres {__version__}"
    )
    default: dict[str, Any] = {**result.tags.get("", {}), "SUPERRES": note}
    return replace(result, tags={**result.tags, "": default})


def _write(
    result: Raster, parts: Parts, spool: Spool | None, place: NamedPlacement, target: Path, options: Options
) -> None:
    """From finished parts to a complete file under the hidden name."""
    # A GeoTIFF first in any case: GDAL's driver for the cloud form would gather the raster in memory.
    plain = temporary_beside(place.hidden) if options.raster.cog else place.hidden
    try:
        with RasterWriter(plain, result, target) as writer:
            for box, samples in parts.made(spool, (place.hidden, plain, *cog_leftovers(place.hidden))):
                writer.write(box, samples, parts.mask(box))
        if result.overviews:
            add_overviews(plain, result, target)
        if options.raster.cog:
            convert_to_cog(plain, place.hidden, result, target)
    finally:
        if plain != place.hidden:
            plain.unlink(missing_ok=True)
