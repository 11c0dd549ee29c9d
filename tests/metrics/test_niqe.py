from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from superres.errors import InputError, OptionError, OutputError
from superres.formats import read_image
from superres.metrics.niqe import PristineModel, fit_pristine, niqe, read_pristine, write_pristine
from superres.metrics.niqe_features import FEATURES, patch_features
from superres.metrics.protocol import luma

SHIPPED = Path(__file__).resolve().parents[2] / "superres" / "metrics" / "niqe_pristine.npz"


def _texture(seed: int, side: int = 288) -> npt.NDArray[np.float64]:
    """Noise with the falling spectrum of photographs, over about 16 to 235."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    spectrum = np.fft.fft2(random.normal(size=(side, side))) / np.maximum(frequency, 1 / side)
    plane = np.fft.ifft2(spectrum).real
    return np.clip(126 + 40 * (plane - plane.mean()) / plane.std(), 0, 255)


@pytest.fixture(scope="module")
def model() -> PristineModel:
    return fit_pristine([_texture(seed) for seed in range(12)])


def test_distance_is_that_of_the_paper(model: PristineModel) -> None:
    plane = _texture(99)
    features, _ = patch_features(plane)
    away = features.mean(axis=0) - model.mean
    spread = (np.cov(features, rowvar=False) + model.covariance) / 2
    expected = math.sqrt(away @ np.linalg.solve(spread, away))
    assert niqe(plane, model=model) == pytest.approx(expected, rel=1e-6)


def test_spoilt_pictures_lie_farther_away(model: PristineModel) -> None:
    plane = _texture(50)
    soft = np.mean([np.roll(plane, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)], axis=0)
    noisy = plane + np.random.default_rng(0).normal(0, 25, plane.shape)
    good = niqe(plane, model=model)
    assert good < 0.5 * niqe(soft, model=model)
    assert good < 0.5 * niqe(noisy, model=model)


def test_range_is_taken_out(model: PristineModel) -> None:
    plane = _texture(51)
    assert niqe(plane / 255, 1.0, model=model) == pytest.approx(niqe(plane, model=model), rel=1e-6)


def test_a_flat_picture_has_no_statistics(model: PristineModel) -> None:
    assert math.isnan(niqe(np.full((192, 192), 80.0), model=model))


def test_only_sharp_patches_make_the_model() -> None:
    planes = [_texture(seed) for seed in range(14)]
    soft = [np.where(np.arange(288) < 96, plane, 126 + (plane - 126) / 4) for plane in planes]
    fitted = fit_pristine(soft)
    assert FEATURES < fitted.patches <= 14 * 3
    assert fitted.pictures == 14


def test_too_few_patches_and_too_small_pictures_are_refused() -> None:
    with pytest.raises(OptionError, match="9 sharp patches"):
        fit_pristine([_texture(0)])
    with pytest.raises(OptionError, match="0 sharp patches"):
        fit_pristine([])
    with pytest.raises(OptionError, match="96 x 96"):
        niqe(np.zeros((95, 200)))
    with pytest.raises(OptionError, match="one channel"):
        niqe(np.zeros((200, 200, 3)))


def test_a_model_file_comes_back_and_is_the_same_every_time(model: PristineModel, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_pristine(model, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = read_pristine(tmp_path / "a.npz")
    assert np.array_equal(again.mean, model.mean)
    assert np.array_equal(again.covariance, model.covariance)
    assert (again.pictures, again.patches) == (model.pictures, model.patches)


def test_damaged_model_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "cut.npz").write_bytes(SHIPPED.read_bytes()[:900])
    np.savez(tmp_path / "other.npz", mean=np.zeros(36))
    for name in ("cut.npz", "other.npz", "gone.npz"):
        with pytest.raises(InputError, match=name):
            read_pristine(tmp_path / name)
    with pytest.raises(OutputError):
        write_pristine(read_pristine(SHIPPED), tmp_path / "none" / "m.npz")


def test_the_shipped_model_is_a_distribution_and_small() -> None:
    shipped = read_pristine(SHIPPED)
    assert shipped.mean.shape == (FEATURES,)
    assert np.linalg.eigvalsh(shipped.covariance).min() > 0
    assert shipped.patches > 10 * FEATURES
    assert SHIPPED.stat().st_size < 20_000


def test_photographs_are_more_natural_than_their_spoilt_copies(data_root: Path) -> None:
    for file in sorted((data_root / "test" / "Kodak24").iterdir())[:2]:
        plane = luma(read_image(file).samples)
        noisy = np.clip(plane + np.random.default_rng(0).normal(0, 15, plane.shape), 16, 235)
        soft = np.mean([np.roll(plane, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)], axis=0)
        assert niqe(plane) < 0.9 * min(niqe(noisy), niqe(soft))
