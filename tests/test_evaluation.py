from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from superres.errors import InputError, ModelError, OptionError, OutputError
from superres.evaluation import (
    SetScores,
    bicubic_enlarger,
    evaluate_pictures,
    evaluate_set,
    find_sets,
    load_set,
    model_enlarger,
    write_csv,
    write_json,
)
from superres.formats import write_image
from superres.image import Image
from superres.metrics.protocol import Score, luma, shave
from superres.metrics.psnr import psnr as measure_psnr
from superres.metrics.ssim import ssim as measure_ssim
from superres.pipeline import Options, Upscaler
from superres.resize import resize
from superres.zoo import list_cards

DATA = Path(os.environ.get("SUPERRES_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture(scope="module")
def test_sets() -> Path:
    folder = DATA / "test"
    if not (folder / "Set5").is_dir():
        pytest.skip(f"PUBLISHED BASELINE NOT CHECKED: no {folder / 'Set5'}; set SUPERRES_DATA to the shared pictures")
    return folder


def _picture(height: int, width: int, channels: int = 3, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth, so that enlarging it means something."""
    y, x = np.mgrid[:height, :width]
    phases = np.random.default_rng(seed).random(channels) * 6
    waves = [np.sin(x / 5 + p) * np.cos(y / 4 - p) for p in phases]
    return np.round(127.5 + 100 * np.stack(waves, axis=2)).astype(np.uint8)


def _save(samples: npt.NDArray[np.generic], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(Image.from_array(samples), path)


PUBLISHED = [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)]


@pytest.mark.parametrize(("scale", "psnr", "ssim"), PUBLISHED)
def test_published_bicubic_row_to_its_last_digit(test_sets: Path, scale: int, psnr: float, ssim: float) -> None:
    # The published row was made on luma alone, as in SRCNN's MATLAB code: luma rounded to 8 bits, low resolution
    # left in double, the result rounded.  Resize, luma, PSNR and SSIM are thus checked against MATLAB's together.
    scores = []
    for truth in load_set(test_sets / "Set5", scale):
        high = np.floor(luma(truth.high) + 0.5)
        result = np.floor(resize(resize(high, scale=1 / scale), scale=scale) + 0.5)
        x, y = shave(result, scale), shave(high, scale)
        scores.append((measure_psnr(x, y), measure_ssim(x, y)))
    mean = np.mean(scores, axis=0)
    assert (round(mean[0], 2), round(mean[1], 4)) == (psnr, ssim)


@pytest.mark.parametrize(("scale", "psnr", "ssim"), PUBLISHED)
def test_bicubic_through_rgb_lies_just_above_it(test_sets: Path, scale: int, psnr: float, ssim: float) -> None:
    # Through 8-bit RGB and unrounded luma, as networks are scored, errors of rounding luma twice are absent.
    mean = evaluate_set(test_sets / "Set5", scale, bicubic_enlarger(scale)).mean
    assert 0 < mean.psnr - psnr < 0.015
    assert 0 < mean.ssim - ssim < 0.001


def test_the_low_resolution_is_what_the_enlarger_sees_and_images_count_equally(tmp_path: Path) -> None:
    _save(_picture(41, 50), tmp_path / "s" / "a.png")
    _save(_picture(90, 33, seed=1), tmp_path / "s" / "b.png")
    seen = []

    def nearest(low: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        seen.append(low.shape)
        return low.repeat(3, axis=0).repeat(3, axis=1)

    scores = evaluate_set(tmp_path / "s", 3, nearest)
    assert seen == [(13, 16, 3), (30, 11, 3)]
    assert (scores.name, scores.scale, list(scores.images)) == ("s", 3, ["a.png", "b.png"])
    assert scores.mean.psnr == pytest.approx(np.mean([s.psnr for s in scores.images.values()]))
    assert scores.mean.ssim == pytest.approx(np.mean([s.ssim for s in scores.images.values()]))


def test_grey_counts_as_three_equal_channels(tmp_path: Path) -> None:
    grey = _picture(40, 44, 1)
    _save(grey, tmp_path / "grey" / "a.png")
    _save(grey.repeat(3, axis=2), tmp_path / "rgb" / "a.png")
    one, three = (evaluate_set(tmp_path / name, 2, bicubic_enlarger(2)).mean for name in ("grey", "rgb"))
    assert one == three
    assert load_set(tmp_path / "grey", 2)[0].low.shape == (20, 22, 3)


def test_the_reference_itself_scores_infinity(tmp_path: Path) -> None:
    _save(_picture(40, 40), tmp_path / "s" / "a.png")
    truth = load_set(tmp_path / "s", 2)
    scores = evaluate_pictures("s", truth, 2, lambda low: truth[0].high)
    assert scores.mean == Score(math.inf, pytest.approx(1))


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
        (_picture(18, 60), "too small at x4"),
        (_picture(60, 60).astype(np.uint16) * 257, "8-bit ground truth"),
        (_picture(60, 60, 4), "transparent"),
    ],
)
def test_an_unusable_picture_is_named(tmp_path: Path, samples: npt.NDArray[np.generic], reason: str) -> None:
    _save(_picture(60, 60), tmp_path / "good.png")
    _save(samples, tmp_path / "odd_one.png")
    with pytest.raises(InputError, match=rf"odd_one\.png.*{reason}"):
        load_set(tmp_path, 4)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    _save(_picture(60, 60), tmp_path / "cut.png")
    contents = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(contents[: len(contents) // 2])
    with pytest.raises(InputError, match=r"cut\.png"):
        load_set(tmp_path, 2)


def test_the_smallest_picture_is_scored_and_one_pixel_less_is_not(tmp_path: Path) -> None:
    _save(_picture(20, 20), tmp_path / "just" / "a.png")
    assert math.isfinite(evaluate_set(tmp_path / "just", 4, bicubic_enlarger(4)).mean.psnr)
    _save(_picture(19, 20), tmp_path / "short" / "a.png")
    with pytest.raises(InputError, match="too small"):
        load_set(tmp_path / "short", 4)


def test_an_enlarger_with_a_wrong_size_is_refused(tmp_path: Path) -> None:
    _save(_picture(40, 40), tmp_path / "a.png")
    with pytest.raises(OptionError, match=r"a\.png.*expected uint8 \(40, 40, 3\)"):
        evaluate_set(tmp_path, 2, lambda low: low)


def test_opaque_alpha_is_dropped(tmp_path: Path) -> None:
    opaque = np.concatenate([_picture(40, 40), np.full((40, 40, 1), 255, np.uint8)], axis=2)
    _save(opaque, tmp_path / "a.png")
    assert np.array_equal(load_set(tmp_path, 2)[0].high, opaque[:, :, :3])


def test_find_sets(tmp_path: Path) -> None:
    for name in ("Set5", "Set14"):
        _save(_picture(20, 20), tmp_path / name / "a.png")
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


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    results = [SetScores("S", 2, {"a,b.png": Score(30.5, 0.9), "é.png": Score(31.5, 0.8)})]
    write_csv(results, tmp_path / "r.csv")
    write_json(results, tmp_path / "r.json")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["file"], float(r["psnr"]), float(r["ssim"])) for r in rows] == [
        ("a,b.png", 30.5, 0.9), ("é.png", 31.5, 0.8), ("mean", 31.0, pytest.approx(0.85)),
    ]  # fmt: skip
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert content[0]["images"] == {"a,b.png": {"psnr": 30.5, "ssim": 0.9}, "é.png": {"psnr": 31.5, "ssim": 0.8}}
    assert content[0]["mean"]["psnr"] == 31.0


def test_json_has_no_infinity(tmp_path: Path) -> None:
    write_json([SetScores("S", 2, {"a": Score(math.inf, 1.0)})], tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert content[0]["images"]["a"]["psnr"] is None


def test_a_result_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_csv([], tmp_path / "none" / "r.csv")


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="is unknown"):
        model_enlarger("standrad", 4)


@pytest.mark.skipif(not list_cards(), reason="NO SHIPPED MODEL TO EVALUATE")
def test_a_model_is_measured_through_the_product(tmp_path: Path) -> None:
    card = list_cards()[-1]
    low = _picture(20, 24)
    with Upscaler(Options(scale=card.scale, model=card.name, precision="fp32", threads=1)) as upscaler:
        expected = upscaler.image(Image.from_array(low)).samples
        assert np.array_equal(model_enlarger(upscaler, card.scale)(low), expected)
        with pytest.raises(OptionError, match="expected 7"):
            model_enlarger(upscaler, 7)
    assert np.array_equal(model_enlarger(card.name, card.scale, "fp32")(low), expected)
