"""A picture sharpened by another one, from file to file, with the shipped networks."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import superres
from superres.backends import Backend
from superres.cli import main
from superres.degrade.generated import generate
from superres.errors import InputError, OptionError, OutputError
from superres.image import Image
from superres.metrics.psnr import psnr
from superres.options import RasterOptions
from superres.pipeline import Options, Result, Upscaler
from superres.resize import resize

Array = npt.NDArray[Any]
Sharpen = Callable[..., tuple[Result, Array]]


def scene(side: int = 128) -> tuple[Array, Array]:
    """(side, side, 3) uint8 colours, and (side, side) what another sensor sees of the same objects, 0 to 1."""
    colours = generate("leaves", (side, side), np.random.default_rng(3))
    seen = colours.astype(np.float32) / 255 @ np.array([0.7, -0.3, 0.2], np.float32)
    y = np.mgrid[:side, :side][0] / np.float32(side)
    return colours, np.clip(0.3 + 0.6 * seen + 0.1 * y, 0, 1)


def save(path: Path, samples: Array) -> Path:
    Image.from_array(samples).save(path)
    return path


@pytest.fixture
def sharpen(opener: Callable[..., Backend], tmp_path: Path) -> Sharpen:
    def run(source: Path, guide: Path, **options: Any) -> tuple[Result, Array]:
        target = tmp_path / options.pop("target", "sharp.png")
        raster = RasterOptions(guide=guide, guide_bands=options.pop("guide_bands", ()))
        with Upscaler(Options(raster=raster, overwrite=True, **options), opener=opener) as upscaler:
            result = upscaler.file(source, target)
        return result, superres.read(target).samples

    return run


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_guide_helps_and_a_shuffled_one_does_not(factor: int, dtype: str, tmp_path: Path, sharpen: Sharpen) -> None:
    colours, truth = scene(128 if factor == 2 else 256)
    largest = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    low = np.clip(resize(truth, scale=1 / factor), 0, 1) * largest
    source = save(tmp_path / "low.tif", low.astype(dtype) if dtype == "float32" else np.rint(low).astype(dtype))
    guide = save(tmp_path / "guide.png", colours)
    turned = np.roll(colours, (colours.shape[0] // 2, colours.shape[1] // 3), (0, 1))
    shuffled = save(tmp_path / "shuffled.png", np.ascontiguousarray(turned))
    found = {}
    blank = save(tmp_path / "blank.png", np.full_like(colours, 99))
    for name, path in (("guided", guide), ("shuffled", shuffled), ("blank", blank)):
        result, made = sharpen(source, path, target="sharp.tif")
        assert result.target_size == truth.shape[::-1]
        assert made.dtype == dtype
        found[name] = psnr(made[:, :, 0] / largest, truth, 1.0)
        assert ("has a share of" in result.note) == (name != "guided"), (name, result.note)
    with Upscaler(Options(scale=factor, precision="fp32")) as upscaler:
        upscaler.file(source, tmp_path / "plain.tif")
    found["without"] = psnr(superres.read(tmp_path / "plain.tif").samples[:, :, 0] / largest, truth, 1.0)
    assert found["guided"] > found["without"] + 1, found
    # A blank guide tells nothing; it differs from none by the correction of the means alone.
    assert found["without"] - 0.1 < found["blank"] < found["without"] + 1, found
    assert abs(found["shuffled"] - found["blank"]) < 0.2, found


def test_every_colour_goes_alone_and_keeps_its_mean(tmp_path: Path, sharpen: Sharpen) -> None:
    colours, truth = scene()
    low = np.rint(resize(colours.astype(np.float64), scale=0.5)).clip(0, 255).astype(np.uint8)
    grey = np.rint(truth * 255).astype(np.uint8)
    result, made = sharpen(save(tmp_path / "low.png", low), save(tmp_path / "guide.png", grey))
    assert made.shape == (128, 128, 3)
    np.testing.assert_allclose(made.mean(axis=(0, 1)), low.mean(axis=(0, 1)), atol=0.5)
    assert result.networks[0] == "guided x2"


def test_some_channels_of_a_guide(tmp_path: Path, sharpen: Sharpen) -> None:
    colours, truth = scene()
    source = save(tmp_path / "low.png", np.rint(resize(truth, scale=0.5).clip(0, 1) * 255).astype(np.uint8))
    guide, red = save(tmp_path / "guide.png", colours), save(tmp_path / "red.png", colours[:, :, 0].copy())
    _, first = sharpen(source, guide, guide_bands=(1,))
    np.testing.assert_array_equal(first, sharpen(source, red)[1])
    with pytest.raises(OptionError, match="no channel 4: expected 1 to 3"):
        sharpen(source, guide, guide_bands=(4,))


def test_gaps_of_a_depth_picture_stay(tmp_path: Path, sharpen: Sharpen) -> None:
    colours, truth = scene()
    low = resize(truth, scale=0.5)
    low[:3, 5] = np.nan
    low[20, 20] = np.inf
    _, made = sharpen(save(tmp_path / "low.tif", low), save(tmp_path / "guide.png", colours), target="sharp.tif")
    np.testing.assert_array_equal(made[:6, 10:12], np.nan)
    np.testing.assert_array_equal(made[40:42, 40:42], np.inf)
    assert np.isfinite(made).sum() == made.size - 4 * 4


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((40, 50), {}, r"it is 50 x 40, expected 20 x 20 times a whole number, 2 to 16: .* resize it to 40 x 40"),
        ((20, 20), {}, "resize it to 40 x 40"),
        ((340, 340), {}, "resize it to 320 x 320"),
        ((40, 40), {"scale": 4}, "scale 4: the guide .* is x2 of .*: leave --scale and --size out"),
        ((40, 40), {"size": (80, 80)}, "size .* leave --scale and --size out"),
        ((40, 40), {"precision": "int8"}, "no 8-bit form"),
        ((40, 40), {"model": "standard"}, "takes no guide"),
    ],
)
def test_what_cannot_be(
    shape: tuple[int, int], options: dict[str, Any], message: str, tmp_path: Path, sharpen: Sharpen
) -> None:
    source = save(tmp_path / "low.png", np.zeros((20, 20), np.uint8))
    guide = save(tmp_path / "guide.png", np.zeros(shape, np.uint8))
    with pytest.raises(superres.errors.SuperresError, match=message):
        sharpen(source, guide, **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["guide.png", "low.png"]


def test_transparency_is_refused_in_the_source_and_ignored_in_the_guide(tmp_path: Path, sharpen: Sharpen) -> None:
    rng = np.random.default_rng(0)
    clear = save(tmp_path / "clear.png", rng.integers(0, 255, (20, 20, 4)).astype(np.uint8))
    guide = save(tmp_path / "guide.png", rng.integers(0, 255, (40, 40, 4)).astype(np.uint8))
    with pytest.raises(OptionError, match="remove its alpha channel"):
        sharpen(clear, guide)
    grey = save(tmp_path / "grey.png", rng.integers(0, 255, (20, 20)).astype(np.uint8))
    assert sharpen(grey, guide)[1].shape == (40, 40, 1)


def test_constant_pictures_stay_so(tmp_path: Path, sharpen: Sharpen) -> None:
    colours, _ = scene(64)
    source = save(tmp_path / "low.png", np.full((32, 32), 77, np.uint8))
    assert np.array_equal(sharpen(source, save(tmp_path / "guide.png", colours))[1], np.full((64, 64, 1), 77))


def test_a_missing_or_broken_guide(tmp_path: Path, sharpen: Sharpen) -> None:
    source = save(tmp_path / "low.png", np.zeros((20, 20), np.uint8))
    with pytest.raises(InputError):
        sharpen(source, tmp_path / "no.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(InputError, match=r"broken\.png"):
        sharpen(source, tmp_path / "broken.png")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    colours, truth = scene(64)
    source = save(tmp_path / "low.png", np.rint(resize(truth, scale=0.5).clip(0, 1) * 255).astype(np.uint8))
    guide = save(tmp_path / "guide.png", colours)
    assert main(["upscale", str(source), "--guide", str(guide), "--threads", "1"]) == 0
    assert superres.read(tmp_path / "low_guided.png").samples.shape == (64, 64, 1)
    assert "guided x2" in capsys.readouterr().out


def test_a_result_that_is_there_already_fails_before_anything_is_computed(
    tmp_path: Path, opener: Callable[..., Backend]
) -> None:
    source = save(tmp_path / "low.png", np.zeros((20, 20), np.uint8))
    guide = save(tmp_path / "guide.png", np.zeros((40, 40), np.uint8))
    told: list[tuple[int, int]] = []
    options = Options(raster=RasterOptions(guide=guide))
    with Upscaler(options, opener=opener) as upscaler, pytest.raises(OutputError, match=r"guide\.png"):
        upscaler.file(source, guide, report=lambda *counts: told.append(counts))
    assert told == []


def test_streams(tmp_path: Path, opener: Callable[..., Backend]) -> None:
    colours, truth = scene(64)
    source = save(tmp_path / "low.png", np.rint(resize(truth, scale=0.5).clip(0, 1) * 255).astype(np.uint8))
    raster, stream = RasterOptions(guide=save(tmp_path / "guide.png", colours)), io.BytesIO()
    with Upscaler(Options(raster=raster, format="png"), opener=opener) as upscaler:
        upscaler.file(source.read_bytes(), None, name="standard input", stream=stream)
    (tmp_path / "out.png").write_bytes(stream.getvalue())
    assert superres.read(tmp_path / "out.png").samples.shape == (64, 64, 1)
