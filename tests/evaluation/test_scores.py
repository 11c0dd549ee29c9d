from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from superres.errors import OptionError
from superres.evaluation.enlargers import bicubic_enlarger
from superres.evaluation.scores import SetScores, evaluate_methods, evaluate_pictures, evaluate_set, score_name
from superres.evaluation.sets import load_set
from superres.metrics.protocol import luma, shave
from superres.metrics.psnr import psnr as measure_psnr
from superres.metrics.ssim import ssim as measure_ssim
from superres.resize import resize

from .support import Bytes, nearest, save, smooth

PUBLISHED = [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)]


@pytest.fixture(scope="module")
def set5(data_root: Path) -> Path:
    folder = data_root / "test" / "Set5"
    if not folder.is_dir():
        pytest.skip(f"PUBLISHED BASELINE NOT CHECKED: no {folder}; set SUPERRES_DATA to the shared pictures")
    return folder


@pytest.mark.parametrize(("scale", "psnr", "ssim"), PUBLISHED)
def test_published_bicubic_row_to_its_last_digit(set5: Path, scale: int, psnr: float, ssim: float) -> None:
    # The published row was made on luma alone, as in SRCNN's MATLAB code: luma rounded to 8 bits, low resolution
    # left in double, the result rounded.  Resize, luma, PSNR and SSIM are thus checked against MATLAB's together.
    scores = []
    for truth in load_set(set5, scale):
        high = np.floor(luma(truth.high) + 0.5)
        result = np.floor(resize(resize(high, scale=1 / scale), scale=scale) + 0.5)
        x, y = shave(result, scale), shave(high, scale)
        scores.append((measure_psnr(x, y), measure_ssim(x, y)))
    mean = np.mean(scores, axis=0)
    assert (round(mean[0], 2), round(mean[1], 4)) == (psnr, ssim)


@pytest.mark.parametrize(("scale", "psnr", "ssim"), PUBLISHED)
def test_bicubic_through_rgb_lies_just_above_it(set5: Path, scale: int, psnr: float, ssim: float) -> None:
    # Through 8-bit RGB and unrounded luma, as networks are scored, errors of rounding luma twice are absent.
    mean = evaluate_set(set5, scale, bicubic_enlarger(scale)).mean
    assert 0 < mean["psnr"] - psnr < 0.015
    assert 0 < mean["ssim"] - ssim < 0.001


def test_the_low_resolution_is_what_the_enlarger_sees_and_images_count_equally(tmp_path: Path) -> None:
    save(smooth(41, 50), tmp_path / "s" / "a.png")
    save(smooth(90, 33, seed=1), tmp_path / "s" / "b.png")
    seen = []

    def enlarge(low: Bytes) -> Bytes:
        seen.append(low.shape)
        return low.repeat(3, axis=0).repeat(3, axis=1)

    scores = evaluate_set(tmp_path / "s", 3, enlarge)
    assert seen == [(13, 16, 3), (30, 11, 3)]
    assert (scores.name, scores.scale, list(scores.images)) == ("s", 3, ["a.png", "b.png"])
    for metric in ("psnr", "ssim"):
        assert scores.mean[metric] == pytest.approx(np.mean([one[metric] for one in scores.images.values()]))


def test_the_reference_itself_scores_infinity(tmp_path: Path) -> None:
    save(smooth(40, 40), tmp_path / "s" / "a.png")
    truth = load_set(tmp_path / "s", 2)
    scores = evaluate_pictures("s", truth, 2, lambda low: truth[0].high)
    assert scores.mean == {"psnr": math.inf, "ssim": pytest.approx(1)}


def test_methods_take_turns_and_the_watcher_sees_every_result(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(smooth(40, 40, seed=ord(name[0])), tmp_path / name)
    seen = []
    scores = evaluate_methods(
        "s",
        load_set(tmp_path, 2),
        2,
        {"nearest": nearest(2), "bicubic": bicubic_enlarger(2)},
        ["consistency", "sam"],
        lambda picture, results: seen.append((picture.file, {name: r.shape for name, r in results.items()})),
    )
    assert [one.method for one in scores] == ["nearest", "bicubic"]
    assert list(scores[0].mean) == ["consistency", "sam"]
    assert scores[1] == SetScores(
        "s", 2, evaluate_set(tmp_path, 2, bicubic_enlarger(2), ["consistency", "sam"]).images, "bicubic"
    )
    shapes = {"nearest": (40, 40, 3), "bicubic": (40, 40, 3)}
    assert seen == [("a.png", shapes), ("b.png", shapes)]


def test_an_enlarger_with_a_wrong_size_is_refused(tmp_path: Path) -> None:
    save(smooth(40, 40), tmp_path / "a.png")
    with pytest.raises(OptionError, match=r"a\.png.*expected uint8 \(40, 40, 3\)"):
        evaluate_set(tmp_path, 2, lambda low: low)


def test_no_pictures_are_no_scores() -> None:
    with pytest.raises(OptionError, match="no pictures to evaluate"):
        evaluate_pictures("s", [], 2, bicubic_enlarger(2))


def test_names_on_cards() -> None:
    assert score_name("B100") == "B100"
    assert score_name("B100", "measurement") == "B100 measurement"
