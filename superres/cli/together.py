"""Several small pictures side by side, in threads; anything larger alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from superres.image import PictureInfo
from superres.pipeline import Options, Result, Upscaler

__all__ = ["SideBySide"]


class SideBySide:
    """Begins inputs: those of one tile in threads of their own, as many at once as suits the networks.

    A context manager: leaving it by an exception, Ctrl-C too, drops what waits, and waits for what runs.

    Attributes:
        ahead: how many of the inputs that were begun may wait to be told of.
    """

    def __init__(self, upscaler: Upscaler) -> None:
        self._upscaler = upscaler
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[Future[Future[Result]]] = set()
        self.ahead = 1

    @property
    def options(self) -> Options:
        """Of the upscaler."""
        return self._upscaler.options

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def begin(
        self, source: Path, target: Path, info: PictureInfo | None, report: Callable[[int, int], None]
    ) -> Callable[[], Result]:
        """Begin one input; what it returns waits for the result.

        Args:
            source, target: paths.
            info: of a still picture; None for what has to be alone.
            report: called with (rows done, rows in all) of what is alone.

        Raises:
            SuperresError: as :meth:`superres.pipeline.Upscaler.begin`, here or from what is returned.
        """
        guided = self.options.raster.guide is not None
        most = 1 if info is None or guided else self._upscaler.at_once(info, str(source))
        if most == 1:
            # Alone it takes the lanes and the memory of all.
            wait(self._running)
            self._running.clear()
            self.ahead = 1
            return self._upscaler.begin(source, target, report=report).result
        if self._pool is None:
            self._pool = ThreadPoolExecutor(most, thread_name_prefix="superres-picture")
        self.ahead = 2 * most
        self._running = {one for one in self._running if not one.done()}
        future = self._pool.submit(self._upscaler.begin, source, target, lanes=1)
        self._running.add(future)
        return lambda: future.result().result()
