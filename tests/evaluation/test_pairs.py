from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import InputError, OptionError
from superres.evaluation.pairs import check_pair, cut_pair, match_pairs
from superres.image import Image


def _paths(folder: str, *names: str) -> list[Path]:
    return [Path(folder) / name for name in names]


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("baby.png", "baby.webp"),
        ("0801.png", "0801x4.png"),
        ("img_001_HR.png", "img_001_LR4.png"),
        ("a b-gt.png", "a b-lq.jpg"),
        ("x4.png", "x4.png"),
    ],
)
def test_names_belong_together(high: str, low: str) -> None:
    assert match_pairs(_paths("H", high), _paths("L", low)) == [(Path("H") / high, Path("L") / low)]


def test_order_is_that_of_the_ground_truth() -> None:
    pairs = match_pairs(_paths("H", "b.png", "a.png"), _paths("L", "a.png", "b.png"))
    assert [high.name for high, _ in pairs] == ["b.png", "a.png"]
    assert all(high.name == low.name for high, low in pairs)


@pytest.mark.parametrize(
    ("high", "low", "reason"),
    [
        (("a.png", "b.png"), ("a.png",), r"H/b\.png: no low-resolution picture"),
        (("a.png",), ("a.png", "b.png"), r"L/b\.png: no ground truth"),
        (("a.png",), ("a.png", "ax4.png"), r"L/a\.png and L/ax4\.png both belong to 'a'"),
    ],
)
def test_files_without_one_partner_are_named(high: tuple[str, ...], low: tuple[str, ...], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        match_pairs(_paths("H", *high), _paths("L", *low))


@given(scale=st.integers(1, 5), size=st.tuples(st.integers(6, 30), st.integers(6, 30)), data=st.data())
def test_pairs_that_pass_are_cut_to_an_exact_multiple(scale: int, size: tuple[int, int], data: st.DataObject) -> None:
    # Whoever made the low resolution may have rounded down or up.
    rests = data.draw(st.tuples(*[st.integers(1 - scale, scale - 1)] * 2))
    high = np.zeros((size[0] * scale + rests[0], size[1] * scale + rests[1], 3), np.uint8)
    low = np.zeros((*size, 3), np.uint8)
    check_pair((Path("h"), Image.from_array(high).info), (Path("l"), Image.from_array(low).info), scale)
    large, small = cut_pair(high, low, scale)
    assert large.shape == (small.shape[0] * scale, small.shape[1] * scale, 3)
    assert all(0 <= before - after <= 1 for before, after in zip(low.shape, small.shape, strict=True))


@pytest.mark.parametrize("shape", [(20, 40), (41, 38), (46, 40)])
def test_other_sizes_are_refused(shape: tuple[int, int]) -> None:
    high, low = Image.from_array(np.zeros((*shape, 3), np.uint8)), Image.from_array(np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match="expected x2"):
        check_pair((Path("h"), high.info), (Path("l"), low.info), 2)
