from __future__ import annotations

import pickle

import numpy as np
import pytest

from superres.degrade import DEGRADATIONS, load_degradation
from superres.errors import OptionError

NAMES = sorted(DEGRADATIONS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_contract_of_the_table(name: str, scale: int) -> None:
    degradation = load_degradation(name)
    for seed in range(4):
        picture = np.random.default_rng(seed).integers(0, 256, (scale * 5, scale * 7, 3), dtype=np.uint8)
        before = picture.copy()
        low = degradation(picture, scale, np.random.default_rng(seed))
        assert low.shape == (5, 7, 3)
        assert low.dtype == np.uint8
        assert np.array_equal(picture, before)
        assert np.array_equal(low, degradation(picture, scale, np.random.default_rng(seed)))


@pytest.mark.parametrize("name", NAMES)
def test_the_flag_says_whether_the_generator_matters(name: str) -> None:
    degradation = load_degradation(name)
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    results = [degradation(picture, 2, np.random.default_rng(seed)) for seed in range(6)]
    assert degradation.random is any(not np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_is_asked_for_where_it_matters(name: str) -> None:
    degradation, picture = load_degradation(name), np.zeros((8, 8, 3), np.uint8)
    if degradation.random:
        with pytest.raises(OptionError, match="Generator"):
            degradation(picture, 2)
    else:
        assert degradation(picture, 2).shape == (4, 4, 3)


@pytest.mark.parametrize("name", NAMES)
def test_entries_travel_to_other_processes(name: str) -> None:
    assert pickle.loads(pickle.dumps(load_degradation(name))) == load_degradation(name)


def test_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean 'bicubic'"):
        load_degradation("bicubik")
