"""Work in threads with bounded queues: an iterator produced ahead, a function applied to several items at once."""

from __future__ import annotations

import collections
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["mapped", "prefetched", "processors"]

Item = TypeVar("Item")
Made = TypeVar("Made")


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


def mapped(function: Callable[[Item], Made], items: Iterator[Item], lanes: int) -> Generator[Made, None, None]:
    """``function`` of every item, in order, computed in ``lanes`` threads.

    Items are pulled in the consumer's thread; at most one more than ``lanes`` is under way, so that no lane waits while
    the consumer works.  An exception of the function is raised in place of its result.  When the consumer stops early,
    what runs is waited for and nothing more begins.
    """
    pool = ThreadPoolExecutor(lanes, thread_name_prefix="superres-lane")
    pending: collections.deque[Future[Made]] = collections.deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > lanes:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
