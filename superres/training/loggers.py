"""Where the course of a training is written: ``log.csv`` always, TensorBoard and Weights & Biases when asked for."""

from __future__ import annotations

import csv
import importlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from superres.atomic import replace_file
from superres.errors import MissingExtraError, OptionError, near_match
from superres.formats import write_image
from superres.image import Image
from superres.training.recipe import Recipe
from superres.training.recipe_file import recipe_to_mapping

__all__ = ["LOGGERS", "FolderLogger", "Logger", "TensorBoardLogger", "WandbLogger", "open_loggers"]

Bytes = npt.NDArray[np.uint8]

#: Name for ``--log`` -> "module:class", imported only when asked for.
LOGGERS: dict[str, str] = {
    "tensorboard": "superres.training.loggers:TensorBoardLogger",
    "wandb": "superres.training.loggers:WandbLogger",
}


class Logger(Protocol):
    """Takes what a training reports."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Named numbers at a step: ``loss``, ``steps_per_second``, ``psnr``."""

    def pictures(self, step: int, pictures: Mapping[str, Bytes]) -> None:
        """Named results at a step, uint8 (H, W, 3)."""

    def close(self) -> None:
        """Write what is left."""


def open_loggers(names: Sequence[str], folder: Path, recipe: Recipe, step: int) -> list[Logger]:
    """The run folder's own logger, and those that are named.

    Args:
        names: keys of :data:`LOGGERS`.
        folder: of the run.
        recipe: of the training, for what shows it.
        step: where the training begins or goes on; what a stopped run wrote after it is void.

    Raises:
        OptionError: an unknown name; the nearest is named.
        MissingExtraError: a logger's package is not installed.
    """
    for name in names:
        if name not in LOGGERS:
            raise OptionError(f"log {name!r} is unknown: expected {sorted(LOGGERS)}{near_match(name, LOGGERS)}")
    loggers: list[Logger] = [FolderLogger(folder, step)]
    for name in names:
        module, _, attribute = LOGGERS[name].partition(":")
        loggers.append(getattr(importlib.import_module(module), attribute)(folder, recipe, step))
    return loggers


class FolderLogger:
    """``log.csv``, and the latest pictures in ``pictures/``.

    Args:
        folder: of the run.
        step: rows after it are those of a stopped run, and are left out.
    """

    _COLUMNS = ("step", "loss", "steps_per_second", "psnr")
    _DIGITS: ClassVar[dict[str, int]] = {"loss": 6, "steps_per_second": 4, "psnr": 3}

    def __init__(self, folder: Path, step: int = 0) -> None:
        self._folder, self._path = folder, folder / "log.csv"
        self._rows: list[dict[str, Any]] = []
        if self._path.exists():
            with self._path.open(newline="", encoding="utf-8") as stream:
                self._rows = [row for row in csv.DictReader(stream) if int(row["step"]) <= step]

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One row; a column without a number stays empty.

        Raises:
            OutputError: the file cannot be written; it is as it was.
        """
        self._rows.append({"step": step} | {name: f"{value:.{self._DIGITS[name]}f}" for name, value in values.items()})
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        with replace_file(self._path) as stream:  # whole each time: a few hundred rows
            stream.write(text.getvalue().encode())

    def pictures(self, step: int, pictures: Mapping[str, Bytes]) -> None:
        """``pictures/NAME.png``, replaced each time."""
        (self._folder / "pictures").mkdir(exist_ok=True)
        for name, picture in pictures.items():
            write_image(Image.from_array(picture), self._folder / "pictures" / f"{name}.png", overwrite=True)

    def close(self) -> None:
        """Every row is written already."""


class TensorBoardLogger:
    """``tensorboard --logdir RUNS`` shows it.  Arguments as :func:`open_loggers`."""

    def __init__(self, folder: Path, recipe: Recipe, step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", "track") from error
        self._writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)
        if not step:
            self._writer.add_text("recipe", f"```\n{recipe}\n```")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One curve per name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def pictures(self, step: int, pictures: Mapping[str, Bytes]) -> None:
        """One picture per name."""
        for name, picture in pictures.items():
            self._writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Flush the event file."""
        self._writer.close()


class WandbLogger:
    """Weights & Biases: offline unless ``WANDB_MODE`` says otherwise; ``wandb sync`` sends it later.

    A training that was resumed shows as another run of the same name.  Arguments as :func:`open_loggers`.
    """

    def __init__(self, folder: Path, recipe: Recipe, step: int = 0) -> None:
        try:
            import wandb
        except ImportError as error:
            raise MissingExtraError("wandb", "track") from error
        self._wandb: Any = wandb
        self._run: Any = self._wandb.init(
            project="superres",
            name=folder.name,
            dir=str(folder),
            config=recipe_to_mapping(recipe),
            mode=os.environ.get("WANDB_MODE", "offline"),
        )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One curve per name."""
        self._run.log(dict(values), step=step)

    def pictures(self, step: int, pictures: Mapping[str, Bytes]) -> None:
        """One picture per name."""
        self._run.log({name: self._wandb.Image(picture) for name, picture in pictures.items()}, step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
