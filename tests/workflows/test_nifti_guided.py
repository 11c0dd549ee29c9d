"""A volume sharpened by another one, from file to file, with the shipped networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from superres.backends import Backend
from superres.errors import InputError, OptionError
from superres.metrics.psnr import psnr
from superres.options import RasterOptions, VolumeOptions
from superres.pipeline import Options, Result, Upscaler
from superres.workflows.guided_planes import block_means

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Sharpen = Callable[..., tuple[Any, Result]]

#: Voxels of a guide to millimetres: turned, and with one axis the other way round.
AFFINE = np.array([[0, 0.8, 0, -20], [-0.8, 0, 0, 31], [0, 0, 0.8, 7], [0, 0, 0, 1]])


def scan(shape: tuple[int, int, int] = (64, 72, 48), seed: int = 0) -> Floats:
    """Balls with nearly sharp edges, 0 to 1."""
    random = np.random.default_rng(seed)
    made, grid = np.zeros(shape, np.float32), np.indices(shape).astype(np.float32)
    for _ in range(40):
        centre = random.random((3, 1, 1, 1)) * np.reshape(shape, (3, 1, 1, 1))
        radius, value = 3 + 9 * random.random(), random.random()
        inside = 1 / (1 + np.exp(3 * (np.sqrt(((grid - centre) ** 2).sum(axis=0)) - radius)))
        made += ((value - made) * inside).astype(np.float32)
    return made


def other(guide: Floats) -> Floats:
    """What another sequence shows of the same: bright where the guide is dark, and not in a straight line."""
    return np.asarray(900 * (1 - guide) ** 2 + 40, np.float32)


def save(path: Path, values: Array, affine: Array = AFFINE) -> Path:
    nib.Nifti1Image(values, affine).to_filename(path)
    return path


def low_affine(factors: tuple[int, int, int], affine: Array = AFFINE) -> Array:
    made = affine.copy()
    made[:3, 3] += affine[:3, :3] @ ((np.array(factors) - 1) / 2)
    made[:3, :3] = affine[:3, :3] * factors
    return made


@pytest.fixture
def sharpen(opener: Callable[..., Backend], tmp_path: Path) -> Sharpen:
    def run(source: Path, guide: Path, **options: Any) -> tuple[Any, Result]:
        target, report = tmp_path / "sharp.nii", options.pop("report", None)
        raster = RasterOptions(guide=guide, guide_bands=options.pop("bands", ()))
        with Upscaler(Options(raster=raster, overwrite=True, **options), opener=opener) as upscaler:
            result = upscaler.file(source, target, report=report)
        return nib.load(target), result

    return run


@pytest.mark.parametrize("factors", [(2, 2, 1), (1, 2, 2), (1, 1, 4)])
def test_a_guide_helps_and_a_shuffled_one_does_not(
    factors: tuple[int, int, int], tmp_path: Path, sharpen: Sharpen
) -> None:
    shape = (16, 48, 52) if factors[0] == 1 < factors[1] else (48, 52, 16)
    guide = scan(shape)
    truth = other(guide)
    source = save(tmp_path / "t2.nii.gz", block_means(truth, factors), low_affine(factors))
    told: list[tuple[int, int]] = []
    image, result = sharpen(source, save(tmp_path / "t1.nii.gz", guide), report=lambda *counts: told.append(counts))
    assert image.shape == shape
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
    assert told == [(k, told[0][1]) for k in range(1, told[0][1] + 1)]
    assert any(name.startswith("guided x2") for name in result.networks)
    assert result.note == ""
    guided = psnr(image.get_fdata() / 900, truth / 900, 1.0)
    turned = np.roll(guide, [length // 2 for length in shape], (0, 1, 2))
    image, result = sharpen(source, save(tmp_path / "turned.nii.gz", turned))
    shuffled = psnr(image.get_fdata() / 900, truth / 900, 1.0)
    assert "has a share of" in result.note
    image, result = sharpen(source, save(tmp_path / "blank.nii.gz", np.full_like(guide, 3)))
    blank = psnr(image.get_fdata() / 900, truth / 900, 1.0)
    assert guided > blank + 1, (guided, shuffled, blank)
    assert abs(shuffled - blank) < 0.5, (guided, shuffled, blank)


def test_gaps_and_integers(tmp_path: Path, sharpen: Sharpen) -> None:
    guide = scan((48, 48, 6))
    low = block_means(other(guide), (2, 2, 1))
    low[3, 4, :2] = np.nan
    sharp = guide.copy()
    sharp[30, 30, 3] = np.nan
    paths = save(tmp_path / "a.nii", low, low_affine((2, 2, 1))), save(tmp_path / "g.nii", sharp)
    made = sharpen(*paths)[0].get_fdata()
    assert np.isnan(made[6:8, 8:10, :2]).all()
    assert np.isfinite(made).sum() == made.size - 8
    whole = np.rint(np.nan_to_num(low, nan=40)).astype(np.int16)
    image, _ = sharpen(save(tmp_path / "i.nii", whole, low_affine((2, 2, 1))), paths[1])
    assert image.get_data_dtype() == np.int16
    np.testing.assert_allclose(image.get_fdata().mean(), whole.mean(), rtol=0.01)


def moved(by: float) -> Array:
    made = low_affine((2, 2, 1))
    made[0, 3] += by
    return made


@pytest.mark.parametrize(
    ("affine", "shape", "message"),
    [
        (moved(0.1), (8, 9, 6), r"off by .*0\.125.*expected 16 x 18 x 6; bring it to the field of view"),
        (low_affine((2, 2, 1)), (8, 8, 6), "expected 16 x 16 x 6"),
        (low_affine((1, 1, 1)), (16, 18, 6), "smaller by 1 x 1 x 1, expected whole numbers"),
        (low_affine((2, 2, 1)) * [1.5, 1.5, 1, 1], (8, 9, 6), "smaller by 3 x 3 x 1|off by"),
        (np.diag([1.6, 1.6, 0.8, 1]), (8, 9, 6), "axes point elsewhere.*resample_from_to"),
        (low_affine((2, 4, 2)), (8, 9, 6), "off by|expected the same of the two axes"),
    ],
)
def test_geometry_must_agree(
    affine: Array, shape: tuple[int, int, int], message: str, tmp_path: Path, sharpen: Sharpen
) -> None:
    guide = save(tmp_path / "g.nii", scan((16, 18, 6)))
    with pytest.raises(InputError, match=message):
        sharpen(save(tmp_path / "a.nii", np.ones(shape, np.float32), affine), guide)
    assert not (tmp_path / "sharp.nii").exists()


def test_axes_that_grow_differently(tmp_path: Path, sharpen: Sharpen) -> None:
    guide = save(tmp_path / "g.nii", scan((16, 16, 6)))
    source = save(tmp_path / "a.nii", np.ones((8, 4, 6), np.float32), low_affine((2, 4, 1)))
    with pytest.raises(InputError, match="2 x 4 x 1: expected the same of the two axes within the slices"):
        sharpen(source, guide)


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 2},
        {"volume": VolumeOptions(axes="xy")},
        {"volume": VolumeOptions(isotropic=True)},
        {"volume": VolumeOptions(through_plane="cubic")},
        {"bands": (1,)},
        {"size": (9, 9)},
    ],
)
def test_options_that_a_guide_leaves_no_room_for(options: dict[str, Any], tmp_path: Path, sharpen: Sharpen) -> None:
    source = save(tmp_path / "a.nii", scan((8, 8, 4)), low_affine((2, 2, 1)))
    with pytest.raises(OptionError, match="leave out|no --size"):
        sharpen(source, save(tmp_path / "g.nii", scan((16, 16, 4))), **options)


def test_what_is_too_small_to_try_goes_without(tmp_path: Path, sharpen: Sharpen) -> None:
    guide = scan((32, 32, 4))
    source = save(tmp_path / "a.nii", block_means(other(guide), (2, 2, 2)), low_affine((2, 2, 2)))
    image, result = sharpen(source, save(tmp_path / "g.nii", guide))
    assert image.shape == (32, 32, 4)
    assert not any("guided" in name for name in result.networks)
    assert "too small to try" in result.note


def test_volumes_that_are_none(tmp_path: Path, sharpen: Sharpen) -> None:
    guide = save(tmp_path / "g.nii", scan((16, 16, 4)))
    several = save(tmp_path / "4d.nii", np.ones((8, 8, 4, 3), np.float32), low_affine((2, 2, 1)))
    with pytest.raises(InputError, match="holds 3 volumes.*split it"):
        sharpen(several, guide)
    labels = save(tmp_path / "l.nii", np.zeros((8, 8, 4), np.uint8), low_affine((2, 2, 1)))
    with pytest.raises(OptionError, match="label map"):
        sharpen(labels, guide)
