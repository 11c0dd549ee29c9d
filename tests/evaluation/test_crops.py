from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from superres.errors import OptionError
from superres.evaluation.crops import CropCollector, differing_window
from superres.evaluation.sets import GroundTruth
from superres.resize import resize

from .support import Bytes, smooth


def _truth(name: str, high: Bytes) -> GroundTruth:
    return GroundTruth(name, high, resize(high, scale=0.5))


def _decoded(data: bytes) -> Bytes:
    with Pillow.open(io.BytesIO(data)) as picture:
        assert picture.format == "WEBP"
        return np.asarray(picture.convert("RGB"))


def test_the_window_lies_where_pictures_differ() -> None:
    a = smooth(60, 80)
    b, c = a.copy(), a.copy()
    b[30:40, 50:60] = 255 - b[30:40, 50:60]
    c[0, 0] ^= 1
    top, left, difference = differing_window([a, b, c], 10, 10)
    assert (top, left) == (30, 50)
    spread = np.abs(b[30:40, 50:60, 1].astype(int) - a[30:40, 50:60, 1])
    assert difference == pytest.approx(spread.mean())
    assert differing_window([a], 60, 80) == (0, 0, 0.0)


def test_a_window_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OptionError, match="61 does not lie"):
        differing_window([smooth(60, 80)], 61, 80)


def test_crops_are_lossless_and_bicubic_stands_first() -> None:
    high = np.random.default_rng(0).integers(0, 256, (140, 300, 3), dtype=np.uint8)
    truth = _truth("a.png", high)
    other = 255 - high
    collector = CropCollector(2)
    collector.add(truth, {"mine": other})
    (crops,) = collector.chosen()
    assert (crops.file, crops.width, crops.height) == ("a.png", 128, 128)
    assert list(crops.shown) == ["bicubic", "mine", "ground truth"]
    region = np.s_[crops.top : crops.top + 128, crops.left : crops.left + 128]
    for label, samples in (("bicubic", resize(truth.low, scale=2)), ("mine", other), ("ground truth", high)):
        assert np.array_equal(_decoded(crops.shown[label]), samples[region])


def test_a_measured_bicubic_is_not_made_again_and_moves_to_the_front() -> None:
    truth = _truth("a.png", smooth(40, 40))
    black = np.zeros_like(truth.high)
    collector = CropCollector(2)
    collector.add(truth, {"mine": truth.high, "bicubic": black})
    (crops,) = collector.chosen()
    assert list(crops.shown) == ["bicubic", "mine", "ground truth"]
    assert not _decoded(crops.shown["bicubic"]).any()
    assert (crops.width, crops.height) == (40, 40)


def test_only_the_most_different_are_kept_in_their_order() -> None:
    collector = CropCollector(2, pictures=2)
    for name, step in (("a", 9), ("b", 1), ("c", 5), ("d", 5)):
        high = np.full((20, 20, 3), 100, np.uint8)
        collector.add(_truth(name, high), {"mine": high + np.uint8(step)})
    assert [crops.file for crops in collector.chosen()] == ["a", "c"]
