"""Training pictures in memory: found, decoded, checked, and degraded once where the degradation is not random."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
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
from superres.training.cache import PairCache, Sides
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
    """Every picture under ``root/folder`` for each folder, sorted; hidden files and folders are left out.

    Raises:
        TrainingError: a folder is missing or holds no picture.
    """
    found: list[Path] = []
    for folder in folders:
        here = root / folder
        files = sorted(f for f in here.rglob("*") if _is_picture(f, here)) if here.is_dir() else []
        if not files:
            # What a finetuned model or a validation takes lies in the folder itself.
            expected = "a folder of pictures" if folder == "." else f"the folder that holds {folder!r} with --data"
            raise TrainingError(f"{here}: no pictures there; expected {expected}")
        found += files
    return found


def _is_picture(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return file.suffix.lower() in picture_suffixes() and not hidden and file.is_file()


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
    _refuse_small(path, samples, scale, smallest)
    colours = samples[:height, :width, :3] if samples.shape[2] >= 3 else samples[:height, :width, :1].repeat(3, axis=2)
    return np.ascontiguousarray(colours)


def _refuse_small(path: Path, samples: Bytes, scale: int, smallest: int) -> None:
    height, width = samples.shape[:2]
    if min(height, width) // scale < smallest:
        raise TrainingError(
            f"{path}: {width} x {height} pixels is too small at x{scale}, where {smallest * scale} a side are needed; "
            "remove it, or take smaller patches where they can be chosen (data.patch, --patch)"
        )


def load_pairs(
    paths: Sequence[Path],
    scale: int,
    options: DataOptions,
    workers: int | None = None,
    *,
    cache: PairCache | None = None,
) -> list[Pair]:
    """Decode every picture, and degrade it once unless the degradation is random.

    Args:
        paths: pictures.
        scale: enlargement factor.
        options: the degradation, and the largest patch that every picture must hold.
        workers: processes that do it; 0 for this one, None to choose.
        cache: of this scale and degradation; what it holds is not decoded again, and what it lacks is kept in it.

    Raises:
        OptionError: an unknown degradation.
        TrainingError: an unreadable or too small picture, named; a damaged file of the cache.
        OutputError: the cache cannot be written.
    """
    load_degradation(options.degradation)
    load = partial(_load_pair, scale=scale, degradation=options.degradation, smallest=options.largest_patch)
    keys = [cache.key_of_file(path) for path in paths] if cache else []
    pairs = _gathered(load, [*paths], [str(path) for path in paths], workers, cache, keys)
    for path, pair in zip(paths, pairs, strict=True):
        _refuse_small(path, pair.high, scale, options.largest_patch)
    return pairs


def generate_pairs(
    scale: int,
    options: DataOptions,
    seed: int,
    workers: int | None = None,
    count: int = _DRAWN,
    *,
    cache: PairCache | None = None,
) -> list[Pair]:
    """Draw text, line art, textures and dead leaves in turn, and degrade them as :func:`load_pairs` does.

    Args:
        scale: enlargement factor.
        options: the degradation and the largest patch.
        seed: picture ``k`` depends on (seed, k) alone; text on the installed fonts too.
        workers: processes that do it; 0 for this one, None to choose.
        count: how many.
        cache: of this scale and degradation, as in :func:`load_pairs`.

    Raises:
        OptionError: there are no fonts on this machine.
        TrainingError, OutputError: a file of the cache is damaged, or cannot be written.
    """
    side = max(-(-_SIDE // scale), options.largest_patch) * scale
    draw = partial(_draw_pair, scale=scale, degradation=options.degradation, side=side, seed=seed)
    names = [f"generated {_kind(index)} {index}" for index in range(count)]
    keys = [cache.key_of_drawing(_kind(index), side, seed, index) for index in range(count)] if cache else []
    return _gathered(draw, [*range(count)], names, workers, cache, keys)


def _gathered(
    make: Callable[[Job], Sides],
    jobs: list[Job],
    names: list[str],
    workers: int | None,
    cache: PairCache | None,
    keys: list[str],
) -> list[Pair]:
    """What the cache holds, and the rest made; ``keys`` are the jobs' in the cache."""
    found = {index: sides for index, key in enumerate(keys) if cache and (sides := cache.find(key))}
    missing = [index for index in range(len(jobs)) if index not in found]
    for index, sides in zip(missing, _mapped(make, [jobs[index] for index in missing], workers), strict=True):
        found[index] = sides
        if cache:
            cache.keep(keys[index], sides)
    return [Pair(*found[index], name) for index, name in enumerate(names)]


def _mapped(make: Callable[[Job], Sides], jobs: list[Job], workers: int | None) -> Generator[Sides, None, None]:
    if workers is None:
        workers = processors() if len(jobs) > _FEW else 0
    if not workers:
        yield from map(make, jobs)
        return
    with worker_pool(workers) as pool, worker_errors():
        yield from pool.map(make, jobs, chunksize=8)


def _load_pair(path: Path, scale: int, degradation: str, smallest: int) -> Sides:
    high = read_picture(path, scale, smallest)
    return high, _degraded(high, scale, degradation)


def _draw_pair(index: int, scale: int, degradation: str, side: int, seed: int) -> Sides:
    high = generate(_kind(index), (side, side), np.random.default_rng((seed, index)))
    return high, _degraded(high, scale, degradation)


def _kind(index: int) -> str:
    """What is drawn in which place: every kind in turn."""
    kinds = sorted(GENERATORS)
    return kinds[index % len(kinds)]


def _degraded(high: Bytes, scale: int, degradation: str) -> Bytes | None:
    degrade = load_degradation(degradation)
    return None if degrade.random else degrade(high, scale)
