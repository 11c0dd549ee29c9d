"""Run an iterator in a thread of its own, a bounded number of items ahead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

__all__ = ["prefetched"]

Item = TypeVar("Item")


class _End:
    """Marks the end of the items; carries the producer's exception, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetched(items: Iterator[Item], depth: int) -> Generator[Item, None, None]:
    """The same items, produced in a thread: at most ``depth`` wait for the consumer, and one more is in the making.

    An exception of the producer is raised in the consumer, in its place.  When the consumer stops early, the
    producer is told and waited for, and ``items`` is closed.
    """
    ready: queue.Queue[Item | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def offer(item: Item | _End) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not offer(item):
                    break
        except BaseException as error:  # handed over to the consumer, whatever it is
            offer(_End(error))
        else:
            offer(_End(None))
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=produce, name="superres-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()
