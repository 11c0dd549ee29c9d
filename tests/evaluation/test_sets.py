from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from superres.degrade import load_degradation
from superres.degrade.testing import measurement_set
from superres.errors import InputError, OptionError
from superres.evaluation.sets import LOW_RESOLUTIONS, find_sets, load_set, read_set
from superres.resize import resize

from .support import save, smooth


def test_find_sets(tmp_path: Path) -> None:
    for name in ("Set5", "Set14"):
        save(smooth(20, 20), tmp_path / name / "a.png")
    (tmp_path / "notes").mkdir()
    assert find_sets(tmp_path) == {"Set14": tmp_path / "Set14", "Set5": tmp_path / "Set5"}
    assert list(find_sets(tmp_path, ["Set5", "Set14"])) == ["Set5", "Set14"]
    assert find_sets(tmp_path / "Set5") == {"Set5": tmp_path / "Set5"}
    with pytest.raises(OptionError, match="did you mean 'Set14'"):
        find_sets(tmp_path, ["Set41"])
    with pytest.raises(OptionError, match="no pictures"):
        find_sets(tmp_path / "notes")
    with pytest.raises(OptionError, match="no such folder"):
        find_sets(tmp_path / "gone")


def test_ground_truth_is_cropped_and_reduced(tmp_path: Path) -> None:
    samples = smooth(41, 50)
    save(samples, tmp_path / "a.png")
    (picture,) = load_set(tmp_path, 3)
    assert np.array_equal(picture.high, samples[:39, :48])
    assert np.array_equal(picture.low, resize(samples[:39, :48], scale=1 / 3))


def test_missing_folder_empty_folder_and_scale_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no such folder"):
        load_set(tmp_path / "none", 2)
    with pytest.raises(OptionError, match="no pictures"):
        load_set(tmp_path, 2)
    with pytest.raises(OptionError, match="scale 0"):
        load_set(tmp_path, 0)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (smooth(18, 60), "too small at x4"),
        (smooth(60, 60).astype(np.uint16) * 257, "8-bit ground truth"),
        (smooth(60, 60, 4), "transparent"),
    ],
)
def test_an_unusable_picture_is_named(tmp_path: Path, samples: npt.NDArray[np.generic], reason: str) -> None:
    save(smooth(60, 60), tmp_path / "good.png")
    save(samples, tmp_path / "odd_one.png")
    with pytest.raises(InputError, match=rf"odd_one\.png.*{reason}"):
        load_set(tmp_path, 4)


def test_what_headers_tell_is_refused_before_the_first_picture(tmp_path: Path) -> None:
    save(smooth(60, 60), tmp_path / "a.png")
    save(smooth(9, 9), tmp_path / "z.png")
    with pytest.raises(InputError, match=r"z\.png"):
        read_set(tmp_path, 2)  # nothing was asked for yet


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    save(smooth(60, 60), tmp_path / "cut.png")
    contents = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(contents[: len(contents) // 2])
    with pytest.raises(InputError, match=r"cut\.png"):
        load_set(tmp_path, 2)


def test_the_smallest_picture_is_taken_and_one_pixel_less_is_not(tmp_path: Path) -> None:
    save(smooth(20, 20), tmp_path / "just" / "a.png")
    assert len(load_set(tmp_path / "just", 4)) == 1
    save(smooth(19, 20), tmp_path / "short" / "a.png")
    with pytest.raises(InputError, match="too small"):
        load_set(tmp_path / "short", 4)
    with pytest.raises(InputError, match="21 x 21"):
        read_set(tmp_path / "just", 4, smallest=13)


def test_grey_counts_as_three_equal_channels(tmp_path: Path) -> None:
    grey = smooth(40, 44, 1)
    save(grey, tmp_path / "grey" / "a.png")
    save(grey.repeat(3, axis=2), tmp_path / "rgb" / "a.png")
    one, three = (load_set(tmp_path / name, 2)[0] for name in ("grey", "rgb"))
    assert one.low.shape == (20, 22, 3)
    assert np.array_equal(one.high, three.high)
    assert np.array_equal(one.low, three.low)


def test_opaque_alpha_is_dropped(tmp_path: Path) -> None:
    opaque = np.concatenate([smooth(40, 40), np.full((40, 40, 1), 255, np.uint8)], axis=2)
    save(opaque, tmp_path / "a.png")
    assert np.array_equal(load_set(tmp_path, 2)[0].high, opaque[:, :, :3])


@pytest.mark.parametrize("degradation", LOW_RESOLUTIONS)
def test_every_low_resolution_is_made_again_the_same(degradation: str, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(smooth(48, 64), tmp_path / name)
    first, second = (load_set(tmp_path, 2, degradation) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.low.shape == (24, 32, 3)
        assert np.array_equal(one.low, other.low)
    # Random ones differ from picture to picture.
    alike = np.array_equal(first[0].low, first[1].low)
    assert alike == (degradation == "bicubic")


def test_measurement_counts_pictures_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        save(smooth(48, 64, seed=ord(name[0])), tmp_path / name)
    pictures = load_set(tmp_path, 2, "measurement")
    for index, picture in enumerate(pictures):
        assert np.array_equal(picture.low, measurement_set(picture.high, 2, index))


def test_bicubic_is_the_degradation_of_that_name(tmp_path: Path) -> None:
    save(smooth(48, 64), tmp_path / "a.png")
    (picture,) = load_set(tmp_path, 4)
    assert np.array_equal(picture.low, load_degradation("bicubic")(picture.high, 4))


def test_an_unknown_degradation_names_the_nearest(tmp_path: Path) -> None:
    save(smooth(48, 64), tmp_path / "a.png")
    with pytest.raises(OptionError, match="did you mean 'measurement'"):
        read_set(tmp_path, 2, "mesurement")


def test_low_resolution_from_a_folder(tmp_path: Path) -> None:
    high, low = smooth(41, 63), smooth(20, 31, seed=3)
    save(high, tmp_path / "high" / "b.png")
    save(high[:40, :60], tmp_path / "high" / "a.png")
    save(low, tmp_path / "low" / "bx2.png")
    save(low[:, :30], tmp_path / "low" / "a_LR.webp")
    pictures = list(read_set(tmp_path / "high", 2, low=tmp_path / "low"))
    assert [picture.file for picture in pictures] == ["a.png", "b.png"]
    assert np.array_equal(pictures[0].low, low[:, :30])
    assert np.array_equal(pictures[1].low, low)
    assert np.array_equal(pictures[1].high, high[:40, :62])


def test_a_pair_that_does_not_fit_is_named_with_its_factor(tmp_path: Path) -> None:
    save(smooth(60, 60), tmp_path / "high" / "a.png")
    save(smooth(20, 20), tmp_path / "low" / "a.png")
    with pytest.raises(InputError, match=r"about x3, expected x2; set --scale"):
        read_set(tmp_path / "high", 2, low=tmp_path / "low")
    save(smooth(60, 60).astype(np.uint16), tmp_path / "low" / "a.png.tiff")
    with pytest.raises(OptionError, match=r"a\.png\.tiff: no ground truth of that name"):
        read_set(tmp_path / "high", 3, low=tmp_path / "low")
