"""A whole evaluation: several models on every set under a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.evaluation.crops import CropCollector, PictureCrops
from superres.evaluation.enlargers import open_enlargers
from superres.evaluation.scores import PUBLISHED_METRICS, SetScores, evaluate_methods
from superres.evaluation.sets import GroundTruth, find_sets, picture_files, read_set
from superres.metrics import find_metric
from superres.metrics.protocol import smallest_side
from superres.pipeline import Options

__all__ = ["SetResult", "Settings", "count_pictures", "evaluate_folder"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Settings:
    """What is evaluated, and how.

    Attributes:
        scale: enlargement factor.
        models: names or ``FOLDER/NAME`` of models, and ``bicubic``.
        metrics: names from :data:`superres.metrics.METRICS`.
        degradation: how low resolution is made; left alone where it is read from a folder.
        precision: ``auto``, ``fp32``, ``bf16`` or ``int8``.
        ensemble: the mean over eight flips and turns; see :class:`superres.pipeline.Options`.
        threads: cores, 0 for all.

    Raises:
        OptionError: no model or metric, one of them twice, an unknown metric or precision, or fewer threads than 0.
    """

    scale: int = 4
    models: tuple[str, ...] = ("standard",)
    metrics: tuple[str, ...] = PUBLISHED_METRICS
    degradation: str = "bicubic"
    precision: str = "auto"
    ensemble: bool = False
    threads: int = 0

    def __post_init__(self) -> None:
        for what, names in (("model", self.models), ("metric", self.metrics)):
            if not names or len(set(names)) < len(names):
                raise OptionError(f"{what}s {', '.join(names) or '(none)'}: expected at least one, and none twice")
        for name in self.metrics:
            find_metric(name)
        # What models would refuse is refused where only bicubic runs, too.
        Options(precision=self.precision, threads=self.threads)


@dataclass(frozen=True)
class SetResult:
    """One set: the scores of every model, in their order, and crops of its pictures when they were asked for."""

    scores: list[SetScores]
    crops: list[PictureCrops]


def evaluate_folder(
    data: Path,
    settings: Settings,
    *,
    low: Path | None = None,
    crops: bool = False,
    watch: Callable[[str, str], None] | None = None,
) -> Iterator[SetResult]:
    """Evaluate every set under ``data``, giving each out as it is done.

    Args:
        data: a folder of ground-truth pictures, or of such folders.
        settings: models, metrics and how low resolution is made.
        low: folder of low-resolution pictures to use instead, named like the ground truth; with subfolders of the same
            names when ``data`` has several sets.
        crops: collect crops of the pictures for a report.
        watch: is told set and file when a picture is done.

    Raises:
        OptionError: low resolution is to be read from a folder and made as well.
        OptionError, InputError, ModelError: as :func:`superres.evaluation.sets.read_set` and
            :func:`superres.evaluation.enlargers.open_enlargers`.
        SuperresError: whatever a model or a metric raises.
    """
    if low is not None and settings.degradation != Settings.degradation:
        raise OptionError(
            f"degradation {settings.degradation!r} makes low resolution, and it is to be read from {low}: give one of "
            "--degradation and --low"
        )
    sets = find_sets(data)
    with open_enlargers(
        settings.models, settings.scale, settings.precision, settings.threads, ensemble=settings.ensemble
    ) as methods:
        # Every set is checked before the first is measured.
        opened = {
            name: read_set(
                folder,
                settings.scale,
                settings.degradation,
                low=_low_folder(low, name, len(sets)),
                smallest=smallest_side(settings.metrics),
            )
            for name, folder in sets.items()
        }
        for name, pictures in opened.items():
            collector = CropCollector(settings.scale) if crops else None
            see = _watcher(name, collector, watch)
            scores = evaluate_methods(name, pictures, settings.scale, methods, settings.metrics, see)
            yield SetResult(scores, collector.chosen() if collector else [])


def count_pictures(data: Path) -> int:
    """How many pictures :func:`evaluate_folder` will go through."""
    return sum(len(picture_files(folder)) for folder in find_sets(data).values())


def _low_folder(low: Path | None, name: str, sets: int) -> Path | None:
    return low if low is None or sets == 1 else low / name


def _watcher(
    name: str, collector: CropCollector | None, watch: Callable[[str, str], None] | None
) -> Callable[[GroundTruth, Mapping[str, Bytes]], None]:
    def see(picture: GroundTruth, results: Mapping[str, Bytes]) -> None:
        if collector is not None:
            collector.add(picture, results)
        if watch is not None:
            watch(name, picture.file)

    return see
