"""Several small pictures at once: the same files and the same reports, in order; larger ones alone."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import picture

from superres.cli.batch import run_batch
from superres.cli.together import SideBySide
from superres.errors import CorruptInputError
from superres.formats import read_image
from superres.image import PictureInfo
from superres.pipeline import Options, Result, Upscaler

SMALL, LARGE = picture(20, 20).info, picture(900, 900).info


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_pictures_of_one_tile_are_begun_at_once(tiny_folder: Path, threads: int) -> None:
    with Upscaler(Options(scale=2, model="tiny", threads=threads), folder=tiny_folder) as upscaler:
        assert upscaler.at_once(SMALL, "small") == (1 if threads == 1 else threads + 1)
        assert upscaler.at_once(LARGE, "large") == 1
    with Upscaler(Options(scale=2, model="tiny", threads=threads, tile=16), folder=tiny_folder) as upscaler:
        assert upscaler.at_once(SMALL, "small") == 1


@pytest.mark.parametrize("scale", [2, 2.5])
def test_a_folder_gives_what_its_pictures_give_alone(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], scale: float
) -> None:
    """Sizes and kinds differ; one is damaged, one is larger than a tile, one is there already."""
    sources, options = tmp_path / "in", Options(scale=scale, model=str(tiny_folder / "tiny"), threads=3)
    sources.mkdir()
    random = np.random.default_rng(0)
    for index in range(14):
        height, width = random.integers(9, 60, 2)
        picture(int(height), int(width), int(random.integers(1, 5)), seed=index).save(sources / f"{index:02}.png")
    picture(620, 64).save(sources / "07.png", overwrite=True)
    damaged = sources / "03.png"
    damaged.write_bytes(damaged.read_bytes()[:-300])
    (tmp_path / "out").mkdir()
    there = tmp_path / "out" / f"05_x{scale:g}.png"
    there.write_bytes(b"old")

    assert run_batch([str(sources)], str(tmp_path / "out"), options, recursive=False, json_lines=True) == 2

    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [Path(record["source"]).name for record in records]
    assert names == [f"{index:02}.png" for index in range(14)]
    assert records[5]["target"] == str(there)
    states = [record["status"] for record in records]
    assert states == ["failed" if index == 3 else "skipped" if index == 5 else "done" for index in range(14)]
    assert there.read_bytes() == b"old"
    with Upscaler(options) as upscaler:
        for index in (0, 1, 2, 4, *range(6, 14)):
            alone = upscaler.image(read_image(sources / f"{index:02}.png"))
            made = read_image(tmp_path / "out" / f"{index:02}_x{scale:g}.png")
            assert np.abs(made.samples.astype(int) - alone.samples).max() <= 1  # a larger one is cut otherwise


class Fake:
    """Stands for an upscaler whose pictures take as long as the test wants."""

    def __init__(self, *, large: tuple[str, ...] = ()) -> None:
        self.options, self._large = Options(), large
        self.running: set[str] = set()
        self.seen: list[frozenset[str]] = []
        self.free = threading.Event()
        self._lock = threading.Lock()

    def at_once(self, info: PictureInfo, name: str) -> int:
        return 1 if Path(name).name in self._large else 3

    def begin(self, source: Path, target: Path, *, report: Any = None, lanes: int = 0) -> Future[Result]:
        with self._lock:
            self.running.add(source.name)
            self.seen.append(frozenset(self.running))
        assert self.free.wait(20)
        with self._lock:
            self.running.remove(source.name)
        future: Future[Result] = Future()
        if source.name == "bad":
            raise CorruptInputError("bad: damaged")
        future.set_result(Result(str(source), str(target), (1, 1), (2, 2), (), "fp32", 0.0))
        return future


def start(together: SideBySide, name: str, info: PictureInfo | None = SMALL) -> Any:
    return together.begin(Path(name), Path("out") / name, info, lambda done, of: None)


def waited(condition: Any) -> bool:
    ends = time.monotonic() + 20
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return bool(condition())


def test_as_many_run_as_were_asked_for_and_errors_come_with_their_result() -> None:
    fake = Fake()
    with SideBySide(fake) as together:  # type: ignore[arg-type]
        results = [start(together, name) for name in ("a", "bad", "c", "d", "e")]
        assert together.ahead == 6
        assert waited(lambda: len(fake.running) == 3)
        fake.free.set()
        assert [results[i]().source for i in (0, 2, 3, 4)] == ["a", "c", "d", "e"]
        with pytest.raises(CorruptInputError, match="bad: damaged"):
            results[1]()
    assert max(len(names) for names in fake.seen) == 3


@pytest.mark.parametrize("info", [SMALL, None])
def test_a_larger_one_waits_for_all_and_is_alone(info: PictureInfo | None) -> None:
    fake = Fake(large=("large",))
    with SideBySide(fake) as together:  # type: ignore[arg-type]
        results = [start(together, name) for name in ("a", "b")]
        assert waited(lambda: len(fake.running) == 2)
        threading.Timer(0.1, fake.free.set).start()
        results.append(start(together, "large", info))
        assert together.ahead == 1
        assert frozenset({"large"}) in fake.seen
        assert [one().source for one in results] == ["a", "b", "large"]


def test_ctrl_c_waits_for_what_runs_and_drops_the_rest() -> None:
    fake = Fake()
    threading.Timer(0.2, fake.free.set).start()
    with pytest.raises(KeyboardInterrupt), SideBySide(fake) as together:  # type: ignore[arg-type]
        for index in range(20):
            start(together, str(index))
        assert waited(lambda: len(fake.seen) == 3)
        raise KeyboardInterrupt
    assert not fake.running
    assert 3 <= len(fake.seen) < 20
