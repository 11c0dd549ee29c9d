from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models import picture

from superres import Image
from superres.errors import OptionError
from superres.pipeline import Options, Upscaler
from superres.resize import resize
from superres.training.augment import averaged
from superres.training.cache import PairCache
from superres.training.data import Pair
from superres.training.recipe import Recipe, TeacherOptions
from superres.training.softened import softened


@pytest.fixture
def pair() -> Pair:
    high = picture(24, 32).samples
    return Pair(high, resize(high, scale=1 / 2), "one.png")


def test_the_truth_holds_the_share_of_the_teachers_mean_over_turns(pair: Pair, tiny_folder: Path) -> None:
    model = str(tiny_folder / "tiny")
    with Upscaler(Options(scale=2, model=model, precision="fp32", ensemble=True)) as upscaler:
        taught = upscaler.image(Image.from_array(np.asarray(pair.low))).samples
    (result,) = softened([pair], 2, model, 0.25, 1)
    assert result.low is pair.low and result.name == pair.name
    expected = np.floor(0.75 * pair.high.astype(float) + 0.25 * taught + 0.5)
    assert np.abs(result.high - expected).max() <= 1 and np.mean(result.high != expected) < 0.01
    (whole,) = softened([pair], 2, model, 1.0, 1)
    assert np.array_equal(whole.high, taught)


def test_mixing_rounds_half_up() -> None:
    mixed = averaged(np.array([255, 0, 8], np.uint8), np.array([0, 255, 7], np.uint8), 0.5)
    assert mixed.dtype == np.uint8 and mixed.tolist() == [128, 128, 8]


def test_results_are_kept_for_each_teacher(pair: Pair, tiny_folder: Path, tmp_path: Path) -> None:
    cache, teacher = PairCache(tmp_path, 2, "bicubic"), str(tiny_folder / "tiny")
    (first,) = softened([pair], 2, teacher, 0.5, 1, cache)
    (kept,) = tmp_path.iterdir()
    (again,) = softened([pair], 2, teacher, 1.0, 1, cache)
    assert [kept] == [*tmp_path.iterdir()]
    assert np.array_equal(averaged(again.high, pair.high, 0.5), first.high)
    assert cache.key_of_result("another", np.asarray(pair.low)) != kept.stem


def test_what_cannot_be_is_told(pair: Pair, tiny_folder: Path) -> None:
    with pytest.raises(OptionError, match="random data.degradation"):
        softened([replace(pair, low=None)], 2, str(tiny_folder / "tiny"), 0.5, 1)
    with pytest.raises(OptionError, match="expected a model"):
        softened([pair], 2, "runs/one/checkpoint.pt", 0.5, 1)
    for teacher in (TeacherOptions("", blend=0.5), TeacherOptions("standard", blend=1.5)):
        with pytest.raises(OptionError, match=r"teacher\.blend = .*expected 0 to 1, of a model"):
            Recipe("one_x2", 2, 5, teacher=teacher)


def test_the_start_may_be_the_teacher() -> None:
    teacher = TeacherOptions("warm_start", blend=0.5)
    assert Recipe("one_x2", 2, 5, warm_start="models/old_x2", teacher=teacher).teacher_model == "models/old"
    assert Recipe("one_x2", 2, 5, teacher=replace(teacher, model="other")).teacher_model == "other"
    with pytest.raises(OptionError, match=r"teacher\.model = 'warm_start', expected a model, or a warm_start"):
        Recipe("one_x2", 2, 5, teacher=teacher)
