"""A GeoTIFF sharpened by another one, from file to file, with a network that gives the guide back."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from raster_support import PLACE, ground, make_raster, read
from rasterio.transform import Affine
from tiny_models import make_model, nearest_model, open_nearest, put

from superres.backends import Backend
from superres.cli import main
from superres.errors import InputError, ModelError, OptionError
from superres.options import RasterOptions
from superres.pipeline import Options, Result, Upscaler
from superres.resize import resize
from superres.workflows import raster_parts

Array = npt.NDArray[Any]
Sharpen = Callable[..., tuple[Result, Array]]


class ShowsTheGuide:
    """A network that gives the guide back."""

    precision, lanes = "fp32", 1

    def run(self, batch: Array) -> Array:
        count, planes, height, width = batch.shape
        s = math.isqrt(planes - 1)
        parts = batch[:, 1:].reshape(count, s, s, height, width).transpose(0, 3, 1, 4, 2)
        return parts.reshape(count, 1, s * height, s * width)

    def close(self) -> None:
        """Nothing to free."""


def opener(name: str, model: bytes, **_: object) -> Backend:
    return ShowsTheGuide() if model == b"guided" else open_nearest(name, model)


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path) -> Path:
    """Models: ``guided`` x2, and ``tiny``, which takes no guide."""
    models = tmp_path / "models"
    models.mkdir()
    model = make_model(b"guided", 2, name="guided", halo=2)
    put(replace(model, card=replace(model.card, channels=1, kind="guided")), models)
    for path in tiny_folder.glob("tiny_*"):
        (models / path.name).write_bytes(path.read_bytes())
    return models


@pytest.fixture
def sharpen(folder: Path, tmp_path: Path) -> Sharpen:
    def run(source: Path, guide: Path, **options: Any) -> tuple[Result, Array]:
        raster = RasterOptions(guide=guide, **options.pop("raster", {}))
        with Upscaler(Options(raster=raster, overwrite=True, **options), folder=folder, opener=opener) as upscaler:
            result = upscaler.file(source, tmp_path / "sharp.tif")
        return result, read(tmp_path / "sharp.tif")

    return run


def pair(
    folder: Path, factor: int = 2, bands: int = 2, dtype: str = "uint16", **profile: Any
) -> tuple[Path, Path, Array]:
    """Bands that are mixes of a guide's two, reduced; the guide; and what the bands were."""
    guide = ground(24 * factor, 30 * factor, 2, dtype)
    mixes = [(0.5, 0.25), (0.2, 0.7)][:bands]
    truth = np.stack([a * guide[0] + b * guide[1] + 20 for a, b in mixes])
    low = np.stack([resize(band, scale=1 / factor) for band in truth])
    small = Affine(30 * factor, 0, 500_000, 0, -30 * factor, 4_100_000)
    source = make_raster(folder / "low.tif", np.rint(low).astype(dtype), **(profile | {"transform": small}))
    return source, make_raster(folder / "guide.tif", guide), truth


@pytest.mark.parametrize("factor", [2, 3, 4, 6])
def test_what_the_guide_knows_comes_back(factor: int, tmp_path: Path, sharpen: Sharpen) -> None:
    source, guide, truth = pair(tmp_path, factor)
    result, made = sharpen(source, guide)
    assert result.target_size == (30 * factor, 24 * factor)
    assert result.networks == ("guided x2",) * math.ceil(math.log2(factor))
    assert result.warnings == ()
    before = np.stack([resize(band.astype(np.float64), truth.shape[1:]) for band in read(source)])
    error, bicubic = (np.sqrt(((one - truth) ** 2).mean()) for one in (made, before))
    # At x3 and x6 the guide, noise and all, goes through two more resizings.
    assert error < (0.3 if factor in (2, 4) else 0.5) * bicubic
    np.testing.assert_allclose(made.mean(axis=(1, 2)), read(source).mean(axis=(1, 2)), rtol=1e-3)


def test_colours_go_alone_and_alpha_by_the_nearest(tmp_path: Path, sharpen: Sharpen) -> None:
    guide = make_raster(tmp_path / "guide.tif", ground(40, 48, 1, "uint8"))
    samples = np.stack([resize(read(guide)[0].astype(np.float64), scale=0.5) * k for k in (0.4, 0.6, 0.9, 0)])
    samples = np.rint(samples).astype(np.uint8)
    samples[3] = np.random.default_rng(0).integers(0, 2, samples[3].shape) * 55 + 200
    small = Affine(60, 0, 500_000, 0, -60, 4_100_000)
    source = make_raster(tmp_path / "low.tif", samples, photometric="RGB", alpha="YES", transform=small)
    _, made = sharpen(source, guide)
    assert np.array_equal(made[3], samples[3].repeat(2, 0).repeat(2, 1))
    truth = read(guide)[0] * 0.6
    assert np.abs(made[1] - truth)[4:-4, 4:-4].mean() < 2


