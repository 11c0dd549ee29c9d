from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from superres.degrade import load_degradation
from superres.errors import OptionError
from superres.training.data import Pair
from superres.training.recipe import DataOptions
from superres.training.source import BatchSource

from .conftest import noise

Bytes = npt.NDArray[np.uint8]


def pair_of(height: int, width: int, scale: int, seed: int = 0) -> Pair:
    high = noise(height * scale, width * scale, seed)
    return Pair(high, load_degradation("bicubic")(high, scale), f"picture {seed}")


def _symmetries(picture: Bytes) -> list[Bytes]:
    """All eight, made from quarter turns and one mirror: another way than the code under test."""
    turns = [np.rot90(picture, k) for k in range(4)]
    return turns + [turned[:, ::-1] for turned in turns]


def test_a_batch_depends_on_seed_and_step_only() -> None:
    pairs, options = [pair_of(20, 30, 2), pair_of(25, 12, 2, 1)], DataOptions(patch=8, batch=6)
    source = BatchSource(pairs, 2, options, seed=5)
    first = [source.batch(step) for step in (0, 1, 2, 3)]
    again = BatchSource(pairs, 2, options, seed=5)
    for step in (3, 1, 1, 0):  # any order, any number of times
        for one, other in zip(first[step], again.batch(step), strict=True):
            assert np.array_equal(one, other)
    streamed = list(BatchSource(pairs, 2, options, seed=5).batches(1, 4))
    assert len(streamed) == 3
    for (low, high), (expected_low, expected_high) in zip(streamed, first[1:], strict=True):
        assert np.array_equal(low, expected_low)
        assert np.array_equal(high, expected_high)
    assert not np.array_equal(first[0][1], first[1][1])
    assert not np.array_equal(first[0][1], BatchSource(pairs, 2, options, seed=6).batch(0)[1])


def test_no_batches_when_nothing_is_left() -> None:
    assert list(BatchSource([pair_of(10, 10, 2)], 2, DataOptions(patch=8, batch=1), 0).batches(4, 4)) == []


def test_both_sides_take_the_same_one_of_all_eight_symmetries() -> None:
    # Patches as large as the picture: which symmetry a pair got can be told apart.
    pair = pair_of(8, 8, 3)
    low, high = BatchSource([pair], 3, DataOptions(patch=8, batch=96), seed=1).batch(0)
    lows, highs = _symmetries(pair.low), _symmetries(pair.high)
    seen = set()
    for one_low, one_high in zip(low, high, strict=True):
        which = [index for index, candidate in enumerate(highs) if np.array_equal(candidate, one_high)]
        assert len(which) == 1
        assert np.array_equal(lows[which[0]], one_low)
        seen.add(which[0])
    assert seen == set(range(8))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_low_patch_is_the_degraded_high_patch(scale: int) -> None:
    # Noise: a shift by one pixel would differ everywhere.  The kernel spans 4 low-resolution pixels, so two at each
    # border see beyond the patch; rounding after each axis may differ by one step where axes were exchanged.
    # Values stay away from 0 and 255, where clipping between the axes would add to that.
    pairs = []
    for size, seed in (((20, 24), 0), ((16, 30), 1)):
        picture = noise(size[0] * scale, size[1] * scale, seed) // 2 + 64
        pairs.append(Pair(picture, load_degradation("bicubic")(picture, scale)))
    lows, highs = BatchSource(pairs, scale, DataOptions(patch=12, batch=48), seed=2).batch(0)
    for low, high in zip(lows, highs, strict=True):
        made = load_degradation("bicubic")(high, scale)
        difference = np.abs(made.astype(int) - low)[2:-2, 2:-2]
        assert difference.max() <= 1


