"""Pictures as a training holds them, kept in a folder: decoding, drawing and reducing take longer than reading back."""

from __future__ import annotations

import functools
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres import __version__
from superres.atomic import make_folder, replace_file
from superres.degrade import load_degradation
from superres.degrade.generated import generate
from superres.errors import TrainingError

__all__ = ["PairCache", "Sides"]

Bytes = npt.NDArray[np.uint8]

#: High-resolution picture, uint8 (scale*h, scale*w, 3), and low-resolution one, uint8 (h, w, 3); None where each patch
#: gets its own.
Sides = tuple[Bytes, Bytes | None]

# Sides of the pictures that stand for what a degradation, or a generator, does in this version.
_SAMPLE = 16


class PairCache:
    """Files of one folder, one per picture, scale and degradation.

    A file's name says what it holds: of a training picture its path, size and time of change; of a drawn one its
    place in the draws; of both what the degradation (and the generator) makes of a small sample, so that a version that
    computes otherwise, or another set of fonts, finds nothing old.

    Args:
        folder: made if absent; several trainings may use it at once.
        scale, degradation: of the pictures.

    Raises:
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: Path, scale: int, degradation: str) -> None:
        make_folder(folder, "cache")
        self._folder, self._scale, self._degradation = folder, scale, degradation

    def key_of_file(self, path: Path) -> str:
        """Name of what is kept of a training picture.

        Raises:
            TrainingError: it cannot be read.
        """
        try:
            state = path.stat()
        except OSError as error:
            raise TrainingError(f"training picture cannot be used: {path}: {error.strerror}") from error
        return self._key("", str(path.resolve()), state.st_size, state.st_mtime_ns)

    def key_of_drawing(self, kind: str, side: int, seed: int, index: int) -> str:
        """Name of what is kept of a drawn picture; see :func:`superres.training.data.generate_pairs`."""
        return self._key(kind, side, seed, index)

    def key_of_result(self, model: str, low: Bytes) -> str:
        """Name of what is kept of a teacher's result: ``model`` is its file's digest, ``low`` what it was given."""
        return self._key("", "result", model, low.shape, hashlib.sha256(low.tobytes()).hexdigest())

    def find(self, key: str) -> Sides | None:
        """What is kept under a name, None where nothing is.

        Raises:
            TrainingError: the file is damaged.
        """
        path = self._path(key)
        try:
            with np.load(path) as kept:
                return kept["high"], kept["low"] if "low" in kept.files else None
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise TrainingError(f"{path}: damaged ({error}); remove it, and it is made anew") from error

    def keep(self, key: str, sides: Sides) -> None:
        """Keep a picture.  Raises OutputError: the file cannot be written."""
        high, low = sides
        with replace_file(self._path(key)) as stream:
            if low is None:
                np.savez(stream, high=high)
            else:
                np.savez(stream, high=high, low=low)

    def _key(self, kind: str, *about: object) -> str:
        way = _way(kind, self._scale, self._degradation)
        words = (__version__, way, kind, self._scale, self._degradation, *about)
        return hashlib.sha256(repr(words).encode()).hexdigest()[:32]

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"


@functools.cache
def _way(kind: str, scale: int, degradation: str) -> str:
    """Digest of a small drawing, or of noise without a kind, and of what the degradation makes of it."""
    shape, random, degrade = (_SAMPLE * scale,) * 2, np.random.default_rng(0), load_degradation(degradation)
    sample = generate(kind, shape, random) if kind else random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    low = b"" if degrade.random else degrade(sample, scale).tobytes()
    return hashlib.sha256(sample.tobytes() + low).hexdigest()
