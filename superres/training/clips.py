"""Batches of short clips: a pool of clips is made of the training pictures once, and every batch is cut from it.

Compression takes longer than a step of training: clips are made before the first step, and each serves many patches.
"""

from __future__ import annotations

import collections
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from superres.degrade.camera import draw_path, film, luma_of, paste_object
from superres.degrade.video import degrade_clip
from superres.errors import OptionError
from superres.queueing import processors
from superres.training.augment import turned
from superres.training.data import read_picture
from superres.training.recipe import DataOptions
from superres.training.workers import worker_errors, worker_pool

__all__ = ["Clip", "ClipSource", "make_clips"]

Bytes = npt.NDArray[np.uint8]

Item = TypeVar("Item")

#: Frames of a clip in the pool beyond those of a patch: key frames come to lie at every place.
_MORE = 3
#: Sides of a clip in patches where the picture is large enough, and the smallest side that every encoder takes, in
#: low-resolution pixels.
_SIDES, _SMALLEST = 2.5, 64
# Share of the clips with an object that moves before them.
_OBJECTS = 0.25
# Batches that are prepared ahead.
_AHEAD = 2


@dataclass(frozen=True)
class Clip:
    """One clip of the pool.

    Attributes:
        high: luma, uint8 (T, scale*h, scale*w).
        low: what is left of it, uint8 (T, h, w).
        name: of the picture that it was filmed from.
    """

    high: Bytes
    low: Bytes
    name: str = ""


def make_clips(
    paths: Sequence[Path], scale: int, options: DataOptions, seed: int, workers: int | None = None
) -> list[Clip]:
    """The pool: ``options.clips`` clips of ``options.frames`` frames and a few more.

    Args:
        paths: pictures.
        scale: enlargement factor.
        options: how many, how long, and the patch that they must hold.
        seed: clip ``k`` depends on (seed, k) and the pictures alone.
        workers: processes that make them; 0 for this one, None for as many as there are processors.

    Raises:
        TrainingError: an unreadable or too small picture, named.
        MissingExtraError: PyAV is not installed.
    """
    make = partial(_make_clip, paths=list(paths), scale=scale, options=options, seed=seed)
    count = processors() if workers is None else workers
    if not count:
        return [make(index) for index in range(options.clips)]
    with worker_pool(count) as pool, worker_errors():
        return list(pool.map(make, range(options.clips), chunksize=8))


def _make_clip(index: int, paths: list[Path], scale: int, options: DataOptions, seed: int) -> Clip:
    random = np.random.default_rng((seed, index))
    wanted = max(_SMALLEST, round(options.largest_patch * _SIDES / 2) * 2)
    least = max(_SMALLEST, -(-options.largest_patch // 2) * 2)
    path = paths[int(random.integers(len(paths)))]
    plane = luma_of(read_picture(path, scale, least))
    height, width = (min(wanted, length // scale // 2 * 2) for length in plane.shape)
    view = (height * scale, width * scale)
    high = film(plane, draw_path(options.frames + _MORE, random), view, random)
    if random.random() < _OBJECTS:
        other = paths[int(random.integers(len(paths)))]
        high = paste_object(high, luma_of(read_picture(other, scale, least)), random)
    return Clip(high, degrade_clip(high, scale, random), str(path))


class ClipSource:
    """Random batches of patches of clips.

    A clip is a picture whose channels are the luma planes of consecutive frames.  Batch ``k`` depends on (seed, k)
    alone.

    Args:
        clips: the pool.
        scale: enlargement factor.
        options: patch and batch sizes, frames, augmentation.
        seed: of every draw.
        steps: of the training, which the sizes follow.
        rank, ranks: of ``ranks`` processes that share each batch out, which one this is.

    Raises:
        OptionError: a batch that cannot be shared out evenly.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        scale: int,
        options: DataOptions,
        seed: int,
        *,
        steps: int = 1,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._clips, self._scale, self._options, self._seed = clips, scale, options, seed
        self._steps, self._rank, self._ranks = steps, rank, ranks
        for size in {options.batch, *(batch for _, _, batch in options.patches)}:
            if size % ranks:
                raise OptionError(f"data.batch = {size} over {ranks} processes: expected a multiple of their number")

    def files(self, step: int) -> list[str]:
        """The pictures that this process's part of a batch comes from, each once."""
        _, size, random = self._begin(step)
        return list(dict.fromkeys(self._clips[index].name for index in self._mine(self._chosen(size, random))))

    def batch(self, step: int) -> tuple[Bytes, Bytes]:
        """Low (N, patch, patch, T) and high (N, scale*patch, scale*patch, T) patches of one step, uint8."""
        patch, size, random = self._begin(step)
        pairs = [self._pair(index, patch, random) for index in self._chosen(size, random)]
        low, high = zip(*self._mine(pairs), strict=True)
        return np.stack(low), np.stack(high)

    def batches(self, start: int, stop: int) -> Generator[tuple[Bytes, Bytes], None, None]:
        """Batches of steps ``start .. stop - 1``, prepared ahead in a thread."""
        with ThreadPoolExecutor(1) as thread:
            pending: collections.deque[Future[tuple[Bytes, Bytes]]] = collections.deque()
            for step in range(start, stop):
                pending.append(thread.submit(self.batch, step))
                if len(pending) > _AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _begin(self, step: int) -> tuple[int, int, np.random.Generator]:
        return *self._options.sizes(step / self._steps), np.random.default_rng((self._seed, step))

    def _chosen(self, size: int, random: np.random.Generator) -> list[int]:
        return [int(index) for index in random.integers(len(self._clips), size=size)]

    def _mine(self, items: list[Item]) -> list[Item]:
        """This process's part of a batch."""
        mine = len(items) // self._ranks
        return items[mine * self._rank : mine * (self._rank + 1)]

    def _pair(self, index: int, patch: int, random: np.random.Generator) -> tuple[Bytes, Bytes]:
        clip, s = self._clips[index], self._scale
        first = int(random.integers(len(clip.low) - self._options.frames + 1))
        top, left = (int(random.integers(length - patch + 1)) for length in clip.low.shape[1:])
        frames = slice(first, first + self._options.frames)
        low = clip.low[frames, top : top + patch, left : left + patch]
        high = clip.high[frames, top * s : (top + patch) * s, left * s : (left + patch) * s]
        turn = int(random.integers(8)) if self._options.augment else 0
        return tuple(turned(part.transpose(1, 2, 0), turn) for part in (low, high))  # type: ignore[return-value]
