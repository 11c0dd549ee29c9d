"""Naturalness without a reference: how far a picture's statistics lie from those of good photographs.

Reference:
    A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'completely blind' image quality analyzer", IEEE SPL 20(3),
    2013.

The method is the paper's, its model of good photographs is not: the authors' comes as a MATLAB file of theirs.  Ours,
``niqe_pristine.npz``, was fitted to openly licensed photographs by ``benchmarks/niqe_pristine.py``, so **values
compare with each other and not with published ones**.
"""

from __future__ import annotations

import functools
import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.atomic import replace_file
from superres.errors import InputError, OptionError
from superres.metrics.niqe_features import FEATURES, PATCH, patch_features

__all__ = ["PristineModel", "fit_pristine", "niqe", "read_pristine", "write_pristine"]

Floats = npt.NDArray[np.float64]

_SHIPPED = Path(__file__).with_name("niqe_pristine.npz")
# Of the sharpest patch of a photograph, as in the paper: out-of-focus and empty regions tell nothing.
_SHARP_ENOUGH = 0.75


@dataclass(frozen=True)
class PristineModel:
    """The multivariate Gaussian of good photographs.

    Attributes:
        mean: float64 (36,).
        covariance: float64 (36, 36).
        pictures, patches: what it was fitted to.
    """

    mean: Floats
    covariance: Floats
    pictures: int
    patches: int


def niqe(picture: npt.NDArray[Any], data_range: float = 255.0, *, model: PristineModel | None = None) -> float:
    """Distance of a picture's patch statistics from the model; lower is more natural.

    Args:
        picture: (H, W) luma, H and W at least 96; patches are 96 x 96 and two are needed.
        data_range: span of the samples, 255 for 8 bit.
        model: of good photographs; the shipped one when None.

    Returns:
        The distance; not a number when fewer than two patches hold any texture.

    Raises:
        OptionError: not two-dimensional, or too small.
    """
    features = _usable(patch_features(picture * (255.0 / data_range))[0])
    if len(features) < 2:
        return math.nan
    model = model or _shipped()
    away = features.mean(axis=0) - model.mean
    spread = (np.cov(features.T) + model.covariance) / 2
    return float(np.sqrt(away @ np.linalg.pinv(spread) @ away))


def fit_pristine(pictures: Iterable[npt.NDArray[Any]]) -> PristineModel:
    """Fit the model to good photographs, to the sharp patches of each.

    Args:
        pictures: (H, W) luma over 0 to 255, H and W at least 96.

    Raises:
        OptionError: a picture as :func:`niqe` refuses, or fewer sharp patches than the model has numbers.
    """
    chosen, count = [], 0
    for picture in pictures:
        features, sharpness = patch_features(picture)
        chosen.append(_usable(features[sharpness > _SHARP_ENOUGH * sharpness.max()]))
        count += 1
    features = np.concatenate(chosen) if chosen else np.empty((0, FEATURES))
    if len(features) <= FEATURES:
        raise OptionError(f"{len(features)} sharp patches of {PATCH} x {PATCH}: expected more than {FEATURES}")
    return PristineModel(features.mean(axis=0), np.cov(features.T), count, len(features))


def write_pristine(model: PristineModel, path: Path) -> None:
    """Write a model as ``.npz``, the same bytes for the same model.  Raises OutputError when it cannot."""
    with replace_file(path) as stream:
        np.savez_compressed(
            stream,
            mean=model.mean,
            # Symmetric: one triangle says it all.
            triangle=model.covariance[np.triu_indices(FEATURES)],
            counts=np.array([model.pictures, model.patches]),
        )


def read_pristine(path: Path) -> PristineModel:
    """Read what :func:`write_pristine` wrote.  Raises InputError when it is damaged or something else."""
    try:
        # Opened here, because NumPy leaves a damaged file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            mean, triangle, counts = content["mean"], content["triangle"], content["counts"]
        covariance = np.zeros((FEATURES, FEATURES))
        covariance[np.triu_indices(FEATURES)] = triangle
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a model of natural pictures: {error}") from error
    covariance = covariance + np.triu(covariance, 1).T
    return PristineModel(mean, covariance, int(counts[0]), int(counts[1]))


def _usable(features: Floats) -> Floats:
    """Without the patches that have no statistics: flat ones."""
    return features[np.isfinite(features).all(axis=1)]


@functools.cache
def _shipped() -> PristineModel:
    return read_pristine(_SHIPPED)
