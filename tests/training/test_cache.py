from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from superres.degrade.generated import GENERATORS
from superres.errors import OptionError, OutputError, TrainingError
from superres.formats import write_image
from superres.image import Image
from superres.training import data
from superres.training.cache import PairCache
from superres.training.data import Pair, generate_pairs, load_pairs
from superres.training.loop import TrainingRun
from superres.training.recipe import DataOptions, NetworkOptions, Recipe

from .conftest import noise

OPTIONS = DataOptions(patch=8)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(found):
        write_image(Image.from_array(noise(40, 36, number)), path)
    return found


@pytest.fixture
def cache(tmp_path: Path) -> PairCache:
    return PairCache(tmp_path / "new" / "kept", 2, "bicubic")


def _same(one: Pair, other: Pair) -> bool:
    assert one.low is not None and other.low is not None
    return one.name == other.name and np.array_equal(one.high, other.high) and np.array_equal(one.low, other.low)


def test_what_is_kept_is_what_was_loaded(paths: list[Path], cache: PairCache, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_pairs(paths, 2, OPTIONS)
    assert all(map(_same, load_pairs(paths, 2, OPTIONS, cache=cache), plain))
    monkeypatch.setattr(data, "read_picture", None)  # nothing is decoded any more
    assert all(map(_same, load_pairs(paths, 2, OPTIONS, cache=cache), plain))


def test_a_random_degradation_keeps_no_low_side(paths: list[Path], tmp_path: Path) -> None:
    cache = PairCache(tmp_path / "kept", 2, "blind")
    options = DataOptions(patch=8, degradation="blind")
    for _ in range(2):
        assert [pair.low for pair in load_pairs(paths, 2, options, cache=cache)] == [None, None]


def test_a_picture_that_changed_is_read_anew(paths: list[Path], cache: PairCache) -> None:
    load_pairs(paths, 2, OPTIONS, cache=cache)
    paths[0].unlink()
    write_image(Image.from_array(noise(40, 36, 9)), paths[0])
    os.utime(paths[0], ns=(1, 1))
    first, second = load_pairs(paths, 2, OPTIONS, cache=cache)
    assert np.array_equal(first.high, noise(40, 36, 9))
    assert np.array_equal(second.high, noise(40, 36, 1))


def test_scales_and_degradations_are_kept_apart(paths: list[Path], tmp_path: Path) -> None:
    ways = [(2, "bicubic"), (3, "bicubic"), (2, "blind")]
    keys = {PairCache(tmp_path / "kept", *way).key_of_file(paths[0]) for way in ways}
    assert len(keys) == len(ways)


def test_another_way_to_compute_finds_nothing_old(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from superres.degrade import bicubic
    from superres.training import cache as module

    cache = PairCache(tmp_path / "kept", 2, "bicubic")
    before = cache.key_of_file(paths[0]), cache.key_of_drawing("leaves", 32, 1, 0)
    monkeypatch.setattr(bicubic, "resize", lambda picture, scale: picture[::2, ::2])
    module._way.cache_clear()
    after = cache.key_of_file(paths[0]), cache.key_of_drawing("leaves", 32, 1, 0)
    module._way.cache_clear()
    assert before[0] != after[0] and before[1] != after[1]


def test_a_kept_picture_must_still_hold_the_patch(paths: list[Path], cache: PairCache) -> None:
    load_pairs(paths, 2, OPTIONS, cache=cache)
    with pytest.raises(TrainingError, match=r"0\.png: 36 x 40 pixels is too small at x2, where 40 a side"):
        load_pairs(paths, 2, DataOptions(patch=20), cache=cache)


def test_a_damaged_file_is_named(paths: list[Path], cache: PairCache, tmp_path: Path) -> None:
    load_pairs(paths, 2, OPTIONS, cache=cache)
    kept = sorted((tmp_path / "new" / "kept").iterdir())
    contents = bytearray(kept[0].read_bytes())
    contents[len(contents) // 2] ^= 1
    kept[0].write_bytes(contents)
    with pytest.raises(TrainingError, match=f"{kept[0].name}: damaged .*remove it"):
        load_pairs(paths, 2, OPTIONS, cache=cache)
    kept[0].unlink()
    assert len(load_pairs(paths, 2, OPTIONS, cache=cache)) == 2


def test_drawn_pictures_are_kept_too(cache: PairCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_SIDE", 32)
    count = len(GENERATORS)
    plain = generate_pairs(2, OPTIONS, seed=5, workers=0, count=count)
    assert all(map(_same, generate_pairs(2, OPTIONS, 5, 0, count, cache=cache), plain))
    monkeypatch.setattr(data, "generate", None)
    assert all(map(_same, generate_pairs(2, OPTIONS, 5, 0, count, cache=cache), plain))


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="choose another folder"):
        PairCache(tmp_path / "file" / "kept", 2, "bicubic")


def test_clips_are_not_kept(tmp_path: Path) -> None:
    recipe = Recipe(
        name="clips_x2",
        scale=2,
        steps=1,
        precision="fp32",
        network=NetworkOptions("recurrent_video", (("features", 4), ("layers", 3))),
        data=DataOptions(planes="grey", frames=3, patch=8, batch=1),
    )
    with pytest.raises(OptionError, match="trains on clips; leave it out"):
        TrainingRun(recipe, tmp_path / "run").train(tmp_path, lambda _: None, cache=tmp_path / "kept")
