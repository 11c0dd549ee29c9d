"""A guide for a GeoTIFF: opened, held against what is asked for, and what it says of every band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.formats.geotiff import RasterSource, open_raster
from superres.formats.geotiff_meaning import Raster
from superres.image import Image, PictureInfo
from superres.pipeline import MemoryReader, Options, Upscaler
from superres.workflows.guide_trial import Enlarge, best_share
from superres.workflows.guided import guided_networks
from superres.workflows.networks import networks_for, together
from superres.workflows.raster_bands import Group
from superres.workflows.raster_guide import Guidance, RasterGuide, aligned

__all__ = ["guide_bands", "guided_size", "open_guide"]

# A guide with a lower share in the result does not do what it is expected to.
_LITTLE = 0.5


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
        ModelError, OptionError: the networks cannot be loaded.
        CorruptInputError: one of the two is damaged.
    """
    factor = guide.alignment.factor
    chains = upscaler.guided(factor)
    ranges = {raster.bands[g.places[0]].source: g.range for g in groups if g.kind != "nearest"}
    mixes = {band: guide.mix(source, band) for band in ranges}
    shares = dict.fromkeys(ranges, 1.0)
    if upscaler.serves_without_guide:
        plain = _plain(upscaler)
        for band, mix in mixes.items():
            share = best_share(guide.trials(source, band, ranges[band], mix), factor, plain, chains)
            shares[band] = 1.0 if share is None else share
    networks = guided_networks(chains)
    if min(shares.values(), default=1.0) < 1:
        info = _grey(raster.height, raster.width)
        size = raster.width * networks.scale, raster.height * networks.scale
        networks = together([networks, networks_for(upscaler, info, size)])
    return Guidance(guide, mixes, shares, chains, networks, _told(shares, guide))


def _plain(upscaler: Upscaler) -> Enlarge:
    """The networks without a guide, on a plane in memory."""

    def enlarge(plane: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
        reader = MemoryReader(Image.from_array(np.ascontiguousarray(plane)))
        large: npt.NDArray[np.float32] = np.concatenate(list(upscaler.strips(reader.info, size[::-1], reader, None)))
        return large[:, :, 0]

    return enlarge


def _grey(height: int, width: int) -> PictureInfo:
    """A band as the pipeline sees it."""
    whole = Image.from_array(np.zeros((1, 1), np.float32)).info
    return replace(whole, height=height, width=width)


def _told(shares: Mapping[int, float], guide: RasterGuide) -> tuple[str, ...]:
    """Which bands the guide does little for."""
    return tuple(
        f"band {band}: {guide.source.name} has a share of {100 * share:.0f} % in the result, the rest is made without "
        "it: on this band made smaller it helped no further"
        for band, share in shares.items()
        if share < _LITTLE
    )
