"""Test sets: ground truth from a folder, its low resolution made from it or read from a second folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.degrade import DEGRADATIONS, load_degradation
from superres.errors import InputError, OptionError, SuperresError, near_match
from superres.evaluation.pairs import check_pair, cut_pair, match_pairs
from superres.formats import open_reader, picture_suffixes, read_image
from superres.image import PictureInfo
from superres.metrics.ssim import WINDOW

__all__ = ["LOW_RESOLUTIONS", "GroundTruth", "find_sets", "load_set", "picture_files", "read_set"]

Bytes = npt.NDArray[np.uint8]

#: How low resolution may be made: every degradation, and the one with fixed strengths that is for measuring.
LOW_RESOLUTIONS = (*DEGRADATIONS, "measurement")

# Of degradations that draw: with the picture's place in its set it makes the generator, so that runs can be compared.
_SEED = 20_002


@dataclass(frozen=True)
class GroundTruth:
    """One picture of a test set: ``high`` uint8 (scale*h, scale*w, 3) and its ``low`` uint8 (h, w, 3)."""

    file: str
    high: Bytes
    low: Bytes


def find_sets(data: Path, names: Sequence[str] = (), option: str = "--data") -> dict[str, Path]:
    """The test sets under ``data``: its subfolders that hold pictures, or ``data`` itself when it does.

    Args:
        data: a folder of sets such as ``Set5`` and ``B100``, or one set.
        names: the sets wanted, in the order wanted; all of them, sorted, when empty.
        option: by which ``data`` was given, for messages.

    Returns:
        Set name -> folder.

    Raises:
        OptionError: no such folder, no pictures in it or one level below, or an unknown name (the nearest is named).
    """
    if not data.is_dir():
        raise OptionError(f"{data}: there is no such folder; {option} takes a folder of test sets, or one set")
    if _pictures(data):
        sets = {data.resolve().name: data}
    else:
        sets = {folder.name: folder for folder in sorted(data.iterdir()) if folder.is_dir() and _pictures(folder)}
    if not sets:
        raise OptionError(f"{data}: no pictures there nor in its subfolders; expected e.g. {data / 'Set5'}")
    for name in names:
        if name not in sets:
            raise OptionError(f"test set {name!r} is not in {data}: it has {sorted(sets)}{near_match(name, sets)}")
    return {name: sets[name] for name in names} if names else sets


def picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder, by name.  Raises OptionError when there is no such folder, or nothing in it."""
    if not folder.is_dir():
        raise OptionError(f"{folder}: there is no such folder of pictures")
    files = _pictures(folder)
    if not files:
        raise OptionError(f"{folder}: no pictures there; expected one of {', '.join(sorted(picture_suffixes()))}")
    return files


def load_set(folder: Path, scale: int, degradation: str = "bicubic") -> list[GroundTruth]:
    """All of a set at once, for methods that take turns on it.  Arguments and errors as for :func:`read_set`."""
    return list(read_set(folder, scale, degradation))


def read_set(
    folder: Path, scale: int, degradation: str = "bicubic", *, low: Path | None = None, smallest: int = WINDOW
) -> Iterator[GroundTruth]:
    """Read a set picture by picture, each cropped to a multiple of ``scale``, with its low resolution.

    Everything that headers tell is checked before the first picture is given out.

    Args:
        folder: ground truth of 8 bits; grey pictures become three equal channels.
        scale: enlargement factor, 1 to 16.
        degradation: one of :data:`LOW_RESOLUTIONS`; ``bicubic`` is MATLAB ``imresize`` on uint8, antialiased, rounded
            after each axis.
        low: folder of low-resolution pictures to use instead, named like the ground truth.
        smallest: what must be left of each side within a border of ``scale`` pixels.

    Raises:
        OptionError: no such folder, no pictures in it, an unknown degradation, a scale out of range, or low-resolution
            pictures that do not belong to the ground truth.
        InputError: a picture that is unreadable, transparent, deeper than 8 bits, too small, or not ``scale`` times as
            large as its low resolution; it is named.
    """
    if not 1 <= scale <= 16:
        raise OptionError(f"scale {scale}: evaluation takes a whole number from 1 to 16")
    files = picture_files(folder)
    degrade = _degrader(degradation)
    infos = [_checked(file, scale, smallest) for file in files]
    if low is None:
        return (_made(file, scale, index, degrade) for index, file in enumerate(files))
    pairs = match_pairs(files, picture_files(low))
    for (high_file, low_file), info in zip(pairs, infos, strict=True):
        check_pair((high_file, info), (low_file, _info(low_file)), scale)
    return (_read_pair(high_file, low_file, scale) for high_file, low_file in pairs)


def _degrader(name: str) -> Callable[[Bytes, int, int], Bytes]:
    """(ground truth, scale, place in the set) -> low resolution."""
    if name == "measurement":
        from superres.degrade.testing import measurement_set

        return measurement_set
    if name not in LOW_RESOLUTIONS:
        hint = near_match(name, LOW_RESOLUTIONS)
        raise OptionError(f"degradation {name!r} is unknown: expected one of {sorted(LOW_RESOLUTIONS)}{hint}")
    degradation = load_degradation(name)
    return lambda high, scale, index: degradation(high, scale, np.random.default_rng((_SEED, index)))


def _made(file: Path, scale: int, index: int, degrade: Callable[[Bytes, int, int], Bytes]) -> GroundTruth:
    samples = _rgb(file)
    height, width = (length // scale * scale for length in samples.shape[:2])
    high = np.ascontiguousarray(samples[:height, :width])
    return GroundTruth(file.name, high, degrade(high, scale, index))


def _read_pair(high_file: Path, low_file: Path, scale: int) -> GroundTruth:
    high, low = cut_pair(_rgb(high_file), _rgb(low_file), scale)
    return GroundTruth(high_file.name, np.ascontiguousarray(high), np.ascontiguousarray(low))


def _pictures(folder: Path) -> list[Path]:
    shown = (f for f in folder.iterdir() if not f.name.startswith("."))
    return sorted(f for f in shown if f.suffix.lower() in picture_suffixes() and f.is_file())


def _info(file: Path) -> PictureInfo:
    """What the header says; only 8-bit pictures pass."""
    try:
        reader = open_reader(file)
    except SuperresError as error:
        raise InputError(f"test picture cannot be used: {error}") from error
    reader.close()
    if reader.info.dtype != np.uint8:
        raise InputError(f"{file}: {reader.info.dtype} samples; the protocol takes 8-bit ground truth")
    return reader.info


def _checked(file: Path, scale: int, smallest: int) -> PictureInfo:
    info, needed = _info(file), smallest + 2 * scale
    if min(info.height // scale * scale, info.width // scale * scale) < needed:
        raise InputError(
            f"{file}: {info.width} x {info.height} pixels is too small at x{scale}: the metrics and the border need "
            f"{needed} x {needed}"
        )
    return info


def _rgb(file: Path) -> Bytes:
    """uint8 (H, W, 3)."""
    try:
        image = read_image(file)
    except SuperresError as error:
        raise InputError(f"test picture cannot be used: {error}") from error
    samples = image.samples
    if image.info.alpha and samples[:, :, -1].min() < 255:
        raise InputError(f"{file}: has transparent pixels, which the protocol does not know; flatten it first")
    return samples[:, :, :3] if image.info.colour == "rgb" else samples[:, :, :1].repeat(3, axis=2)
