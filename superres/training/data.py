"""Pairs made on the fly: ground-truth pictures in memory, random patches, flips and quarter turns.

The low-resolution side of each picture is made once, whole, so a patch has true neighbours at its borders and the
step never waits for a resize.  Batch ``k`` depends on (seed, k) alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.degrade import load_degradation
from superres.errors import SuperresError, TrainingError
from superres.formats import picture_suffixes, read_image
from superres.training.recipe import DataOptions

__all__ = ["Pair", "PairSource", "find_pictures", "load_pairs"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """One training picture: ``high`` uint8 (scale*h, scale*w, 3) and ``low`` uint8 (h, w, 3)."""

    high: Bytes
    low: Bytes


def find_pictures(root: Path, folders: Sequence[str]) -> list[Path]:
    """Every picture under ``root/folder`` for each folder, sorted.

    Raises:
        TrainingError: a folder is missing or holds no picture.
    """
    found: list[Path] = []
    for folder in folders:
        here = root / folder
        files = sorted(f for f in here.rglob("*") if f.suffix.lower() in picture_suffixes()) if here.is_dir() else []
        if not files:
            raise TrainingError(
                f"{here}: no training pictures there; give the folder that holds {folder!r} with --data"
            )
        found += files
    return found


def _load_pair(path: Path, scale: int, degradation: str, smallest: int) -> Pair:
    """Decode one picture, crop it to a multiple of the scale, and degrade it."""
    try:
        samples = read_image(path).samples
    except SuperresError as error:
        raise TrainingError(f"training picture cannot be used: {error}") from error
    if samples.dtype != np.uint8:
        raise TrainingError(f"{path}: {samples.dtype} samples; training takes 8-bit pictures")
    height, width = (length // scale * scale for length in samples.shape[:2])
    if min(height, width) < smallest * scale:
        raise TrainingError(
            f"{path}: {samples.shape[1]} x {samples.shape[0]} pixels is too small for patches of {smallest} at "
            f"x{scale}; remove it or lower data.patch"
        )
    colours = samples[:height, :width, :3] if samples.shape[2] >= 3 else samples[:height, :width, :1].repeat(3, axis=2)
    high = np.ascontiguousarray(colours)
    return Pair(high, load_degradation(degradation)(high, scale))


def load_pairs(paths: Sequence[Path], scale: int, options: DataOptions, workers: int = 2) -> list[Pair]:
    """Decode and degrade every picture, in ``workers`` processes.

    Raises:
        TrainingError: an unreadable or too small picture, named.
    """
    load: Callable[[Path], Pair] = partial(
        _load_pair, scale=scale, degradation=options.degradation, smallest=options.patch
    )
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(load, paths, chunksize=8))


class PairSource:
    """Random batches of patches, each a function of (seed, step) alone.

    Args:
        pairs: pictures; a picture is drawn in proportion to its area.
        scale: enlargement factor.
        options: patch and batch size, augmentation.
        seed: of every draw.
    """

    def __init__(self, pairs: Sequence[Pair], scale: int, options: DataOptions, seed: int) -> None:
        self._pairs, self._scale, self._options, self._seed = pairs, scale, options, seed
        areas = np.array([pair.low.shape[0] * pair.low.shape[1] for pair in pairs], np.float64)
        self._cumulative = np.cumsum(areas / areas.sum())

    def batch(self, step: int) -> tuple[Bytes, Bytes]:
        """Low (N, patch, patch, 3) and high (N, scale*patch, scale*patch, 3) patches of one step, uint8."""
        patch, size, scale = self._options.patch, self._options.batch, self._scale
        random = np.random.default_rng((self._seed, step))
        low = np.empty((size, patch, patch, 3), np.uint8)
        high = np.empty((size, patch * scale, patch * scale, 3), np.uint8)
        chosen = np.searchsorted(self._cumulative, random.random(size), side="right")
        for slot, index in enumerate(np.minimum(chosen, len(self._pairs) - 1)):
            pair = self._pairs[index]
            top = int(random.integers(pair.low.shape[0] - patch + 1))
            left = int(random.integers(pair.low.shape[1] - patch + 1))
            turn = int(random.integers(8)) if self._options.augment else 0
            low[slot] = _turned(pair.low[top : top + patch, left : left + patch], turn)
            high[slot] = _turned(
                pair.high[top * scale : (top + patch) * scale, left * scale : (left + patch) * scale], turn
            )
        return low, high

    def batches(self, start: int, stop: int) -> Iterator[tuple[Bytes, Bytes]]:
        """Batches of steps ``start .. stop - 1``, each prepared while the one before is used."""
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(self.batch, start) if start < stop else None
            for step in range(start, stop):
                if pending is None:
                    return
                ready = pending.result()
                pending = pool.submit(self.batch, step + 1) if step + 1 < stop else None
                yield ready


def _turned(patch: Bytes, turn: int) -> Bytes:
    """One of the eight symmetries of the square: bits 0 and 1 flip, bit 2 transposes."""
    if turn & 1:
        patch = patch[::-1]
    if turn & 2:
        patch = patch[:, ::-1]
    return patch.swapaxes(0, 1) if turn & 4 else patch