def test_without_augmentation_patches_lie_in_the_pictures_as_they_are() -> None:
    pair = pair_of(9, 9, 2)
    low, high = BatchSource([pair], 2, DataOptions(patch=8, batch=20, augment=False), seed=0).batch(0)
    corners = {(y, x) for y in (0, 1) for x in (0, 1)}
    found = set()
    for one_low, one_high in zip(low, high, strict=True):
        for y, x in corners:
            if np.array_equal(pair.low[y : y + 8, x : x + 8], one_low):
                assert np.array_equal(pair.high[2 * y : 2 * y + 16, 2 * x : 2 * x + 16], one_high)
                found.add((y, x))
    assert found == corners  # the last row and column are reached


def test_a_picture_is_drawn_by_its_area() -> None:
    dark, light = (
        Pair(np.full((2 * height, 32, 3), value, np.uint8), np.full((height, 16, 3), value, np.uint8))
        for height, value in ((30, 0), (10, 9))
    )
    low, _ = BatchSource([dark, light], 2, DataOptions(patch=8, batch=400), seed=0).batch(0)
    assert np.mean(low[:, 0, 0, 0] == 0) == pytest.approx(0.75, abs=0.08)


def blind_pair(height: int, width: int, scale: int, seed: int) -> Pair:
    smooth = noise(height, width, seed).repeat(scale, 0).repeat(scale, 1)
    return Pair(smooth, None, f"blind {seed}")


ALL = DataOptions(degradation="blind", patch=8, batch=4, mixup=0.5, cutblur=0.5, colour=0.5, decorrelated=0.5)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_random_degradation_is_drawn_anew_and_by_seed_step_and_slot(scale: int) -> None:
    pairs, options = [blind_pair(30, 40, scale, 0), blind_pair(26, 26, scale, 1)], replace(ALL, mixup=0, cutblur=0)
    source = BatchSource(pairs, scale, options, seed=3, workers=0)
    low, high = source.batch(5)
    assert low.shape == (4, 8, 8, 3) and high.shape == (4, 8 * scale, 8 * scale, 3)
    for one, other in zip(source.batch(5), (low, high), strict=True):
        assert np.array_equal(one, other)
    clean = [load_degradation("bicubic")(patch, scale) if scale > 1 else patch for patch in high]
    assert any(not np.array_equal(made, plain) for made, plain in zip(low, clean, strict=True))
    # One picture, one place: what differs is the degradation of each slot and step.
    alone = BatchSource(
        [blind_pair(8, 8, scale, 0)], scale, replace(options, augment=False, colour=0, decorrelated=0), 3, workers=0
    )
    lows = np.concatenate([alone.batch(step)[0] for step in (0, 1)])
    assert len({patch.tobytes() for patch in lows}) > len(lows) // 2


def test_processes_make_the_same_batches() -> None:
    pairs = [blind_pair(30, 40, 2, 0), blind_pair(26, 26, 2, 1)]
    alone = BatchSource(pairs, 2, ALL, seed=3, workers=0)
    streamed = list(BatchSource(pairs, 2, ALL, seed=3, workers=2).batches(2, 7))
    assert len(streamed) == 5
    for step, (low, high) in enumerate(streamed, start=2):
        expected_low, expected_high = alone.batch(step)
        assert np.array_equal(low, expected_low)
        assert np.array_equal(high, expected_high)


@pytest.mark.parametrize("options", [DataOptions(patch=8, batch=4), ALL], ids=["cut", "made"])
def test_shares_of_a_batch_are_the_batch(options: DataOptions) -> None:
    pairs = [blind_pair(30, 40, 2, 0)] if options is ALL else [pair_of(30, 40, 2)]
    whole = BatchSource(pairs, 2, options, seed=1, workers=0).batch(9)
    parts = [BatchSource(pairs, 2, options, seed=1, workers=0, rank=rank, ranks=2).batch(9) for rank in (0, 1)]
    for side in (0, 1):
        assert np.array_equal(np.concatenate([part[side] for part in parts]), whole[side])


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(OptionError, match="data.batch = 5 over 2 processes"):
        BatchSource([pair_of(9, 9, 2)], 2, DataOptions(patch=8, patches=((0.5, 8, 5),)), 0, ranks=2)


