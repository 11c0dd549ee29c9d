"""``superres train`` and ``superres finetune``: recipe or model in, checkpoint, log and model file out."""

from __future__ import annotations

import csv
import importlib.util
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from superres.atomic import make_folder, replace_file
from superres.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from superres.training.finetune import FinetuneOptions
    from superres.training.recipe import Recipe
    from superres.training.watching import Progress, Report

__all__ = ["RunOptions", "finetune_model", "progress_line", "run_training"]

_IMITATED = (
    "precision bf16: this processor has no bfloat16 arithmetic; imitating it takes about ten times as long as fp32. "
    "Better stop, and use --precision fp32: another recipe, so with another --run folder where this one holds a "
    "checkpoint"
)


@dataclass(frozen=True)
class RunOptions:
    """What both commands take.

    Attributes:
        run: folder of checkpoint and log; None for ``runs/NAME``.
        export: folder for the finished model; None for none.
        threads: cores that each process uses, 0 for all.
        processes: that share each batch out.
        log: loggers' names, separated by commas.
        validate: folder of ground-truth pictures; None for none.
        validate_every: steps between validations.
        cache: folder that keeps the pictures as training holds them; None for none.
        precision: of every recipe that is followed, in place of its own; empty for its own.
    """

    run: Path | None = None
    export: Path | None = None
    threads: int = 0
    processes: int = 1
    log: str = ""
    validate: Path | None = None
    validate_every: int = 1000
    cache: Path | None = None
    precision: str = ""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            OptionError: a number out of its range.
        """
        if self.threads < 0:
            raise OptionError(f"threads = {self.threads}: expected 0 (all cores) or more")
        if self.processes < 1 or self.validate_every < 1:
            raise OptionError(
                f"processes = {self.processes}, validate-every = {self.validate_every}: expected 1 or more"
            )


def run_training(recipe_path: Path, data: Path, options: RunOptions) -> None:
    """Train by a recipe, or continue, and export the averaged weights.

    A recipe that starts from another recipe's network has that one trained first, in the run's folder ``before``.

    Raises:
        OptionError: the recipe, an option out of its range, or recipes that start from each other.
        MissingExtraError: PyTorch is not installed.
        TrainingError: see :meth:`superres.training.loop.TrainingRun.train`.
    """
    _need_torch()
    from superres.training.data import find_pictures

    chain = _chain(recipe_path, options)
    for recipe, _ in chain:
        find_pictures(data, recipe.data.folders)  # now, not hours later when its turn comes
    last, _ = chain[-1]
    folder = options.run or Path("runs") / last.name
    _check_folders([recipe for recipe, _ in chain], data, options, folder)
    start = ""
    for number, (recipe, path) in enumerate(chain):
        after = len(chain) - 1 - number
        place = folder.joinpath(*["before"] * after)
        if after:
            print(f"{chain[number + 1][1].name} starts from what {path.name} gives: that comes first", file=sys.stderr)
        begun = replace(recipe, warm_start=start) if start else recipe
        _train(begun, recipe, path.name, place, data, replace(options, run=place, export=place) if after else options)
        start = f"{place}/{recipe.name}"


def _chain(path: Path, options: RunOptions) -> list[tuple[Recipe, Path]]:
    """A recipe and those that it starts from, in the order in which they are trained."""
    found: list[tuple[Recipe, Path]] = []
    while True:
        recipe = _followed(path, options)
        found.insert(0, (recipe, path))
        if not recipe.warm_start.endswith(".toml"):
            return found
        before = path.parent / recipe.warm_start
        if before.resolve() in [waiting.resolve() for _, waiting in found]:
            raise OptionError(f"{path}: warm_start = {recipe.warm_start!r} starts from this recipe itself")
        path = before


def _followed(path: Path, options: RunOptions) -> Recipe:
    """The recipe of a file, in the precision that was asked for."""
    from superres.training.recipe_file import load_recipe

    recipe = load_recipe(path)
    return replace(recipe, precision=options.precision) if options.precision else recipe


def finetune_model(model: str, scale: int, data: Path, tuning: FinetuneOptions, options: RunOptions) -> None:
    """Continue a trained model on the pictures of a folder; the recipe is kept beside the run.

    Raises:
        ModelError: no such model, or one that cannot be continued.
        OptionError, MissingExtraError, TrainingError: as :func:`run_training`.
    """
    _need_torch()
    from superres.training.finetune import finetune_recipe
    from superres.training.recipe_file import recipe_to_toml

    recipe = finetune_recipe(model, scale, tuning)
    if not tuning.precision:
        print(f"precision {recipe.precision}; --precision decides otherwise", file=sys.stderr)
    folder = options.run or Path("runs") / recipe.name
    _check_folders([recipe], data, options, folder)
    if not (folder / "checkpoint.pt").exists():
        with replace_file(folder / "recipe.toml") as stream:
            command = f"# superres train {folder / 'recipe.toml'} --data {data}\n"
            stream.write((command + recipe_to_toml(recipe)).encode())
    _train(recipe, recipe, "recipe.toml", folder, data, options)
    if options.export is not None:
        family = recipe.name.removesuffix(f"_x{scale}")
        print(f"use it:  superres upscale PICTURE --model {options.export / family} --scale {scale}")


def progress_line(progress: Progress) -> str:
    """One line for people: how far, how good, how long still."""
    validated = "" if progress.psnr is None else f"  validation {progress.psnr:.2f} dB"
    return (
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.5f}  patches {progress.training_psnr:.2f} dB"
        f"{validated}  {progress.steps_per_second:.1f} steps/s  {_left(progress.seconds_left)} left"
    )


def _left(seconds: float) -> str:
    """Whole minutes, and hours above 90 of them."""
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes <= 90 else f"{minutes // 60} h {minutes % 60} min"


def _need_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("torch", "train")


def _train(recipe: Recipe, written: Recipe, source: str, folder: Path, data: Path, options: RunOptions) -> None:
    """Train and export; the card holds the recipe as it is ``written`` in the file ``source``."""
    from superres.training.checkpoint import step_reached
    from superres.training.device import imitated
    from superres.training.launch import train
    from superres.training.watching import Watching

    reached = step_reached(folder / "checkpoint.pt")
    if reached:
        print(f"continuing at step {reached} of {recipe.steps}", file=sys.stderr)
    if imitated(recipe.precision) and reached < recipe.steps:
        print(_IMITATED, file=sys.stderr)
    log = tuple(name.strip() for name in options.log.split(",") if name.strip())
    watching = Watching(log=log, validate=options.validate, validate_every=options.validate_every)
    with _progress(recipe, options.processes) as report:
        run = train(
            recipe,
            folder,
            data,
            report,
            watching,
            threads=options.threads,
            processes=options.processes,
            cache=options.cache,
        )
    print(f"trained {run.step} steps; checkpoint and log in {folder}")
    if options.export is not None:
        from superres.deploy.ship import Provenance, licence_counts, ship

        pictures: dict[str, int] = {}
        for here in [data / name for name in recipe.data.folders]:
            # One table may tell of several folders that it lies beside.
            tables = {here / "LICENCES.tsv": "", here.parent / "LICENCES.tsv": here.name}
            for table, part in [(table, part) for table, part in tables.items() if table.exists()][:1]:
                for licence, count in licence_counts(table, part).items():
                    pictures[licence] = pictures.get(licence, 0) + count
        provenance = Provenance(source, run.step, _minutes(folder / "log.csv"), pictures)
        make_folder(options.export, "--export")
        card = ship(run.averaged_network(), written, provenance, options.export)
        print(f"exported {options.export / card.stem}.onnx and its card")


def _print_progress(progress: Progress) -> None:
    """A report that other processes can be given."""
    print(progress_line(progress), file=sys.stderr, flush=True)


@contextmanager
def _progress(recipe: Recipe, processes: int) -> Iterator[Report]:
    """A bar on a terminal, lines elsewhere and where another process reports."""
    if processes > 1 or not sys.stderr.isatty():
        yield _print_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[state]}", markup=False),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task: Any = bar.add_task(recipe.name, total=recipe.steps, state="reading pictures")

        def report(progress: Progress) -> None:
            bar.update(task, completed=progress.step, state=_state(progress))

        yield report


def _state(progress: Progress) -> str:
    """What fits beside a bar: the validation where there is one, else the patches."""
    quality = progress.training_psnr if progress.psnr is None else progress.psnr
    return f"{quality:.2f} dB  {progress.steps_per_second:.1f} steps/s  {_left(progress.seconds_left)} left"


def _check_folders(recipes: Sequence[Recipe], data: Path, options: RunOptions, run: Path) -> None:
    """Make the folders that will be written to, and refuse what training would take its pictures from by mistake.

    Raises:
        OptionError: validation's pictures, or what becomes of them, lie among those that are trained on.
        OutputError: a folder cannot be made.
    """
    sources = {(data / name).resolve(): data / name for recipe in recipes for name in recipe.data.folders}
    inside = {"--validate": options.validate, "--run": run} if options.validate is not None else {}
    for option, folder in inside.items():
        for real, source in sources.items():
            if folder is not None and real in folder.resolve().parents:
                raise OptionError(
                    f"{option} {folder} lies in {source}, whose pictures are trained on with those of its subfolders; "
                    "put it beside that folder"
                )
    make_folder(run, "--run")
    if options.export is not None:
        make_folder(options.export, "--export")


def _minutes(log: Path) -> float:
    """Time spent in steps, from the log: stopped hours between resumes do not count."""
    with log.open(newline="", encoding="utf-8") as stream:
        rows = [(int(row["step"]), float(row["steps_per_second"])) for row in csv.DictReader(stream)]
    seconds, before = 0.0, 0
    for step, speed in rows:
        seconds += max(0, step - before) / speed
        before = step
    return seconds / 60
