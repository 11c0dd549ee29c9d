"""Start a training in this process, or in several that share each batch out."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessRaisedException

from superres import errors
from superres.errors import SuperresError
from superres.training.device import keep_freed_memory, make_fabric
from superres.training.loop import TrainingRun
from superres.training.recipe import Recipe
from superres.training.watching import Report, Watching

__all__ = ["train"]


def train(
    recipe: Recipe,
    folder: Path,
    data: Path,
    report: Report,
    watching: Watching | None = None,
    *,
    threads: int = 0,
    processes: int = 1,
    cache: Path | None = None,
) -> TrainingRun:
    """Train, or continue, to the recipe's last step.

    Args:
        recipe: what to train.
        folder: of the run.
        data: the folder that the recipe's data folders lie in.
        report: takes the progress; with several processes it must be a module's function.
        watching: see :class:`superres.training.watching.Watching`.
        threads: cores that each process uses, 0 for all.
        processes: on a machine with GPUs one per GPU, otherwise any number on the processor.  The result is that of
            one process up to the order of sums; BatchNorm alone sees the smaller batch.
        cache: see :meth:`superres.training.loop.TrainingRun.train`.

    Returns:
        The finished run.

    Raises:
        SuperresError: as :class:`superres.training.loop.TrainingRun` and its ``train``.
    """
    if processes == 1:
        keep_freed_memory()
        run = TrainingRun(recipe, folder, threads=threads)
        run.train(data, report, watching, cache=cache)
        return run
    fabric = make_fabric(recipe.precision, processes)
    try:
        fabric.launch(partial(_in_process, recipe, folder, data, report, watching, threads, cache))
    except ProcessRaisedException as error:
        raise _translated(error) from error
    return TrainingRun(recipe, folder, threads=threads)


def _in_process(
    recipe: Recipe,
    folder: Path,
    data: Path,
    report: Report,
    watching: Watching | None,
    threads: int,
    cache: Path | None,
    fabric: Fabric,
) -> None:
    """What each of several processes runs."""
    keep_freed_memory()
    TrainingRun(recipe, folder, threads=threads, fabric=fabric).train(data, report, watching, cache=cache)


def _translated(error: ProcessRaisedException) -> Exception:
    """The error of ours that ended a process: it arrives as the text of its traceback."""
    found = re.findall(r"^superres\.errors\.(\w+): (.*)", str(error), re.MULTILINE | re.DOTALL)
    kind = getattr(errors, found[-1][0], None) if found else None
    if not (isinstance(kind, type) and issubclass(kind, SuperresError)):
        return error
    return kind.__new__(kind, found[-1][1].strip())  # whatever its own arguments are
