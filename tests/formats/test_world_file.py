"""World files, as GDAL reads them beside a picture and beside its result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from raster_support import gdalinfo

from superres.backends import Backend
from superres.errors import CorruptInputError
from superres.formats.world_file import find_world_file, scaled_world_file, world_file_name
from superres.pipeline import Options, Upscaler

TURNED = "17.32\n-8.66\n5\n-10\n500015\n4099985\n"


def picture(path: Path) -> Path:
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "world", "result"),
    [
        ("a.tif", "a.tfw", "b.tif"),
        ("a.tiff", "a.tfw", "b.tif"),
        ("a.png", "a.PGW", "b.png"),
        ("a.jpg", "a.jpgw", "b.png"),
        ("a.jpeg", "a.wld", "b.jpg"),
    ],
)
@pytest.mark.parametrize("scale", [2, 1.5])
def test_the_ground_stays(
    name: str, world: str, result: str, scale: float, tiny_folder: Path, opener: Callable[..., Backend], tmp_path: Path
) -> None:
    source = picture(tmp_path / name)
    (tmp_path / world).write_text(TURNED)
    with Upscaler(Options(scale=scale, model="tiny"), folder=tiny_folder, opener=opener) as upscaler:
        note = upscaler.file(source, tmp_path / result).note
    before, after = gdalinfo(source), gdalinfo(tmp_path / result)
    assert note == f"its place is in {world_file_name(Path(result))}"
    for corner, at in before["cornerCoordinates"].items():
        assert after["cornerCoordinates"][corner] == pytest.approx(at, abs=1e-6), corner
    assert after["geoTransform"][1] == pytest.approx(before["geoTransform"][1] / scale)


def test_an_ordinary_picture_has_none(tiny_folder: Path, opener: Callable[..., Backend], tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    assert find_world_file(source) is None and find_world_file(tmp_path / "a") is None
    with Upscaler(Options(scale=2, model="tiny"), folder=tiny_folder, opener=opener) as upscaler:
        assert upscaler.file(source, tmp_path / "b.png").note == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize("text", ["", "1 2 3 4 5", "1 2 3 4 5 6 7", "1 0 0 -1 five 6", "1 0 0 -1 nan 6"])
def test_damage(text: str, tmp_path: Path) -> None:
    world = tmp_path / "a.tfw"
    world.write_text(text)
    with pytest.raises(CorruptInputError, match="correct or remove it"):
        scaled_world_file(world, 2, 2)
