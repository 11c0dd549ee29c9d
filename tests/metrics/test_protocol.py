from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from superres.errors import OptionError
from superres.metrics import METRICS, find_metric, load_metric
from superres.metrics.consistency import consistency
from superres.metrics.ergas import ergas
from superres.metrics.protocol import luma, measure, score, shave, smallest_side
from superres.metrics.sam import sam
from superres.resize import resize


def _studio_luma(red: int, green: int, blue: int) -> float:
    """ITU-R BT.601: Y' = 0.299 R' + 0.587 G' + 0.114 B', then 219 steps above 16."""
    return 16 + 219 * (0.299 * red + 0.587 * green + 0.114 * blue) / 255


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (12, 200, 99)])
def test_luma_is_that_of_bt601(colour: tuple[int, int, int]) -> None:
    picture = np.full((2, 3, 3), colour, np.uint8)
    assert luma(picture) == pytest.approx(np.full((2, 3), _studio_luma(*colour)), abs=2e-3)


def test_luma_equals_scikit_image() -> None:
    picture = np.random.default_rng(4).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    assert luma(picture) == pytest.approx(rgb2ycbcr(picture)[:, :, 0], abs=1e-9)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1)])
def test_grey_has_the_luma_of_three_equal_channels(shape: tuple[int, ...]) -> None:
    grey = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    rgb = grey.reshape(5, 6, 1).repeat(3, axis=2)
    assert luma(grey) == pytest.approx(luma(rgb), abs=1e-9)


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros(4, np.uint8)])
def test_luma_refuses_other_samples(picture: np.ndarray) -> None:
    with pytest.raises(OptionError, match="uint8"):
        luma(picture)


def test_shave_cuts_every_side() -> None:
    plane = np.arange(42).reshape(6, 7)
    assert np.array_equal(shave(plane, 2), [[16, 17, 18], [23, 24, 25]])
    assert np.array_equal(shave(plane, 0), plane)
    with pytest.raises(OptionError, match="border of 3"):
        shave(plane, 3)


def test_score_leaves_the_border_out() -> None:
    reference = np.random.default_rng(6).integers(0, 256, (24, 25, 3), dtype=np.uint8)
    result = reference.copy()
    result[:4], result[-4:], result[:, :4], result[:, -4:] = 0, 0, 0, 0
    assert score(result, reference, 4).psnr == np.inf
    assert score(result, reference, 3).psnr < 40


def test_score_is_psnr_of_unrounded_luma() -> None:
    random = np.random.default_rng(7)
    result, reference = (random.integers(0, 256, (20, 19, 3), dtype=np.uint8) for _ in range(2))
    inner = (slice(2, -2), slice(2, -2), 0)
    expected = peak_signal_noise_ratio(rgb2ycbcr(reference)[inner], rgb2ycbcr(result)[inner], data_range=255)
    assert score(result, reference, 2).psnr == pytest.approx(expected, abs=1e-9)


LEARNED = {"lpips", "dists"}


def _pair(scale: int, side: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Result, reference and input of one smooth picture."""
    y, x = np.mgrid[:side, :side]
    waves = [120 + 60 * np.sin(x / 7 + k) * np.cos(y / 5) + 20 * np.sin(x * y / 90 + k) for k in range(3)]
    reference = np.round(np.stack(waves, axis=2)).astype(np.uint8)
    low = resize(reference, scale=1 / scale)
    return resize(low, scale=scale), reference, low


def test_every_metric_of_the_table_measures_in_its_own_unit() -> None:
    result, reference, low = _pair(2)
    names = [name for name in METRICS if name not in LEARNED]
    values = measure(names, result, reference, low, 2)
    assert list(values) == names
    assert all(np.isfinite(value) for value in values.values())
    again = measure(names, reference, reference, low, 2)
    for name in names:
        entry = METRICS[name]
        if entry.kind != "none":
            better = again[name] > values[name] if entry.better == "higher" else again[name] < values[name]
            assert better, name


def test_measure_gives_each_metric_what_it_takes() -> None:
    result, reference, low = _pair(4)
    inner = np.s_[4:-4, 4:-4]
    values = measure(["consistency", "ergas", "sam", "psnr", "ssim"], result, reference, low, 4)
    assert values["psnr"] == score(result, reference, 4).psnr
    assert values["ssim"] == score(result, reference, 4).ssim
    assert values["ergas"] == ergas(result[inner], reference[inner], scale=4)
    assert values["sam"] == sam(result[inner], reference[inner])
    assert values["consistency"] == consistency(result, low)


def test_smallest_side_is_that_of_the_most_demanding_metric() -> None:
    assert smallest_side(["psnr"]) == 1
    assert smallest_side(["psnr", "ms-ssim", "ssim"]) == 176
    for name in set(METRICS) - LEARNED:
        # The protocol crops to a multiple of the scale.
        side = (METRICS[name].smallest + 1) // 2 * 2 + 4
        picture = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
        measure([name], picture, picture, picture[::2, ::2].copy(), 2)


def test_unknown_metrics_name_the_nearest() -> None:
    for ask in (load_metric, find_metric):
        with pytest.raises(OptionError, match="did you mean 'ssim'"):
            ask("sim")


@pytest.mark.parametrize("name", METRICS)
def test_every_entry_of_the_table_is_complete(name: str) -> None:
    entry = METRICS[name]
    assert name == entry.title.lower()
    assert callable(load_metric(name))
    assert entry.unit in ("", "dB", "°")
