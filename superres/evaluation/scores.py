"""Scores of methods on test sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.evaluation.enlargers import Enlarger
from superres.evaluation.sets import GroundTruth, read_set
from superres.metrics.protocol import measure, smallest_side

__all__ = [
    "PUBLISHED_METRICS",
    "SetScores",
    "evaluate_methods",
    "evaluate_pictures",
    "evaluate_set",
    "score_name",
]

Bytes = npt.NDArray[np.uint8]

#: What published tables show.
PUBLISHED_METRICS = ("psnr", "ssim")


@dataclass(frozen=True)
class SetScores:
    """What one method scored on one test set.

    Attributes:
        name: of the set.
        scale: enlargement factor.
        images: file name -> metric -> value, in the order of the names; at least one.
        method: name of the model, ``bicubic``, or empty for an enlarger without a name.
    """

    name: str
    scale: int
    images: Mapping[str, Mapping[str, float]]
    method: str = ""

    @property
    def mean(self) -> dict[str, float]:
        """Metric -> mean over the pictures: each counts the same, whatever its size."""
        scores = list(self.images.values())
        return {metric: float(np.mean([one[metric] for one in scores])) for metric in scores[0]}


def evaluate_methods(
    name: str,
    pictures: Iterable[GroundTruth],
    scale: int,
    methods: Mapping[str, Enlarger],
    metrics: Sequence[str] = PUBLISHED_METRICS,
    watch: Callable[[GroundTruth, Mapping[str, Bytes]], None] | None = None,
) -> list[SetScores]:
    """Enlarge every picture with every method, one picture in memory at a time.

    Args:
        name: of the set.
        pictures: from :func:`superres.evaluation.sets.read_set`, at the same scale.
        scale: enlargement factor.
        methods: name -> method; at least one.
        metrics: names from :data:`superres.metrics.METRICS`.
        watch: is given every picture and what each method made of it.

    Returns:
        One entry per method, in their order.

    Raises:
        OptionError: no pictures, or an enlarger whose result has another shape or dtype than the ground truth.
        SuperresError: whatever the enlarger or a metric raises.
    """
    scores: dict[str, dict[str, dict[str, float]]] = {method: {} for method in methods}
    for picture in pictures:
        results = {method: _enlarged(enlarge, picture, name, scale) for method, enlarge in methods.items()}
        for method, result in results.items():
            scores[method][picture.file] = measure(metrics, result, picture.high, picture.low, scale)
        if watch is not None:
            watch(picture, results)
    if not all(scores.values()):
        raise OptionError(f"test set {name!r}: no pictures to evaluate")
    return [SetScores(name, scale, images, method) for method, images in scores.items()]


def evaluate_pictures(
    name: str,
    pictures: Iterable[GroundTruth],
    scale: int,
    enlarge: Enlarger,
    metrics: Sequence[str] = PUBLISHED_METRICS,
) -> SetScores:
    """:func:`evaluate_methods` for one method without a name; pictures in memory serve many calls."""
    return evaluate_methods(name, pictures, scale, {"": enlarge}, metrics)[0]


def evaluate_set(
    folder: Path,
    scale: int,
    enlarge: Enlarger,
    metrics: Sequence[str] = PUBLISHED_METRICS,
    degradation: str = "bicubic",
) -> SetScores:
    """Score a method on a folder of ground-truth pictures.

    Args:
        folder: the set; its name becomes the result's.
        scale: enlargement factor, 1 to 16.
        enlarge: the method.
        metrics: names from :data:`superres.metrics.METRICS`.
        degradation: how low resolution is made; see :func:`superres.evaluation.sets.read_set`.

    Raises:
        OptionError, InputError: as :func:`superres.evaluation.sets.read_set` and :func:`evaluate_methods`.
    """
    pictures = read_set(folder, scale, degradation, smallest=smallest_side(metrics))
    return evaluate_pictures(folder.resolve().name, pictures, scale, enlarge, metrics)


def score_name(name: str, degradation: str = "bicubic") -> str:
    """What a set's scores are called on a card: ``B100``, and ``B100 measurement`` for another low resolution."""
    return name if degradation == "bicubic" else f"{name} {degradation}"


def _enlarged(enlarge: Enlarger, picture: GroundTruth, name: str, scale: int) -> Bytes:
    result = enlarge(picture.low)
    if result.shape != picture.high.shape or result.dtype != np.uint8:
        raise OptionError(
            f"{name}/{picture.file}: the enlarger gave {result.dtype} {result.shape}, "
            f"expected uint8 {picture.high.shape} at x{scale}"
        )
    return result
