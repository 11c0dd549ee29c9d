"""Training pictures in memory: found, decoded, checked, and degraded once where the degradation is not random."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from superres.degrade import load_degradation
from superres.degrade.generated import GENERATORS, generate
from superres.errors import SuperresError, TrainingError
from superres.formats import picture_suffixes, read_image
from superres.queueing import processors
from superres.training.recipe import DataOptions
from superres.training.workers import worker_errors, worker_pool

__all__ = ["Pair", "find_pictures", "generate_pairs", "load_pairs", "read_picture"]

Bytes = npt.NDArray[np.uint8]

Job = TypeVar("Job")

#: How many pictures are drawn, and their smallest side: many patches each, drawn within about a minute.
_DRAWN, _SIDE = 256, 256

# Starting processes takes longer than decoding so few.
_FEW = 16


@dataclass(frozen=True)
class Pair:
    """One training picture.

    Attributes:
        high: uint8 (scale*h, scale*w, 3).
        low: uint8 (h, w, 3), or None when the degradation is random: each patch then gets its own.
        name: of the file, for messages.
    """

    high: Bytes
    low: Bytes | None
    name: str = ""


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


def read_picture(path: Path, scale: int, smallest: int) -> Bytes:
    """Decode one picture and crop it to a multiple of the scale.

    Args:
        path: 8-bit samples; transparency is left out, grey becomes three equal channels.
        scale: enlargement factor.
        smallest: low-resolution pixels that each side needs.

    Returns:
        uint8 (scale*h, scale*w, 3).

    Raises:
        TrainingError: it cannot be read, has deeper samples or is too small; it is named.
    """
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
    return np.ascontiguousarray(colours)


def load_pairs(paths: Sequence[Path], scale: int, options: DataOptions, workers: int | None = None) -> list[Pair]:
    """Decode every picture, and degrade it once unless the degradation is random.

    Args:
        paths: pictures.
        scale: enlargement factor.
        options: the degradation, and the largest patch that every picture must hold.
        workers: processes that do it; 0 for this one, None to choose.

    Raises:
        OptionError: an unknown degradation.
        TrainingError: an unreadable or too small picture, named.
    """
    load_degradation(options.degradation)
    load = partial(_load_pair, scale=scale, degradation=options.degradation, smallest=options.largest_patch)
    return _mapped(load, paths, (processors() if len(paths) > _FEW else 0) if workers is None else workers)


def generate_pairs(
    scale: int, options: DataOptions, seed: int, workers: int | None = None, count: int = _DRAWN
) -> list[Pair]:
    """Draw text, line art, textures and dead leaves in turn, and degrade them as :func:`load_pairs` does.

    Args:
        scale: enlargement factor.
        options: the degradation and the largest patch.
        seed: picture ``k`` depends on (seed, k) alone; text on the installed fonts too.
        workers: processes that do it; 0 for this one, None for as many as there are processors.
        count: how many.

    Raises:
        OptionError: there are no fonts on this machine.
    """
    side = max(-(-_SIDE // scale), options.largest_patch) * scale
    draw = partial(_draw_pair, scale=scale, degradation=options.degradation, side=side, seed=seed)
    return _mapped(draw, range(count), processors() if workers is None else workers)


def _mapped(function: Callable[[Job], Pair], jobs: Iterable[Job], workers: int) -> list[Pair]:
    if not workers:
        return [function(job) for job in jobs]
    with worker_pool(workers) as pool, worker_errors():
        return list(pool.map(function, jobs, chunksize=8))


def _load_pair(path: Path, scale: int, degradation: str, smallest: int) -> Pair:
    high = read_picture(path, scale, smallest)
    return Pair(high, _degraded(high, scale, degradation), str(path))


def _draw_pair(index: int, scale: int, degradation: str, side: int, seed: int) -> Pair:
    kinds = sorted(GENERATORS)
    kind = kinds[index % len(kinds)]
    high = generate(kind, (side, side), np.random.default_rng((seed, index)))
    return Pair(high, _degraded(high, scale, degradation), f"generated {kind} {index}")


def _degraded(high: Bytes, scale: int, degradation: str) -> Bytes | None:
    degrade = load_degradation(degradation)
    return None if degrade.random else degrade(high, scale)
