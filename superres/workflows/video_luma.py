"""Luma planes through the networks: whole, or only where they have changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.backends.base import Floats
from superres.enlarging import enlarged
from superres.errors import InferenceError
from superres.formats.video import VideoInfo
from superres.pipeline import Upscaler
from superres.queueing import mapped
from superres.tiling import Span, even_tile, mirrored, spans, tile_grid
from superres.workflows.video_samples import LumaSamples, luma_picture

__all__ = ["REUSE_TILE", "LumaEnlarger"]

Array = npt.NDArray[Any]

_WHOLE_TILE = 512
#: Side of the blocks that are copied or computed, in source pixels: with a network's halo around them small ones would
#: cost more than they save.
REUSE_TILE = 64


@dataclass
class _Block:
    """A block of the plane: where its window lies, and what it held when it was computed last."""

    down: Span
    across: Span
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    held: Array | None = None


class LumaEnlarger:
    """Enlarges one luma plane after the other.

    Black goes through the networks as 0 and white as 1, whatever the range; what lies below and above stays.  In int8
    networks take samples as they are.  A plane equal to the last one is not computed again.

    With ``reuse`` the plane is cut into blocks of :data:`REUSE_TILE` pixels.  A block whose window, which is the block
    and the networks' halo around it, differs by no more than ``reuse`` 8-bit steps in any sample from what it held when
    it was computed last keeps its result.  With 0 results equal those of computing every block: the same numbers would
    go through the same networks in the same shape.

    Args:
        upscaler: its networks do the work.
        info: of the source.
        size: (width, height) of the result.
        reuse: None to compute all of every plane.
        stopped: once set, work ends early and results are worthless.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        info: VideoInfo,
        size: tuple[int, int],
        reuse: int | None,
        stopped: threading.Event,
    ) -> None:
        self._picture, self._size, self._stopped = luma_picture(info), size, stopped
        # The upscaler offers strips of pictures from 0 to their range; luma has a black of its own.
        self._chain = upscaler.chain(self._picture, size)
        self._bytes = self._chain.precision == "int8"
        self._tile = upscaler.options.tile
        self._samples = LumaSamples(info, self._chain.scale, size)
        self._exact = self._samples.exact
        self._tolerance = None if reuse is None else reuse << (info.pixels.bits - 8)
        self._blocks: list[_Block] = []
        self._last: tuple[Array, Array] | None = None
        self._large: Array | None = None

    def forget(self) -> None:
        """Compute all of the next plane."""
        self._blocks, self._last, self._large = [], None, None

    def enlarge(self, plane: Array) -> Array:
        """(height, width) samples -> (height, width) of the result, of the same dtype; not to be written to.

        Raises:
            InferenceError: a network failed.
        """
        if self._last is not None and np.array_equal(plane, self._last[0]):
            return self._last[1]
        result = self._whole(plane) if self._tolerance is None else self._in_blocks(plane, self._tolerance)
        self._last = plane.copy(), result
        return result

    def _prepared(self, samples: Array) -> Array:
        return samples if self._bytes else self._samples.prepared(samples)

    def _finished(self, values: Array) -> Array:
        return values if self._bytes else self._samples.finished(values)

    def _whole(self, plane: Array) -> Array:
        """All of a plane, in tiles that even out."""
        tile, halo, lanes = self._tile or _WHOLE_TILE, self._chain.halo, self._chain.lanes
        columns, rows = tile_grid(plane.shape[1], plane.shape[0], tile, halo, lanes)
        planes = iter([self._prepared(plane)[:, :, None]])
        finish = self._finished if self._exact else _as_it_is
        strips = list(enlarged(planes, self._picture, self._chain, columns, rows, finish, self._stopped))
        if self._stopped.is_set():
            return np.empty((self._size[1], self._size[0]), self._picture.dtype)
        large = (strips[0] if len(strips) == 1 else np.concatenate(strips))[:, :, 0]
        return large if self._exact else self._fitted(large)

    def _fitted(self, large: Floats) -> Array:
        """Of the networks' size -> of the result's."""
        return self._finished(self._samples.fitted(large))

    def _in_blocks(self, plane: Array, tolerance: int) -> Array:
        """Only the blocks whose windows have changed."""
        scale, height, width = self._chain.scale, *plane.shape
        if self._large is None:
            self._blocks = list(self._cut(height, width))
            dtype = self._picture.dtype if self._exact else np.dtype(np.float32)
            self._large = np.zeros((height * scale, width * scale), dtype)  # blocks that a stop leaves out too
        changed = self._changed(plane, tolerance)
        for block, values in mapped(lambda job: (job[0], self._through(*job)), changed, self._chain.lanes):
            target = self._large[
                block.down.start * scale : block.down.stop * scale,
                block.across.start * scale : block.across.stop * scale,
            ]
            target[...] = self._finished(values) if self._exact else values
        return self._large.copy() if self._exact else self._fitted(self._large)

    def _changed(self, plane: Array, tolerance: int) -> Iterator[tuple[_Block, Array]]:
        """Blocks that are to be computed, with their windows; none once there is a stop."""
        for block in self._blocks:
            if self._stopped.is_set():
                return
            window = plane[block.rows, block.columns]
            if block.held is None or not _alike(window, block.held, tolerance):
                block.held = window
                yield block, window

    def _cut(self, height: int, width: int) -> Iterator[_Block]:
        tile, halo = self._tile or REUSE_TILE, self._chain.halo
        high, wide = (even_tile(length, -(-length // tile), halo) for length in (height, width))
        for down in spans(height, high, halo):
            for across in spans(width, wide, halo):
                rows = mirrored(down.window_start, down.window_stop, height)
                columns = mirrored(across.window_start, across.window_stop, width)
                yield _Block(down, across, rows[:, None], columns[None, :])

    def _through(self, block: _Block, window: Array) -> Array:
        """One window through the networks; its block alone, enlarged."""
        try:
            large = self._run(self._prepared(window))
        except MemoryError as error:
            raise InferenceError("out of memory even for one block; free memory or lower --tile") from error
        return large[block.down.inner(self._chain.scale), block.across.inner(self._chain.scale)]

    def _run(self, values: Array) -> Array:
        """(h, w) -> (scale * h, scale * w): equal channels go in, their mean comes out, as for grey pictures."""
        channels = self._chain.channels
        if self._bytes:
            codes = np.ascontiguousarray(np.broadcast_to(values[None, :, :, None], (1, *values.shape, channels)))
            mean: Array = np.rint(self._chain.run_bytes(codes)[0].mean(axis=2)).astype(np.uint8)
            return mean
        planes = np.ascontiguousarray(np.broadcast_to(values, (1, channels, *values.shape)))
        large: Floats = self._chain.run(planes)[0].transpose(1, 2, 0).mean(axis=2)
        return large


def _as_it_is(values: Array) -> Array:
    return values


def _alike(first: Array, second: Array, tolerance: int) -> bool:
    """Whether no sample differs by more than ``tolerance``."""
    if tolerance == 0:
        return np.array_equal(first, second)
    return bool(np.abs(first.astype(np.int32) - second).max() <= tolerance)
