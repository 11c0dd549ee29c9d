"""Watching a training: reports, logs and validation.  Nothing here changes what the training gives."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from lightning_fabric import Fabric

from superres.networks.base import Network
from superres.training.loggers import open_loggers
from superres.training.recipe import Recipe
from superres.training.validation import Validator

__all__ = ["Observer", "Progress", "Report", "Watching"]

# Every so many steps the batch's squared error is taken down, for the dB that people read.
_MEASURED = 10


@dataclass(frozen=True)
class Watching:
    """How a training is watched and kept.

    Attributes:
        every: steps between reports and log lines.
        save_seconds: wall time between checkpoints.
        log: keys of :data:`superres.training.loggers.LOGGERS`, beside the CSV file.
        validate: a folder of ground-truth pictures, some of which are measured; None for none.
        validate_every: steps between measurements.
    """

    every: int = 100
    save_seconds: float = 120.0
    log: tuple[str, ...] = ()
    validate: Path | None = None
    validate_every: int = 1000


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows.

    Attributes:
        step, steps: how far it is.
        loss: mean since the last report.
        training_psnr: in dB over all samples of some batches since the last report; patches, not whole pictures.
        steps_per_second: since the last report.
        psnr: the latest validation in dB, None before the first.
    """

    step: int
    steps: int
    loss: float
    training_psnr: float
    steps_per_second: float
    psnr: float | None = None

    @property
    def seconds_left(self) -> float:
        """Time to the last step at the present speed."""
        return (self.steps - self.step) / max(self.steps_per_second, 1e-9)


#: Takes a training's progress.
Report = Callable[[Progress], None]


class Observer:
    """Collects what every step gives; reports, logs and validates when it is time.  A context manager.

    Only the first of several processes reports, logs and validates; all of them take part in the means.

    Args:
        recipe: of the training.
        folder: of the run.
        step: where the training begins or goes on.
        watching: when and where.
        report: takes the progress.
        fabric: of the training.

    Raises:
        OptionError, MissingExtraError: a logger that is unknown or not installed.
        TrainingError: a validation folder without pictures, or with one that cannot be used.
    """

    def __init__(
        self, recipe: Recipe, folder: Path, step: int, watching: Watching, report: Report, fabric: Fabric
    ) -> None:
        self._recipe, self._watching, self._report, self._fabric = recipe, watching, report, fabric
        self._main = fabric.is_global_zero
        self._validator = Validator(watching.validate, recipe) if watching.validate and self._main else None
        self._loggers = open_loggers(watching.log, folder, recipe, step) if self._main else []
        self._psnr: float | None = None
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for logger in self._loggers:
            logger.close()

    def measures(self, step: int) -> bool:
        """Whether the squared error of the step after ``step`` is wanted: it costs a pass over the batch."""
        return step % min(_MEASURED, self._watching.every) == 0

    def after(self, step: int, loss: float, error: float | None, average: Callable[[], Network]) -> None:
        """Take down one step.

        Args:
            step: steps done.
            loss: of the last one.
            error: mean squared error of its result, if it was measured.
            average: gives the network to validate.
        """
        self._losses.append(loss)
        if error is not None:
            self._errors.append(error)
        last = step == self._recipe.steps
        if self._validator is not None and (last or step % self._watching.validate_every == 0):
            self._validate(step, average())
        if last or step % self._watching.every == 0:
            self._tell(step)
            self._begin()

    def _begin(self) -> None:
        self._losses: list[float] = []
        self._errors: list[float] = []
        self._marked = time.monotonic()

    def _validate(self, step: int, network: Network) -> None:
        if self._validator is None:
            return
        measured = self._validator.measure(network, self._fabric.device)
        self._psnr = measured.psnr
        for logger in self._loggers:
            logger.pictures(step, measured.pictures)

    def _tell(self, step: int) -> None:
        speed = len(self._losses) / max(time.monotonic() - self._marked, 1e-9)
        error = np.mean(self._errors) if self._errors else math.nan
        means = self._fabric.all_reduce(torch.tensor([np.mean(self._losses), error], dtype=torch.float64))
        loss, error = float(means[0]), float(means[1])
        if not self._main:
            return
        psnr = -10 * math.log10(max(error, 1e-12)) if not math.isnan(error) else math.nan
        progress = Progress(step, self._recipe.steps, loss, psnr, speed, self._psnr)
        scalars = {"loss": loss, "steps_per_second": speed}
        for logger in self._loggers:
            logger.scalars(step, scalars if self._psnr is None else scalars | {"psnr": self._psnr})
        self._report(progress)
