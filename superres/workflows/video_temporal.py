"""Luma planes through a network of video, which carries a state from frame to frame.

Each frame is enlarged with its neighbours and the state; a scene cut clears the state, and no neighbour is looked for
beyond it.  At the beginning of every group of frames the state is made anew from the :data:`WARM_FRAMES` frames before
it, so that a group depends on nothing else and a stopped run goes on with the same result.
"""

from __future__ import annotations

import collections
import itertools
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.backends.base import Floats
from superres.errors import InferenceError
from superres.formats.video import VideoInfo
from superres.formats.video_pixels import plane
from superres.pipeline import Upscaler
from superres.queueing import mapped
from superres.workflows.video_cuts import is_cut
from superres.workflows.video_samples import LumaSamples, luma_picture

__all__ = ["WARM_FRAMES", "TemporalEnlarger", "temporal_frames"]

Array = npt.NDArray[Any]

#: Frames before a group that its first state is made from.
WARM_FRAMES = 8

_TILE = 512

# Rows and columns of a tile, and those of its window: the halo around it, cut off at the frame's borders.
_Place = tuple[slice, slice, slice, slice]


class TemporalEnlarger:
    """Enlarges luma planes one after the other, and remembers.

    Beyond the frame's borders the network sees zeros, as in training.  Planes are cut into tiles of at most
    ``options.tile`` pixels; results do not depend on it but for the order of sums.  The state is kept in float32, twice
    while it is renewed: for 1920 x 1080 pixels and 52 channels 860 MB.

    Args:
        upscaler: its network does the work; the model that it chooses for this video must be of kind ``video``.
        info: of the source.
        size: (width, height) of the result.
        stopped: once set, work ends early and results are worthless.
    """

    def __init__(self, upscaler: Upscaler, info: VideoInfo, size: tuple[int, int], stopped: threading.Event) -> None:
        self._chain, self._stopped = upscaler.chain(luma_picture(info), size), stopped
        self._samples, self._peak = LumaSamples(info, self._chain.scale, size), info.pixels.peak
        self._tile = upscaler.options.tile or _TILE
        self._state: Floats | None = None

    def forget(self) -> None:
        """Begin anew: what was seen so far does not matter to what follows."""
        self._state = None

    def enlarge(self, before: Array | None, present: Array, after: Array | None) -> Array:
        """One plane (height, width) -> (height, width) of the result, of the same dtype.

        Args:
            before, after: its neighbours; None at the ends of what there is.
            present: the plane.

        Raises:
            InferenceError: the network failed.
        """
        if before is None or is_cut(before, present, self._peak):
            before = present
            self._state = None
        if after is None or is_cut(present, after, self._peak):
            after = present
        frames = np.stack([self._samples.prepared(plane) for plane in (before, present, after)])[None]
        large = self._step(frames)
        return self._samples.finished(large if self._samples.exact else self._samples.fitted(large))

    def _step(self, frames: Floats) -> Floats:
        """(1, 3, height, width) -> (scale * height, scale * width); the state moves on."""
        scale, (height, width) = self._chain.scale, frames.shape[2:]
        # Not empty: after a stop some of it stays as it is, and whatever was in memory cannot be counted with.
        large = np.zeros((scale * height, scale * width), np.float32)
        following: Floats | None = None
        for place, part, state in mapped(self._through(frames), self._places(height, width), self._chain.lanes):
            rows, columns, high, wide = place
            down, across = rows.start - high.start, columns.start - wide.start
            inner = slice(down, down + rows.stop - rows.start), slice(across, across + columns.stop - columns.start)
            if following is None:
                following = np.zeros((1, state.shape[1], height, width), np.float32)
            following[:, :, rows, columns] = state[:, :, inner[0], inner[1]]
            target = large[rows.start * scale : rows.stop * scale, columns.start * scale : columns.stop * scale]
            target[...] = part[0, 0, down * scale :, across * scale :][: target.shape[0], : target.shape[1]]
        self._state = following
        return large

    def _through(self, frames: Floats) -> Any:
        state = self._state

        def run(place: _Place) -> tuple[_Place, Floats, Floats]:
            rows, columns, high, wide = place
            window = frames[:, :, high, wide]
            try:
                large, following = self._chain.step(window, None if state is None else state[:, :, high, wide])
            except MemoryError as error:
                raise InferenceError(
                    f"out of memory for a tile of {window.shape[3]} x {window.shape[2]} pixels; free memory or lower "
                    "--tile"
                ) from error
            except InferenceError as error:
                raise InferenceError(f"tile at column {columns.start}, row {rows.start}: {error}") from error
            return place, large, following

        return run

    def _places(self, height: int, width: int) -> Iterator[_Place]:
        """Even tiles, as many as run at once or more; none once there is a stop."""
        halo = self._chain.halo
        across, down = -(-width // self._tile), -(-height // self._tile)
        # Narrow tiles would be mostly halo.
        if across * down < self._chain.lanes and width >= 8 * halo * self._chain.lanes:
            across = self._chain.lanes
        for top, bottom in _parts(height, down):
            for left, right in _parts(width, across):
                if self._stopped.is_set():
                    return
                yield (
                    slice(top, bottom),
                    slice(left, right),
                    slice(max(0, top - halo), min(height, bottom + halo)),
                    slice(max(0, left - halo), min(width, right + halo)),
                )


def _parts(length: int, count: int) -> Iterator[tuple[int, int]]:
    """An axis in ``count`` parts that differ by one at most."""
    edges = [round(length * number / count) for number in range(count + 1)]
    yield from itertools.pairwise(edges)


def temporal_frames(
    frames: Iterable[Any], enlarger: TemporalEnlarger, done: int, group: int, stopped: threading.Event
) -> Iterator[tuple[Any, Array]]:
    """Frames with their enlarged luma planes.

    Args:
        frames: PyAV frames: first up to :data:`WARM_FRAMES` that are done already, as many as there are, then the rest.
        enlarger: does the work.
        done: frames of the result that are there already, a multiple of ``group``.
        group: frames after which the state is made anew.
        stopped: once set, frames end early.
    """
    number = done - min(done, WARM_FRAMES)
    recent: collections.deque[Array] = collections.deque(maxlen=WARM_FRAMES)
    for frame, after in _with_next(frames):
        present, following = plane(frame, 0), None if after is None else plane(after, 0)
        if number >= done:
            if number % group == 0:
                _warm_up(enlarger, [*recent, present])
            large = enlarger.enlarge(recent[-1] if recent else None, present, following)
            if stopped.is_set():
                return
            yield frame, large
        recent.append(present.copy())
        number += 1


def _warm_up(enlarger: TemporalEnlarger, planes: list[Array]) -> None:
    """A state from all planes but the last, which is a neighbour alone."""
    enlarger.forget()
    for index, present in enumerate(planes[:-1]):
        enlarger.enlarge(planes[index - 1] if index else None, present, planes[index + 1])


def _with_next(frames: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Each item and the one after it, None after the last."""
    iterator = iter(frames)
    present = next(iterator, None)
    while present is not None:
        after = next(iterator, None)
        yield present, after
        present = after
