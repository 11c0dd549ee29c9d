from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from superres.queueing import mapped, prefetched, processors

#: Long enough for a starved thread, short enough to notice a hang.
WAIT = 20


def prefetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "superres-prefetch"]


class Counted:
    """Integers; notes how many were made, and the closing."""

    def __init__(self, end: int, *, fail_at: int | None = None) -> None:
        self.end, self.fail_at = end, fail_at
        self.made = 0
        self.closed = threading.Event()
        self.enough = threading.Event()

    def items(self, enough: int = 10**9) -> Iterator[int]:
        try:
            for value in range(self.end):
                if value == self.fail_at:
                    raise ZeroDivisionError("item", value)
                self.made += 1
                if self.made >= enough:
                    self.enough.set()
                yield value
        finally:
            self.closed.set()


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_order_is_kept(depth: int) -> None:
    assert list(prefetched(iter(range(200)), depth)) == list(range(200))
    assert prefetchers() == []


def test_nothing_in_nothing_out() -> None:
    assert list(prefetched(iter(()), 1)) == []


@pytest.mark.parametrize("depth", [1, 3])
def test_the_producer_runs_ahead_but_not_far(depth: int) -> None:
    source = Counted(1000)
    # One with the consumer, `depth` waiting, one in the making.
    made = prefetched(source.items(enough=depth + 2), depth)
    assert next(made) == 0
    assert source.enough.wait(WAIT)
    assert not source.closed.wait(0.2)
    assert source.made == depth + 2
    made.close()


def test_an_exception_is_carried_over_in_its_place() -> None:
    source = Counted(10, fail_at=3)
    made = prefetched(source.items(), 2)
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError) as caught:
        next(made)
    assert caught.value.args == ("item", 3)
    assert prefetchers() == []


def test_even_an_exit_is_carried_over() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(prefetched(items(), 1))


def test_stopping_early_closes_the_producer_and_leaves_no_thread() -> None:
    source = Counted(10**9)
    made = prefetched(source.items(), 2)
    assert [next(made) for _ in range(5)] == [0, 1, 2, 3, 4]
    made.close()
    assert source.closed.is_set()
    assert prefetchers() == []
    assert source.made < 20


def test_a_consumer_that_fails_stops_the_producer() -> None:
    source = Counted(10**9)
    with pytest.raises(KeyError):
        for value in prefetched(source.items(), 2):
            raise KeyError(value)
    assert source.closed.wait(WAIT)


def test_not_started_not_touched() -> None:
    source = Counted(10)
    made = prefetched(source.items(), 2)
    made.close()
    assert source.made == 0
    assert prefetchers() == []


@pytest.mark.parametrize("lanes", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 23])
def test_mapped_keeps_the_order(lanes: int, count: int) -> None:
    def late(value: int) -> int:
        time.sleep(0.001 * (value % 3))
        return value * value

    assert list(mapped(late, iter(range(count)), lanes)) == [value * value for value in range(count)]


def test_mapped_runs_so_many_at_once() -> None:
    together = threading.Barrier(3, timeout=WAIT)
    assert list(mapped(lambda value: (together.wait(), value)[1], iter(range(6)), 3)) == list(range(6))


def test_mapped_pulls_no_further_than_its_lanes() -> None:
    counted = Counted(1000)
    results = mapped(lambda value: value, counted.items(), 2)
    assert next(results) == 0
    assert counted.made == 3
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("superres-lane")]


def test_mapped_raises_in_place_of_the_result() -> None:
    results = mapped(lambda value: 1 // (value - 2), iter(range(9)), 2)
    assert [next(results), next(results)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("superres-lane")]


def test_processors() -> None:
    assert processors() >= 1
