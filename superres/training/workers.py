"""Processes that prepare training pictures beside the one that trains."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from superres.errors import TrainingError

__all__ = ["worker_errors", "worker_pool"]

# Each worker is one thread: what a library would start besides takes its turn from training.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VIPS_CONCURRENCY")

# Imported once, in the process that the workers come from.
_PRELOADED = ["superres.training.data", "superres.training.patches"]


def worker_pool(count: int) -> ProcessPoolExecutor:
    """A pool of ``count`` processes, each of one thread, that end with this process however it ends.

    They are not forked from a process that has threads, which may hold locks at that moment.

    Raises:
        TrainingError: they cannot start.
    """
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(_PRELOADED)
    with _environment(dict.fromkeys(_ONE_THREAD, "1")):
        pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
        with worker_errors():
            pool.submit(os.getpid).result()  # starts the process that the others come from, with this environment
    return pool


@contextlib.contextmanager
def worker_errors() -> Iterator[None]:
    """Tell of workers that ended without a result.

    Raises:
        TrainingError: instead of the pool's own error.
    """
    try:
        yield
    except BrokenProcessPool as error:
        raise TrainingError(
            "the processes that prepare training pictures ended: memory may have run out; or this script does not "
            "begin with  if __name__ == '__main__':, without which they run it once more"
        ) from error


def _begin() -> None:
    """In a worker: Ctrl-C is the parent's affair, and without a parent there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
