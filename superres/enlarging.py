"""Strips of planes, enlarged tile by tile: windows with a halo, a little of it mirrored at the picture's edges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.backends.base import Floats
from superres.chain import NetworkChain
from superres.errors import InferenceError
from superres.image import PictureInfo
from superres.planes import filled
from superres.queueing import mapped
from superres.tiling import Span, mirrored, spans

__all__ = ["enlarged"]

Array = npt.NDArray[Any]

# Pixels in the middle of a flat window that are computed; one would do, but runtimes like more.
_MIDDLE = 8

# The last rows of a picture, mirrored behind it, may lie above the last window by so many.
_MIRRORED = 8

# Where a tile lies, down and across, and its window of planes.
_Job = tuple[Span, Span, Array]


class _Rows:
    """The last prepared strips: any window whose rows lie within them, mirrored at the picture's edges."""

    def __init__(self, strips: Iterator[Array], height: int, width: int) -> None:
        self._strips, self._height, self._width = strips, height, width
        self._first, self._rows = 0, np.empty((0, 0, 0))

    def window(self, top: int, bottom: int, left: int, right: int, keep: int) -> Array:
        """Planes (bottom - top, right - left, P).  Rows above ``keep`` will not be asked for again."""
        rows = mirrored(top, bottom, self._height)
        while self._first + self._rows.shape[0] <= rows.max():
            strip = next(self._strips)
            if not self._rows.size:
                self._rows = strip
                continue
            drop = max(0, min(keep - self._first, self._rows.shape[0]))
            self._rows = np.concatenate([self._rows[drop:], strip])
            self._first += drop
        band = _picked(self._rows, rows - self._first, 0)
        return _picked(band, mirrored(left, right, self._width), 1)


def _picked(planes: Array, positions: npt.NDArray[np.int64], axis: int) -> Array:
    """Positions on one axis: a view where they follow one another, as they do away from the picture's edges."""
    first, last = int(positions[0]), int(positions[-1])
    if last - first == len(positions) - 1 and (np.diff(positions) == 1).all():
        window: Array = planes[(slice(None),) * axis + (slice(first, last + 1),)]
        return window
    return planes.take(positions, axis)


def enlarged(
    prepared: Iterator[Array],
    info: PictureInfo,
    chain: NetworkChain,
    columns: int,
    rows: int,
    finish: Callable[[Array], Array],
    stopped: threading.Event | None,
    lanes: int = 0,
) -> Iterator[Array]:
    """Strips of ``rows`` input rows, enlarged in tiles ``columns`` wide; ``finish`` is applied to each tile.

    Planes are float32 (rows, width, P); for a chain in int8, uint8 colours as they were read.

    Several tiles run at once, as many as the networks have lanes; or one, in the caller's thread, when ``lanes`` is 1.
    Ends early, within a strip, once ``stopped`` is set.
    """
    # Gaps are filled as deep as the networks see, from as far away.
    margin = chain.halo * (2 if info.dtype == np.float32 else 1)
    source = _Rows(prepared, info.height, info.width)

    def windows() -> Iterator[_Job]:
        for down in spans(info.height, rows, margin):
            for across in spans(info.width, columns, margin):
                if stopped is not None and stopped.is_set():
                    return
                tall, wide = (down.window_start, down.window_stop), (across.window_start, across.window_stop)
                yield down, across, source.window(*tall, *wide, down.window_start - _MIRRORED)

    def enlarge(job: _Job) -> tuple[Span, Array]:
        down, across, window = job
        try:
            large = _tile(window, info, chain)
        except InferenceError as error:
            raise InferenceError(
                f"tile at column {across.start}, row {down.start} of {info.width} x {info.height}: {error}"
            ) from error
        return across, finish(large[down.inner(chain.scale), across.inner(chain.scale)])

    strip = np.empty((0, 0, 0))
    one_by_one = (enlarge(job) for job in windows())
    with closing(one_by_one if lanes == 1 else mapped(enlarge, windows(), lanes or chain.lanes)) as parts:
        for across, part in parts:
            if across.start == 0:
                strip = np.empty((part.shape[0], info.width * chain.scale, part.shape[2]), part.dtype)
            strip[:, across.start * chain.scale : across.stop * chain.scale] = part
            if across.stop == info.width and not (stopped is not None and stopped.is_set()):
                yield strip


def _tile(window: Array, info: PictureInfo, chain: NetworkChain) -> Array:
    """Enlarge the planes of one window (h, w, P) -> (s*h, s*w, P).

    Where all of a window is of one value, paper, sky, nodata, its middle is computed once and repeated: what a network
    makes of a position depends on its neighbourhood alone.  The outermost halo of such a result is not the network's.
    """
    side = 2 * chain.halo + _MIDDLE
    if min(window.shape[:2]) <= side or not _is_flat(window):
        return _through_networks(window, info, chain)
    s, at = chain.scale, chain.halo * chain.scale
    middle = _through_networks(window[:side, :side], info, chain)[at : at + s, at : at + s]
    return np.tile(middle, (*window.shape[:2], 1))


