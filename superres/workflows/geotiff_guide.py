"""A guide for a GeoTIFF: opened, held against what is asked for, and what it says of every band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from superres.errors import OptionError
from superres.formats.geotiff import RasterSource, open_raster
from superres.formats.geotiff_meaning import Raster
from superres.pipeline import Options, Upscaler
from superres.workflows.guided import Mix, guided_networks
from superres.workflows.raster_bands import Group
from superres.workflows.raster_guide import Guidance, RasterGuide, aligned

__all__ = ["guide_bands", "guided_size", "open_guide"]

# Share of a band's variance that a guide should explain.
_LITTLE = 0.2


def open_guide(raster: RasterSource, name: str, options: Options, stack: ExitStack) -> RasterGuide | None:
    """The guide that options name, open until ``stack`` is left; None for none.

    Args:
        raster: that is to be sharpened.
        name: what errors call it.
        options: name the guide.
        stack: closes it.

    Raises:
        InputError: it cannot be read, or does not lie over the raster as it must.
        OptionError: it has no bands of quantities, or not those that were asked for.
    """
    path = options.raster.guide
    if path is None:
        return None
    opened = open_raster(path, str(path), options.limits)
    stack.callback(opened.close)
    chosen = opened.raster.chosen(options.raster.guide_bands, str(path))
    bands = [band.source for band in chosen.bands if band.interpretation not in ("alpha", "palette")]
    if not bands or chosen.layout.bits == 1:
        raise OptionError(f"{path}: has no band that could guide another: only transparency, a colour table or bits")
    return RasterGuide(opened, bands, aligned(raster.raster, opened.raster, name, str(path)))


def guided_size(raster: Raster, guide: RasterGuide, options: Options, name: str) -> tuple[int, int]:
    """(width, height) of the result: the guide's grid, whatever a scale or a size must then agree with."""
    factor = guide.alignment.factor
    size = raster.width * factor, raster.height * factor
    if options.size is not None or options.scale not in (None, factor):
        asked = f"size {options.size}" if options.size is not None else f"scale {options.scale:g}"
        raise OptionError(
            f"{asked}: the guide {guide.source.name} is x{factor} of {name}: leave --scale and --size out"
        )
    options.limits.check_output(name, (raster.height, raster.width), (size[1], size[0]), 1)
    return size


def guide_bands(
    guide: RasterGuide, source: RasterSource, raster: Raster, groups: Sequence[Group], upscaler: Upscaler
) -> Guidance:
    """What sharpens the bands of a raster by a guide.

    Args:
        guide: opened.
        source: read from.
        raster: its bands that are wanted.
        groups: of these bands, each alone.
        upscaler: has the networks.

    Raises:
        ModelError, OptionError: the networks cannot be loaded, or do not reach the guide's grid.
        CorruptInputError: one of the two is damaged.
    """
    chains = upscaler.guided(guide.alignment.factor)
    bands = [raster.bands[place].source for group in groups if group.kind != "nearest" for place in group.places]
    mixes = {band: guide.mix(source, band) for band in bands}
    return Guidance(guide, mixes, chains, guided_networks(chains), _told(mixes, guide))


def _told(mixes: Mapping[int, Mix], guide: RasterGuide) -> tuple[str, ...]:
    """Which bands the guide says little about."""
    return tuple(
        f"band {band}: {guide.source.name} explains {100 * mix.explained:.0f} % of it and can add little"
        for band, mix in mixes.items()
        if mix.explained < _LITTLE
    )
