"""Parts of an enlarged raster, one window at a time, each a function of the source and its place alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from superres.formats.geotiff import Box, RasterSource
from superres.formats.geotiff_meaning import Raster
from superres.pipeline import Upscaler
from superres.workflows.bands import kept_apart, stored
from superres.workflows.networks import Networks
from superres.workflows.raster_bands import Group, values_in
from superres.workflows.raster_grid import Axis, pieces
from superres.workflows.raster_guide import Guidance
from superres.workflows.raster_means import consistent, redistributed
from superres.workflows.raster_window import Window, widened

__all__ = ["PartMaker"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# Pixels of the result on a side of what goes through the networks at a time, at most and at least, and bytes that one
# of them takes in each band while it is corrected.
_PIECE, _LEAST, _COPIES = 2048, 64, 40
# Rows that are looked at together.
_SLAB = 256


class PartMaker:
    """Makes any window of the result.

    Attributes:
        raster: the result.

    Args:
        source: read from.
        raster: the result.
        groups: its bands.
        upscaler: runs the networks.
        networks: those that it runs.
        guidance: what sharpens every band by a guide instead of the upscaler; None for none.
    """

    def __init__(
        self,
        source: RasterSource,
        raster: Raster,
        groups: Sequence[Group],
        upscaler: Upscaler,
        networks: Networks,
        guidance: Guidance | None = None,
    ) -> None:
        self.raster, self._guidance = raster, guidance
        self._source, self._groups, self._upscaler = source, groups, upscaler
        self._halo, self._scale = networks.halo, networks.scale
        self._rows = Axis.of(source.raster.height, networks.scale, raster.height)
        self._columns = Axis.of(source.raster.width, networks.scale, raster.width)
        together = max(len(group.places) for group in groups)
        self._piece = min(_PIECE, max(_LEAST, math.isqrt(upscaler.options.memory // 4 // (_COPIES * together))))

    def make(self, box: Box, step: Callable[[int], None]) -> Array:
        """The window ``box`` of the result.

        Args:
            box: where.
            step: called with how many samples have been made since it was called last.

        Returns:
            (bands, rows, columns) of the raster's dtype, or (bands, 1, 1) where each band is constant.

        Raises:
            SuperresError: see :mod:`superres.errors`.
        """
        made = np.empty((len(self.raster.bands), box[1] - box[0], box[3] - box[2]), self.raster.dtype)
        for piece in pieces(box, self._piece, self._piece):
            rows, columns = slice(piece[0] - box[0], piece[1] - box[0]), slice(piece[2] - box[2], piece[3] - box[2])
            for group in self._groups:
                parts = [made[place, rows, columns] for place in group.places]
                if group.kind != "nearest":
                    self._fill(group, piece, parts)
                for place, part in zip(group.places, parts, strict=True):
                    self._stamp(place, piece, part, everywhere=group.kind == "nearest")
                step(sum(part.size for part in parts))
        flat = made[:, :1, :1]
        return flat.copy() if (made == flat).all() else made

    def mask(self, box: Box) -> npt.NDArray[np.uint8] | None:
        """The result's own mask, nearest neighbour; None where it has none."""
        if not self.raster.mask:
            return None
        near, take = self._nearest(box)
        return self._source.mask(near)[take]

    def _nearest(self, box: Box) -> tuple[Box, tuple[npt.NDArray[np.int64], ...]]:
        """The source window that a window of the result lies in, and which of its samples are nearest."""
        rows, columns = self._rows.nearest(*box[:2]), self._columns.nearest(*box[2:])
        near = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        return near, np.ix_(rows - near[0], columns - near[2])

    def _stamp(self, place: int, box: Box, made: Array, *, everywhere: bool) -> None:
        """Put the source's own samples where it has gaps, or ``everywhere``; the others are moved off ``nodata``."""
        source, raster, band = self._source, self.raster, self.raster.bands[place].source
        if not everywhere and not source.has_gaps(band):
            return
        for slab in pieces(box, _SLAB, box[3] - box[2]):
            near, take = self._nearest(slab)
            samples = source.read(band, near)
            part = made[slab[0] - box[0] : slab[1] - box[0]]
            if everywhere:
                part[:] = samples[take]
                continue
            gaps = source.gaps(band, near, samples)[take]
            kept_apart(part, gaps, raster.nodata, raster.largest)
            if gaps.any():
                np.copyto(part, samples[take], where=gaps)

    def _fill(self, group: Group, box: Box, made: Sequence[Array]) -> None:
        """Enlarge one window of bands that go together, corrected so that its means are the source's."""
        rows, columns = self._rows.reach(*box[:2]), self._columns.reach(*box[2:])
        window = *self._rows.window(*rows.fine, self._halo), *self._columns.window(*columns.fine, self._halo)
        bands = [self.raster.bands[place].source for place in group.places]
        constants = [self._constant(band, widened(window, 2 * self._halo, self._source.raster)) for band in bands]
        if None not in constants:
            for part, constant in zip(made, constants, strict=True):
                part[:] = constant
            return
        reader = Window(self._source, bands, group.range, window, self._halo)
        networks = self._made(group, bands, reader, window, (*rows.fine, *columns.fine))
        source = reader.values((*rows.coarse, *columns.coarse))
        values = consistent(networks, source, rows, columns)
        low, high = group.range.bounds(self.raster.dtype, self.raster.largest)
        source = reader.values((*rows.near_coarse, *columns.near_coarse))
        values = redistributed(values, source, rows, columns, low, high)
        values = self._columns.fitted(self._rows.fitted(values, 0, *box[:2]), 1, *box[2:])
        for number, part in enumerate(made):
            part[:] = stored(group.range.restored(values[:, :, number]), self.raster.dtype, self.raster.largest)

    def _made(self, group: Group, bands: Sequence[int], reader: Window, window: Box, fine: Box) -> Floats:
        """The samples ``fine`` of a window, by networks without a guide, with one, or a mix of both."""
        guidance = self._guidance
        share = 0.0 if guidance is None else guidance.share(bands[0])
        if guidance is None or share == 0:
            return self._networks(reader, window, fine)
        plane = reader.read(0, window[1] - window[0])[:, :, 0]
        large = guidance.enlarge(bands[0], group.range, plane, window)
        guided = _inside(large[:, :, None], window, self._scale, fine)
        if share == 1:
            return guided
        plain = self._networks(reader, window, fine)
        return plain + np.float32(share) * (guided - plain)

    def _networks(self, reader: Window, window: Box, fine: Box) -> Floats:
        """The samples ``fine`` of what the networks make of a window of the source, (rows, columns, bands)."""
        info, s, done = reader.info, self._scale, window[0] * self._scale
        made = np.empty((fine[1] - fine[0], fine[3] - fine[2], info.channels), np.float32)
        whole = self._upscaler.strips(info, (info.width * s, info.height * s), reader, None)
        # Closed, so that nothing reads ahead from the source any more.
        with closing(cast(Generator[Array, None, None], whole)) as strips:
            for strip in strips:
                first, last = max(fine[0], done), min(fine[1], done + len(strip))
                if first < last:
                    inside = strip[first - done : last - done, fine[2] - window[2] * s : fine[3] - window[2] * s]
                    made[first - fine[0] : last - fine[0]] = inside
                done += len(strip)
        return made

    def _constant(self, band: int, box: Box) -> Any:
        """The one value that a window of the source has besides gaps, 0 when it has only these, None when it varies.

        Such a window needs no network: what is constant stays constant.
        """
        found: Any = None
        for slab in pieces(box, _SLAB, box[3] - box[2]):
            values = values_in(self._source, band, slab)
            if values.size:
                found = values.flat[0] if found is None else found
                if (values != found).any():
                    return None
        return self.raster.dtype.type(0) if found is None else found


def _inside(large: Floats, window: Box, scale: int, fine: Box) -> Floats:
    """The samples ``fine`` of a window of the source that was enlarged as a whole."""
    top, left = window[0] * scale, window[2] * scale
    return large[fine[0] - top : fine[1] - top, fine[2] - left : fine[3] - left]