def _is_flat(window: Array) -> bool:
    """Whether all pixels have the same bytes, those of NaN included."""

    def same(rows: Array) -> bool:
        codes = np.ascontiguousarray(rows).view(np.uint8).reshape(rows.shape[0], rows.shape[1], -1)
        return bool((codes == codes[0, 0]).all())

    return same(window[:1]) and same(window)  # nearly every picture ends in its first row


def _through_networks(window: Array, info: PictureInfo, chain: NetworkChain) -> Array:
    """See :func:`_tile`."""
    if chain.precision == "int8":
        return _in_bytes(window, chain)
    s, colours = chain.scale, 3 if info.colour == "rgb" else 1
    values = window[:, :, : info.channels]
    gaps = window[:, :, info.channels :]
    if gaps.size:
        values = filled(values, chain.halo)
    parts = [_through(values[:, :, :colours], chain)]
    if info.alpha:
        alpha = values[:, :, -1:]
        flat = bool(np.all(alpha == alpha[0, 0]))
        large = np.full((alpha.shape[0] * s, alpha.shape[1] * s, 1), alpha[0, 0, 0]) if flat else _through(alpha, chain)
        parts.append(large)
    if gaps.size:
        parts.append(gaps.repeat(s, axis=0).repeat(s, axis=1))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _through(values: Floats, chain: NetworkChain) -> Floats:
    """(h, w, 1 or 3) through the networks, see :func:`_to_channels` and :func:`_from_channels`.

    Values below 0, which float pictures may have, go past the networks: these have never seen any, and answer with
    numbers that mean nothing.  What lies below 0 is repeated and added.
    """
    below = np.minimum(values, 0)

    def run(part: Array) -> Array:
        batch = np.ascontiguousarray(_to_channels(part, chain.channels).transpose(0, 3, 1, 2))
        return _from_channels(chain.run(batch).transpose(0, 2, 3, 1), part.shape[2])

    large: Floats = _in_parts(values - below, run, chain)
    return large + below.repeat(chain.scale, axis=0).repeat(chain.scale, axis=1) if below.any() else large


def _in_bytes(values: Array, chain: NetworkChain) -> Array:
    """uint8 (h, w, 1 or 3) through the networks in int8; one channel as in :func:`_through`."""

    def run(part: Array) -> Array:
        large = chain.run_bytes(np.ascontiguousarray(_to_channels(part, chain.channels)))
        made: Array = _from_channels(large, part.shape[2])
        return made if made.dtype == np.uint8 else np.rint(made).astype(np.uint8)

    return _in_parts(values, run, chain)


def _to_channels(planes: Array, channels: int) -> Array:
    """(h, w, C) -> (N, h, w, channels): networks of one channel take every plane alone, of three a grey one thrice."""
    if channels == 1:
        return planes.transpose(2, 0, 1)[..., None]
    return np.broadcast_to(planes, (*planes.shape[:2], channels))[None]


def _from_channels(large: Array, planes: int) -> Array:
    """Results of networks (N, h, w, channels) -> (h, w, planes); a grey one is the mean of its three."""
    if large.shape[3] == 1:
        return large[..., 0].transpose(1, 2, 0)
    colours: Array = large[0]
    return colours if planes == colours.shape[2] else np.asarray(colours.mean(axis=2, keepdims=True))


def _in_parts(planes: Array, run: Callable[[Array], Array], chain: NetworkChain) -> Array:
    """(h, w, C) through the networks; when memory runs out, in halves with a halo, down to 2 halos of length."""
    try:
        return run(planes)
    except MemoryError as error:
        axis = 0 if planes.shape[0] >= planes.shape[1] else 1
        length, halo, s = planes.shape[axis], chain.halo, chain.scale
        middle = length // 2
        if middle <= 2 * halo:
            raise InferenceError(
                f"out of memory even for {planes.shape[1]} x {planes.shape[0]} pixels; free memory or lower --threads"
            ) from error
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(0, middle + halo), slice(middle - halo, length)
        before = _in_parts(np.ascontiguousarray(planes[tuple(first)]), run, chain)
        after = _in_parts(np.ascontiguousarray(planes[tuple(second)]), run, chain)
        first[axis], second[axis] = slice(0, middle * s), slice(halo * s, None)
        return np.concatenate([before[tuple(first)], after[tuple(second)]], axis=axis)
