from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from superres.degrade import load_degradation
from superres.degrade.generated import GENERATORS, generate
from superres.errors import OptionError, TrainingError
from superres.formats import write_image
from superres.image import Image
from superres.training.data import find_pictures, generate_pairs, load_pairs
from superres.training.recipe import DataOptions

from .conftest import noise, wave

Bytes = npt.NDArray[np.uint8]


def test_pictures_are_found_sorted_and_deep(pictures: Path) -> None:
    (pictures / "train" / "deep").mkdir()
    write_image(Image.from_array(wave(20, 20, 3)), pictures / "train" / "deep" / "a.png")
    (pictures / "train" / "LICENCES.tsv").write_text("no picture", encoding="utf-8")
    (pictures / "train" / "folder.png").mkdir()
    for hidden in ("._0.png", ".trash/b.png"):
        (pictures / "train" / hidden).parent.mkdir(exist_ok=True)
        (pictures / "train" / hidden).write_bytes(b"no picture")
    assert [p.name for p in find_pictures(pictures, ["train"])] == ["0.png", "1.png", "a.png"]
    for wrong in ("gone", "empty"):
        (pictures / "empty").mkdir(exist_ok=True)
        with pytest.raises(
            TrainingError, match=f"{wrong}: no pictures there; expected the folder that holds '{wrong}'"
        ):
            find_pictures(pictures, ["train", wrong])


def test_pairs_are_cropped_to_whole_low_pixels_and_degraded(tmp_path: Path) -> None:
    picture = noise(50, 47)
    write_image(Image.from_array(picture), tmp_path / "a.png")
    write_image(Image.from_array(picture[:, :, :1]), tmp_path / "grey.png")
    colour, grey = load_pairs([tmp_path / "a.png", tmp_path / "grey.png"], 4, DataOptions(patch=8))
    assert np.array_equal(colour.high, picture[:48, :44])
    assert np.array_equal(colour.low, load_degradation("bicubic")(picture[:48, :44], 4))
    assert np.array_equal(grey.high, picture[:48, :44, :1].repeat(3, axis=2))
    assert colour.name == str(tmp_path / "a.png")


def test_a_random_degradation_is_left_for_the_patches(tmp_path: Path) -> None:
    write_image(Image.from_array(noise(50, 47)), tmp_path / "a.png")
    (pair,) = load_pairs([tmp_path / "a.png"], 4, DataOptions(patch=8, degradation="blind"))
    assert pair.low is None
    assert pair.high.shape == (48, 44, 3)


def test_processes_load_what_one_process_loads(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        write_image(Image.from_array(noise(40, 36 + 4 * number, number)), path)
    options = DataOptions(patch=8)
    for one, other in zip(load_pairs(paths, 2, options, 0), load_pairs(paths, 2, options, 2), strict=True):
        assert one.name == other.name
        assert np.array_equal(one.high, other.high)
        assert one.low is not None and other.low is not None
        assert np.array_equal(one.low, other.low)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(TrainingError, match=r"broken\.png"):
        load_pairs([*paths, tmp_path / "broken.png"], 2, options, 2)


def test_every_patch_size_must_fit(tmp_path: Path) -> None:
    write_image(Image.from_array(noise(40, 40)), tmp_path / "a.png")
    assert load_pairs([tmp_path / "a.png"], 2, DataOptions(patch=8))
    with pytest.raises(TrainingError, match="too small at x2, where 48 a side"):
        load_pairs([tmp_path / "a.png"], 2, DataOptions(patch=8, patches=((0.5, 24, 4),)))


def test_generated_pictures_are_of_every_kind_and_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("superres.training.data._SIDE", 32)
    options = DataOptions(patch=8)
    kinds = sorted(GENERATORS)
    pairs = generate_pairs(3, options, seed=5, workers=0, count=len(kinds) + 1)
    assert [pair.name for pair in pairs] == [f"generated {kinds[k % len(kinds)]} {k}" for k in range(len(kinds) + 1)]
    for index in (0, len(kinds)):
        expected = generate(kinds[0], (33, 33), np.random.default_rng((5, index)))  # whole low-resolution pixels
        assert np.array_equal(pairs[index].high, expected)
    assert pairs[0].low is not None
    assert np.array_equal(pairs[0].low, load_degradation("bicubic")(pairs[0].high, 3))
    assert not np.array_equal(pairs[0].high, pairs[-1].high)


def test_an_unknown_degradation_is_refused_before_any_picture() -> None:
    with pytest.raises(OptionError, match="did you mean 'bicubic'"):
        load_pairs([Path("gone.png")], 2, DataOptions(degradation="bicubik"))


@pytest.mark.parametrize(
    ("name", "samples", "reason"),
    [
        ("small.png", noise(31, 64), "too small at x4, where 32 a side are needed"),
        ("deep.png", noise(64, 64).astype(np.uint16) * 257, "uint16 samples"),
    ],
)
def test_a_picture_that_cannot_serve_is_named(tmp_path: Path, name: str, samples: Bytes, reason: str) -> None:
    write_image(Image.from_array(noise(64, 64)), tmp_path / "good.png")
    write_image(Image.from_array(samples), tmp_path / name)
    with pytest.raises(TrainingError, match=f"{name}.*{reason}"):
        load_pairs([tmp_path / "good.png", tmp_path / name], 4, DataOptions(patch=8))


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(TrainingError, match=r"broken\.png"):
        load_pairs([tmp_path / "broken.png"], 4, DataOptions(patch=8))