def test_a_guide_that_reaches_further_and_some_of_its_bands(tmp_path: Path, sharpen: Sharpen) -> None:
    source, guide, _ = pair(tmp_path)
    inner = read(guide)
    wide = np.pad(inner, ((0, 0), (6, 3), (4, 8)), mode="wrap")
    outer = make_raster(tmp_path / "wide.tif", wide, transform=Affine(30, 0, 500_000 - 120, 0, -30, 4_100_000 + 180))
    assert np.array_equal(sharpen(source, outer)[1], sharpen(source, guide)[1])
    only = sharpen(source, guide, raster={"bands": (2,), "guide_bands": (2,)})[1]
    assert only.shape == (1, 48, 60)
    assert np.corrcoef(only.ravel(), inner[1].ravel())[0, 1] > 0.9


def test_windows_are_the_whole(tmp_path: Path, sharpen: Sharpen, monkeypatch: pytest.MonkeyPatch) -> None:
    source, guide, _ = pair(tmp_path, 3)
    whole = sharpen(source, guide)[1].astype(int)
    monkeypatch.setattr(raster_parts, "_PIECE", 32)
    monkeypatch.setattr(raster_parts, "_LEAST", 32)
    assert np.abs(sharpen(source, guide)[1] - whole).max() <= 1


def test_gaps_of_both(tmp_path: Path, sharpen: Sharpen) -> None:
    source, guide, truth = pair(tmp_path, 2, 1, "float32")
    low, sharp = read(source), read(guide)
    low[0, :5, :5], sharp[:, 40:, 50:] = np.nan, np.nan
    small = Affine(60, 0, 500_000, 0, -60, 4_100_000)
    source = make_raster(tmp_path / "low.tif", low, transform=small)
    guide = make_raster(tmp_path / "guide.tif", sharp)
    made = sharpen(source, guide)[1][0]
    assert np.isnan(made[:10, :10]).all()
    rest = made.copy()
    rest[:10, :10] = 0
    assert np.isfinite(rest).all()  # a gap of the guide is none of the result
    assert np.abs(made - truth[0])[12:36, 12:46].max() < 2


def with_others(folder: Path) -> None:
    """Put networks that need no guide beside those that do."""
    for scale in (2, 3, 4):
        model = nearest_model(scale)
        put(replace(model, card=replace(model.card, name="standard")), folder)


def test_a_guide_of_something_else_is_told_and_not_followed(tmp_path: Path, folder: Path, sharpen: Sharpen) -> None:
    with_others(folder)
    source, guide, _ = pair(tmp_path, 2, 1)
    _, expected = sharpen(source, guide)
    noise = np.random.default_rng(5).integers(0, 4000, (1, 48, 60), dtype=np.uint16)
    result, made = sharpen(source, make_raster(tmp_path / "noise.tif", noise))
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith(f"band 1: {tmp_path / 'noise.tif'} has a share of ")
    assert result.networks == ("guided x2", "standard x2")
    assert not np.array_equal(made, expected)
    low = read(source)
    near = low.repeat(2, 1).repeat(2, 2).astype(int)
    assert np.corrcoef(made.ravel(), near.ravel())[0, 1] > 0.98


def test_a_guide_that_knows_all_is_followed_alone(tmp_path: Path, folder: Path, sharpen: Sharpen) -> None:
    source, guide, _ = pair(tmp_path)
    result, expected = sharpen(source, guide)
    with_others(folder)
    again, made = sharpen(source, guide)
    assert again.networks == result.networks == ("guided x2",)
    assert np.array_equal(made, expected)


def test_what_cannot_be_is_told(tmp_path: Path, sharpen: Sharpen) -> None:
    source, guide, _ = pair(tmp_path)
    with pytest.raises(OptionError, match=r"scale 3: the guide .*guide\.tif is x2 of"):
        sharpen(source, guide, scale=3)
    with pytest.raises(ModelError, match="'tiny' takes no guide"):
        sharpen(source, guide, model="tiny")
    with pytest.raises(OptionError, match="int8"):
        sharpen(source, guide, precision="int8")
    with pytest.raises(OptionError, match=r"bands 3: expected some of 1 to 2"):
        sharpen(source, guide, raster={"guide_bands": (3,)})
    with pytest.raises(InputError, match="smaller by 1 across"):
        sharpen(guide, guide)
    with pytest.raises(InputError, match=r"absent\.tif"):
        sharpen(source, tmp_path / "absent.tif")
    assert not (tmp_path / "sharp.tif").exists()


def test_the_command(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, guide, _ = pair(tmp_path)
    seen = []

    def begin(self: Upscaler, given: Path, target: Path, **_: object) -> Future[Result]:
        seen.append((self.options.raster, target.name))
        done: Future[Result] = Future()
        done.set_result(Result(str(given), str(target), (1, 1), (2, 2), (), "fp32", 0.0))
        return done

    monkeypatch.setattr(Upscaler, "begin", begin)
    assert main(["upscale", str(source), "--guide", str(guide), "--guide-bands", "1-2"]) == 0
    assert seen == [(RasterOptions(guide=guide, guide_bands=(1, 2)), "low_guided.tif")]


def test_the_place_is_the_guides(tmp_path: Path, sharpen: Sharpen) -> None:
    import rasterio

    source, guide, _ = pair(tmp_path)
    sharpen(source, guide)
    with rasterio.open(tmp_path / "sharp.tif") as made:
        assert made.transform == PLACE["transform"]
        assert "guided x2" in made.tags()["SUPERRES"]