def test_sizes_follow_the_steps() -> None:
    options = DataOptions(patch=8, batch=6, patches=((0.5, 10, 4), (0.75, 12, 2)))
    source = BatchSource([pair_of(20, 20, 2)], 2, options, 0, steps=8)
    shapes = [low.shape[:2] for low, _ in source.batches(0, 8)]
    assert shapes == [(6, 8)] * 4 + [(4, 10)] * 2 + [(2, 12)] * 2


def test_cutblur_without_anything_to_restore_is_refused() -> None:
    with pytest.raises(OptionError, match=r"data\.cutblur = 0\.5 with data\.degradation = 'bicubic'"):
        BatchSource([pair_of(9, 9, 2)], 2, DataOptions(patch=8, cutblur=0.5), 0)


def test_cutblur_puts_clean_pixels_into_the_input() -> None:
    options = DataOptions(degradation="blind", patch=16, batch=8, augment=False)
    pairs = [blind_pair(40, 40, 1, 0)]
    plain = BatchSource(pairs, 1, options, 0, workers=0).batch(0)
    cut = BatchSource(pairs, 1, replace(options, cutblur=1.0), 0, workers=0).batch(0)
    assert np.array_equal(plain[1], cut[1])
    clean, degraded = (cut[0] == cut[1]).all(axis=3), (cut[0] == plain[0]).all(axis=3)
    assert (clean | degraded).all()
    assert (clean & ~degraded).any() and (degraded & ~clean).any()


def test_generated_pictures_get_their_share() -> None:
    photographs = [Pair(np.zeros((64, 64, 3), np.uint8), np.zeros((32, 32, 3), np.uint8), "photograph")]
    drawn = [Pair(np.full((16, 16, 3), 9, np.uint8), np.full((8, 8, 3), 9, np.uint8), "drawn")] * 3
    options = DataOptions(patch=8, batch=400, generated=0.25)
    low, _ = BatchSource(photographs, 2, options, seed=0, drawn=drawn).batch(0)
    assert np.mean(low[:, 0, 0, 0] == 9) == pytest.approx(0.25, abs=0.08)


def test_the_files_of_a_batch_are_named() -> None:
    source = BatchSource([pair_of(9, 9, 2), pair_of(9, 9, 2, 1)], 2, DataOptions(patch=8, batch=8), seed=0)
    assert sorted(source.files(0)) == ["picture 0", "picture 1"]
    single = BatchSource([pair_of(9, 9, 2), pair_of(9, 9, 2, 1)], 2, DataOptions(patch=8, batch=1), seed=0)
    for step in range(4):
        (name,) = single.files(step)
        (high,) = single.batch(step)[1]
        picture = pair_of(9, 9, 2, int(name[-1])).high
        assert set(map(tuple, high.reshape(-1, 3))) <= set(map(tuple, picture.reshape(-1, 3)))


def test_stopping_early_ends_what_prepares() -> None:
    batches = BatchSource([blind_pair(20, 20, 2, 0)], 2, ALL, seed=0, workers=1).batches(0, 100)
    next(batches)
    batches.close()
    assert list(batches) == []


def test_grey_planes_come_of_the_same_patches() -> None:
    pairs, options = [pair_of(20, 30, 2)], DataOptions(patch=8, batch=32)
    low, high = BatchSource(pairs, 2, replace(options, planes="grey"), seed=5).batch(3)
    assert low.shape == (32, 8, 8, 1)
    assert high.shape == (32, 16, 16, 1)
    colours = BatchSource(pairs, 2, options, seed=5).batch(3)
    for made, colour in ((low, colours[0]), (high, colours[1])):
        alike = [
            abs(np.corrcoef(one.ravel().astype(float), other.mean(axis=2).ravel())[0, 1])
            for one, other in zip(made, colour, strict=True)
        ]
        assert np.median(alike) > 0.8  # a mix, of either polarity
    again = BatchSource(pairs, 2, replace(options, planes="grey"), seed=5).batch(3)
    assert np.array_equal(low, again[0])
    assert np.array_equal(high, again[1])
