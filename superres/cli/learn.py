"""``superres train``: recipe in, checkpoint, log and model file out."""

from __future__ import annotations

import csv
import importlib.util
import math
import sys
from pathlib import Path

from superres.errors import MissingExtraError, OptionError
from superres.training.recipe import load_recipe

__all__ = ["run_training"]


def run_training(recipe_path: Path, data: Path, run: Path | None, export: Path | None, threads: int) -> None:
    """Train, or continue, and export the averaged weights.

    Raises:
        OptionError: the recipe, or a negative number of threads.
        MissingExtraError: PyTorch is not installed.
        TrainingError: see :meth:`superres.training.loop.TrainingRun.train`.
    """
    recipe = load_recipe(recipe_path)
    if threads < 0:
        raise OptionError(f"threads = {threads}: expected 0 (all cores) or more")
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("torch", "train")
    from superres.training.loop import Progress, TrainingRun

    folder = run or Path("runs") / recipe.name
    training = TrainingRun(recipe, folder, threads=threads)
    if training.step:
        print(f"continuing at step {training.step} of {recipe.steps}", file=sys.stderr)

    def report(progress: Progress) -> None:
        print(
            f"step {progress.step}/{recipe.steps}  loss {progress.loss:.5f} "
            f"({-20 * math.log10(progress.loss):.2f} dB)  {progress.steps_per_second:.1f} steps/s  "
            f"{progress.seconds_left / 60:.0f} min left",
            file=sys.stderr,
            flush=True,
        )

    training.train(data, report)
    print(f"trained {training.step} steps; checkpoint and log in {folder}")
    if export is not None:
        from superres.deploy.ship import Provenance, licence_counts, ship

        tables = [data / name / "LICENCES.tsv" for name in recipe.data.folders]
        pictures: dict[str, int] = {}
        for table in tables:
            for licence, count in (licence_counts(table) if table.exists() else {}).items():
                pictures[licence] = pictures.get(licence, 0) + count
        provenance = Provenance(recipe_path.name, training.step, _minutes(folder / "log.csv"), pictures)
        export.mkdir(parents=True, exist_ok=True)
        card = ship(training.averaged_network(), recipe, provenance, export)
        print(f"exported {export / card.stem}.onnx and its card")


def _minutes(log: Path) -> float:
    """Time spent in steps, from the log: stopped hours between resumes do not count."""
    with log.open(newline="", encoding="utf-8") as stream:
        rows = [(int(row["step"]), float(row["steps_per_second"])) for row in csv.DictReader(stream)]
    seconds, before = 0.0, 0
    for step, speed in rows:
        seconds += max(0, step - before) / speed
        before = step
    return seconds / 60
