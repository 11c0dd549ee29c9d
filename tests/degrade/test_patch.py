from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.degrade import load_degradation
from superres.degrade.blind import BlindOptions, degrade_blind
from superres.degrade.patch import degrade_patch
from superres.errors import OptionError

from .support import textured

Bytes = npt.NDArray[np.uint8]


@given(st.data())
def test_a_bicubic_patch_is_cut_from_the_whole_low_picture(data: st.DataObject) -> None:
    scale = data.draw(st.sampled_from([1, 2, 3, 4]))
    height, width = data.draw(st.integers(1, 24)), data.draw(st.integers(1, 24))
    picture = textured(24 * scale, 24 * scale)[: height * scale, : width * scale]
    size = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    corner = data.draw(st.integers(0, height - size[0])), data.draw(st.integers(0, width - size[1]))
    degrade = load_degradation("bicubic")
    made = degrade_patch(degrade, picture, scale, corner, size, np.random.default_rng(0), margin=3)
    whole = degrade(picture, scale)
    assert np.array_equal(made, whole[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]])


def test_filters_of_the_blind_degradation_do_not_reach_beyond_the_margin() -> None:
    options = BlindOptions(noise_probability=0, codec_probability=0, second_probability=0, ringing_probability=0)
    inside = textured(160, 160)
    other = textured(160, 160, seed=9)
    other[40:120, 40:120] = inside[40:120, 40:120]  # the same within 8 small pixels of the patch
    blind = partial(degrade_blind, options=options)
    for seed in range(20):
        one, two = (
            degrade_patch(blind, picture, 4, (18, 18), (4, 4), np.random.default_rng(seed))
            for picture in (inside, other)
        )
        assert np.abs(one.astype(int) - two).max() <= 1


def test_blocks_of_the_codec_lie_anywhere_in_the_patch() -> None:
    corners = []

    def degrader(piece: Bytes, scale: int, random: np.random.Generator) -> Bytes:
        corners.append((int(piece[0, 0, 0]), int(piece[0, 0, 1]), *piece.shape[:2]))
        return piece

    y, x = np.mgrid[0:100, 0:100]
    picture = np.stack([y, x, x], axis=-1).astype(np.uint8)
    for seed in range(60):
        patch = degrade_patch(degrader, picture, 1, (40, 50), (10, 12), np.random.default_rng(seed))
        assert np.array_equal(patch, picture[40:50, 50:62])
    tops, lefts, heights, widths = (set(column) for column in zip(*corners, strict=True))
    assert tops == set(range(40 - 8 - 7, 40 - 8 + 1))
    assert lefts == set(range(50 - 8 - 7, 50 - 8 + 1))
    # One size of piece, whatever the phase: nothing that depends on it is made anew.
    assert heights == {10 + 16 + 7} and widths == {12 + 16 + 7}


def test_at_the_corner_of_the_picture_blocks_begin_where_the_picture_does() -> None:
    picture = textured(64, 64)
    seen = []

    def degrader(piece: Bytes, scale: int, random: np.random.Generator) -> Bytes:
        seen.append(np.array_equal(piece, picture[: len(piece), : piece.shape[1]]))
        return piece[::2, ::2]

    degrade_patch(degrader, picture, 2, (0, 0), (8, 8), np.random.default_rng(0))
    assert seen == [True]


@pytest.mark.parametrize(
    ("corner", "size", "margin"),
    [((-1, 0), (4, 4), 8), ((0, 13), (4, 4), 8), ((0, 0), (0, 4), 8), ((0, 0), (4, 4), -1)],
)
def test_a_patch_outside_is_refused(corner: tuple[int, int], size: tuple[int, int], margin: int) -> None:
    with pytest.raises(OptionError, match="16 x 16"):
        degrade_patch(
            load_degradation("blind"), textured(32, 32), 2, corner, size, np.random.default_rng(0), margin=margin
        )
