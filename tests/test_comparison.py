from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from skimage.metrics import peak_signal_noise_ratio

from superres.comparison import compare, detailed_window, side_by_side
from superres.errors import InputError, OptionError
from superres.formats import write_image
from superres.image import Image, Metadata


def _noise(height: int, width: int, channels: int = 3, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def _save(samples: npt.NDArray[np.generic], path: Path) -> Path:
    write_image(Image.from_array(samples), path)
    return path


def test_psnr_is_that_of_rgb_and_symmetric(tmp_path: Path) -> None:
    x, y = _noise(20, 30), _noise(20, 30, seed=1)
    a, b = _save(x, tmp_path / "a.png"), _save(y, tmp_path / "b.png")
    assert compare(a, b).psnr == pytest.approx(peak_signal_noise_ratio(x, y, data_range=255), abs=1e-9)
    assert compare(a, b).ssim == pytest.approx(compare(b, a).ssim, abs=1e-12)


def test_equal_pictures(tmp_path: Path) -> None:
    a = _save(_noise(15, 15), tmp_path / "a.png")
    assert compare(a, a).psnr == math.inf
    assert compare(a, a).ssim == pytest.approx(1)


def test_depth_and_grey_do_not_matter(tmp_path: Path) -> None:
    grey = _noise(16, 18, 1)
    a = _save(grey, tmp_path / "a.png")
    b = _save(grey.repeat(3, axis=2).astype(np.uint16) * 257, tmp_path / "b.png")
    assert compare(a, b).psnr > 150  # 257 * 255 = 65535: the same fractions, but for the last bit of a float


def test_sixteen_bits_count(tmp_path: Path) -> None:
    base = _noise(16, 18).astype(np.uint16) * 200
    a, b = _save(base, tmp_path / "a.png"), _save(base + 1, tmp_path / "b.png")
    assert compare(a, b).psnr == pytest.approx(20 * math.log10(65535), abs=1e-6)


def test_transparency_counts(tmp_path: Path) -> None:
    rgb = _noise(16, 16)
    alpha = np.full((16, 16, 1), 255, np.uint8)
    opaque = _save(np.concatenate([rgb, alpha], axis=2), tmp_path / "opaque.png")
    half = _save(np.concatenate([rgb, alpha // 2], axis=2), tmp_path / "half.png")
    plain = _save(rgb, tmp_path / "plain.png")
    assert compare(opaque, plain).psnr == math.inf
    assert compare(half, plain).psnr < 15


def test_sizes_floats_and_tiny_pictures_are_refused(tmp_path: Path) -> None:
    a = _save(_noise(20, 30), tmp_path / "a.png")
    b = _save(_noise(30, 20), tmp_path / "b.png")
    with pytest.raises(InputError, match=r"30 x 20 and .* 20 x 30"):
        compare(a, b)
    tiny = _save(_noise(10, 30), tmp_path / "tiny.png")
    with pytest.raises(InputError, match="at least 11 x 11"):
        compare(tiny, tiny)
    real = _save(np.zeros((20, 30, 3), np.float32), tmp_path / "f.tif")
    with pytest.raises(InputError, match="no fixed range"):
        compare(real, a)
    with pytest.raises(InputError, match="gone"):
        compare(a, tmp_path / "gone.png")


def test_detail_is_found_and_one_hard_edge_is_not_detail() -> None:
    picture = np.zeros((60, 80), np.uint8)
    picture[:, 10:] = 255  # one edge
    picture[30:42, 50:64] = _noise(12, 14, 1)[:, :, 0]
    top, left = detailed_window(picture, 12, 14)
    assert (abs(top - 30) <= 1, abs(left - 50) <= 1) == (True, True)


def test_detail_window_must_fit() -> None:
    assert detailed_window(np.zeros((4, 5)), 4, 5) == (0, 0)
    with pytest.raises(OptionError, match="does not lie in"):
        detailed_window(np.zeros((4, 5)), 5, 5)


@pytest.mark.parametrize("size", [(5, 7, 2), (20, 200, 3), (200, 20, 3), (100, 100, 2), (50, 60, 4)])
@pytest.mark.parametrize("labels", [None, ("before", "after & <more> " * 9)])
def test_repeated_pixels_beside_nearest_are_two_equal_halves(
    size: tuple[int, int, int], labels: tuple[str, str] | None
) -> None:
    height, width, scale = size
    before = Image.from_array(_noise(height, width))
    after = Image.from_array(before.samples.repeat(scale, axis=0).repeat(scale, axis=1))
    both = side_by_side(before, after, kernel="nearest", labels=labels, panel=160).samples
    half = (both.shape[1] - 2) // 2
    skip = 40 if labels else 0
    assert both.shape[1] == 2 * half + 2
    assert half <= 160
    assert np.array_equal(both[skip:, :half], both[skip:, half + 2 :])


def test_the_detail_shows_the_results_own_pixels() -> None:
    before, after = _noise(40, 50), _noise(160, 200, seed=1)
    both = side_by_side(Image.from_array(before), Image.from_array(after), panel=100, zoom=5).samples
    detail = both[-60:, -100:][::5, ::5]  # one sample of each repeated pixel
    positions = np.argwhere(np.all(after[:, :, :] == detail[0, 0], axis=2))
    found = [np.array_equal(after[y : y + detail.shape[0], x : x + detail.shape[1]], detail) for y, x in positions]
    assert any(found)


def test_deep_grey_transparent_pictures_are_shown_on_white() -> None:
    before = np.zeros((30, 30, 2), np.uint16)
    after = before.repeat(2, axis=0).repeat(2, axis=1)
    picture = side_by_side(Image.from_array(before), Image.from_array(after), panel=64)
    assert (picture.info.colour, picture.info.dtype, picture.info.alpha) == ("rgb", np.uint8, False)
    assert np.all(picture.samples[-10:, :20] == 255)


def test_the_profile_moves_along_where_it_fits() -> None:
    small, large = Image.from_array(_noise(20, 20)), Image.from_array(_noise(40, 40))
    large = replace(large, info=replace(large.info, metadata=Metadata(icc=b"profile", exif=b"camera")))
    metadata = side_by_side(small, large, panel=64).info.metadata
    assert metadata == Metadata(icc=b"profile")


def test_pictures_that_do_not_belong_together_are_refused() -> None:
    small, large = Image.from_array(_noise(20, 20)), Image.from_array(_noise(40, 80))
    with pytest.raises(OptionError, match="the same picture"):
        side_by_side(small, large)
    with pytest.raises(OptionError, match="the same picture"):
        side_by_side(Image.from_array(_noise(40, 40)), small)
    with pytest.raises(OptionError, match="panel 10"):
        side_by_side(small, small, panel=10)
