from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from superres.degrade import load_degradation
from superres.errors import TrainingError
from superres.formats import write_image
from superres.image import Image
from superres.training.data import Pair, PairSource, find_pictures, load_pairs
from superres.training.recipe import DataOptions

from .conftest import wave

Bytes = npt.NDArray[np.uint8]


def _noise(height: int, width: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _pair(height: int, width: int, scale: int, seed: int = 0) -> Pair:
    high = _noise(height * scale, width * scale, seed)
    return Pair(high, load_degradation("bicubic")(high, scale))


def _symmetries(picture: Bytes) -> list[Bytes]:
    """All eight, made from quarter turns and one mirror: another way than the code under test."""
    turns = [np.rot90(picture, k) for k in range(4)]
    return turns + [turned[:, ::-1] for turned in turns]


def test_a_batch_depends_on_seed_and_step_only() -> None:
    pairs, options = [_pair(20, 30, 2), _pair(25, 12, 2, 1)], DataOptions(patch=8, batch=6)
    source = PairSource(pairs, 2, options, seed=5)
    first = [source.batch(step) for step in (0, 1, 2, 3)]
    again = PairSource(pairs, 2, options, seed=5)
    for step in (3, 1, 1, 0):  # any order, any number of times
        for one, other in zip(first[step], again.batch(step), strict=True):
            assert np.array_equal(one, other)
    streamed = list(PairSource(pairs, 2, options, seed=5).batches(1, 4))
    assert len(streamed) == 3
    for (low, high), (expected_low, expected_high) in zip(streamed, first[1:], strict=True):
        assert np.array_equal(low, expected_low)
        assert np.array_equal(high, expected_high)
    assert not np.array_equal(first[0][1], first[1][1])
    assert not np.array_equal(first[0][1], PairSource(pairs, 2, options, seed=6).batch(0)[1])


def test_no_batches_when_nothing_is_left() -> None:
    assert list(PairSource([_pair(10, 10, 2)], 2, DataOptions(patch=8, batch=1), 0).batches(4, 4)) == []


def test_both_sides_take_the_same_one_of_all_eight_symmetries() -> None:
    # Patches as large as the picture: which symmetry a pair got can be told apart.
    pair = _pair(8, 8, 3)
    low, high = PairSource([pair], 3, DataOptions(patch=8, batch=96), seed=1).batch(0)
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
        picture = _noise(size[0] * scale, size[1] * scale, seed) // 2 + 64
        pairs.append(Pair(picture, load_degradation("bicubic")(picture, scale)))
    lows, highs = PairSource(pairs, scale, DataOptions(patch=12, batch=48), seed=2).batch(0)
    for low, high in zip(lows, highs, strict=True):
        made = load_degradation("bicubic")(high, scale)
        difference = np.abs(made.astype(int) - low)[2:-2, 2:-2]
        assert difference.max() <= 1


def test_without_augmentation_patches_lie_in_the_pictures_as_they_are() -> None:
    pair = _pair(9, 9, 2)
    low, high = PairSource([pair], 2, DataOptions(patch=8, batch=20, augment=False), seed=0).batch(0)
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
    low, _ = PairSource([dark, light], 2, DataOptions(patch=8, batch=400), seed=0).batch(0)
    assert np.mean(low[:, 0, 0, 0] == 0) == pytest.approx(0.75, abs=0.08)


def test_pictures_are_found_sorted_and_deep(pictures: Path) -> None:
    (pictures / "train" / "deep").mkdir()
    write_image(Image.from_array(wave(20, 20, 3)), pictures / "train" / "deep" / "a.png")
    (pictures / "train" / "LICENCES.tsv").write_text("no picture", encoding="utf-8")
    assert [p.name for p in find_pictures(pictures, ["train"])] == ["0.png", "1.png", "a.png"]
    for wrong in ("gone", "empty"):
        (pictures / "empty").mkdir(exist_ok=True)
        with pytest.raises(TrainingError, match=f"{wrong}: no training pictures"):
            find_pictures(pictures, ["train", wrong])


def test_pairs_are_cropped_to_whole_low_pixels_and_degraded(tmp_path: Path) -> None:
    picture = _noise(50, 47)
    write_image(Image.from_array(picture), tmp_path / "a.png")
    write_image(Image.from_array(picture[:, :, :1]), tmp_path / "grey.png")
    colour, grey = load_pairs([tmp_path / "a.png", tmp_path / "grey.png"], 4, DataOptions(patch=8))
    assert np.array_equal(colour.high, picture[:48, :44])
    assert np.array_equal(colour.low, load_degradation("bicubic")(picture[:48, :44], 4))
    assert np.array_equal(grey.high, picture[:48, :44, :1].repeat(3, axis=2))


@pytest.mark.parametrize(
    ("name", "samples", "reason"),
    [
        ("small.png", _noise(31, 64), "too small for patches of 8 at x4"),
        ("deep.png", _noise(64, 64).astype(np.uint16) * 257, "uint16 samples"),
    ],
)
def test_a_picture_that_cannot_serve_is_named(tmp_path: Path, name: str, samples: Bytes, reason: str) -> None:
    write_image(Image.from_array(_noise(64, 64)), tmp_path / "good.png")
    write_image(Image.from_array(samples), tmp_path / name)
    with pytest.raises(TrainingError, match=f"{name}.*{reason}"):
        load_pairs([tmp_path / "good.png", tmp_path / name], 4, DataOptions(patch=8))


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(TrainingError, match=r"broken\.png"):
        load_pairs([tmp_path / "broken.png"], 4, DataOptions(patch=8))
