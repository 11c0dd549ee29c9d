"""GeoTIFF files: which TIFF is one, what is found in it, what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image as Pillow
from PIL import TiffImagePlugin
from raster_support import gdalinfo, ground, make_raster, read

from superres.errors import (
    CorruptInputError,
    InputError,
    LimitError,
    MissingExtraError,
    OptionError,
    OutputError,
    UnsupportedFormatError,
)
from superres.formats import Limits, gdal, geotiff_write
from superres.formats.geotiff import RasterSource, open_raster
from superres.formats.geotiff_write import NamedPlacement, RasterWriter, block_shape
from superres.formats.kinds import kind_of
from superres.formats.tiff import TiffFile


def opened(path: Path) -> RasterSource:
    return open_raster(path, path.name, Limits())


# --- Which TIFF is one ----------------------------------------------------------------------------------------------


def test_a_plain_tiff_stays_a_picture(tmp_path: Path) -> None:
    for name, options in (("plain", {}), ("dpi", {"dpi": (300, 300)}), ("lzw", {"compression": "tiff_lzw"})):
        path = tmp_path / f"{name}.tif"
        Pillow.new("RGB", (8, 6), "red").save(path, **options)
        assert kind_of(path) is None


@pytest.mark.parametrize("tag", [33550, 33922, 34264, 34735, 42113, 50844])
def test_any_sign_of_a_place_or_of_nodata_makes_a_raster(tmp_path: Path, tag: int) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[tag] = 2 if tag == 42113 else 3 if tag == 34735 else 12
    tags[tag] = "0" if tag == 42113 else (1, 1, 0, 0) if tag == 34735 else (1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    path = tmp_path / "raster.tif"
    Pillow.new("L", (8, 6)).save(path, tiffinfo=tags)
    assert kind_of(path) == "geotiff"


@pytest.mark.parametrize("profile", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}, {"crs": None, "nodata": 3}])
def test_made_by_gdal(tmp_path: Path, profile: dict[str, Any]) -> None:
    assert kind_of(make_raster(tmp_path / "picture.jpg", ground(8, 9), **profile)) == "geotiff"


def test_the_published_files(data_root: Path) -> None:
    """Every raster is one, every picture is none, and a VRT, which could name any other file, is neither."""
    for path in (data_root / "samples" / "geotiff").iterdir():
        assert kind_of(path) == ("geotiff" if path.suffix == ".tif" else None), path.name
    for path in (data_root / "samples" / "still").iterdir():
        assert kind_of(path) is None, path.name


# --- What is found in it --------------------------------------------------------------------------------------------


def test_windows_of_any_band(tmp_path: Path) -> None:
    samples = ground(40, 50, 3, "int16")
    source = opened(make_raster(tmp_path / "a.tif", samples, tiled=True, blockxsize=16, blockysize=16))
    for box in ((0, 40, 0, 50), (5, 6, 49, 50), (13, 33, 7, 21)):
        for band in (1, 3):
            assert np.array_equal(source.read(band, box), samples[band - 1, box[0] : box[1], box[2] : box[3]])
    source.close()
    source.close()


def test_gaps_of_every_kind(tmp_path: Path) -> None:
    samples = ground(20, 30, 2, "float32")
    samples[0, 3, 4], samples[0, 5, 6], samples[1, 7, 8], samples[1, 0, 0] = -5, np.nan, np.inf, -3e38
    mask = np.full((20, 30), 255, np.uint8)
    mask[10:, 20:] = 0
    source = opened(make_raster(tmp_path / "a.tif", samples, mask=mask, nodata=-5))
    box = (0, 20, 0, 30)
    for band, places in ((1, [(3, 4), (5, 6)]), (2, [(7, 8), (0, 0)])):
        expected = mask == 0
        for place in places:
            expected[place] = True
        assert source.has_gaps(band)
        assert np.array_equal(source.gaps(band, box, source.read(band, box)), expected)
    assert np.array_equal(source.mask(box), mask)
    plain = opened(make_raster(tmp_path / "b.tif", ground(20, 30)))
    assert not plain.has_gaps(1) and not plain.raster.mask


@pytest.mark.parametrize(
    ("dtype", "nodata", "found"), [("uint8", 7, 7), ("int16", -999, -999), ("float64", 1e40, 1e40), ("float32", 0, 0)]
)
def test_nodata(tmp_path: Path, dtype: str, nodata: float, found: float) -> None:
    assert opened(make_raster(tmp_path / "a.tif", ground(8, 9, 1, dtype), nodata=nodata)).raster.nodata == found


@pytest.mark.parametrize("nodata", [-(2.0**63), 2.0**60])
def test_a_nodata_value_that_is_not_held_exactly_is_refused(
    nodata: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_raster(tmp_path / "a.tif", ground(8, 9, 1, "int64"))
    monkeypatch.setattr(rasterio.DatasetReader, "nodata", nodata)  # rasterio writes such a number wrongly itself
    with pytest.raises(UnsupportedFormatError, match="nodata value"):
        opened(path)


def test_several_rasters_in_one_file_are_refused(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", ground(8, 9, 1, "uint8"))
    with rasterio.open(path, "r") as first:
        profile = {**first.profile, "APPEND_SUBDATASET": "YES"}
    with rasterio.open(path, "w", **profile) as second:
        second.write(ground(8, 9, 1, "uint8"))
    with pytest.raises(UnsupportedFormatError, match=r"holds 2 rasters.*GTIFF_DIR"):
        opened(path)


def test_a_nodata_value_that_no_sample_can_have_means_nothing(tmp_path: Path) -> None:
    """-1 in unsigned samples, as some programs write it."""
    path = make_raster(tmp_path / "a.tif", ground(8, 9, 1, "uint8"), nodata=77)
    data = path.read_bytes()
    assert data.count(b"77\0") == 1
    path.write_bytes(data.replace(b"77\0", b"-1\0"))
    assert opened(path).raster.nodata is None


def test_scaled_and_chosen(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", ground(100, 90, 3))
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    raster = opened(path).raster
    assert raster.scaled(180, 200).overviews == (2, 4, 8)
    assert raster.scaled(270, 300).overviews == (2, 4, 8, 16)  # down to no more than the source's smallest
    assert [band.source for band in raster.chosen((3, 1), "a").bands] == [3, 1]
    assert raster.chosen((), "a") is raster
    for wrong in ((4,), (0,), (1, 1)):
        with pytest.raises(OptionError, match="expected some of 1 to 3, each once"):
            raster.chosen(wrong, "a")


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such file"):
        opened(tmp_path / "none.tif")
    with pytest.raises(UnsupportedFormatError, match="amplitude and phase"):
        opened(make_raster(tmp_path / "complex.tif", np.ones((1, 4, 5), np.complex128)))
    with pytest.raises(LimitError, match="raise it with --max-input"):
        open_raster(make_raster(tmp_path / "a.tif", ground(8, 9)), "a.tif", Limits(input_pixels=71))
    text = tmp_path / "text.tif"
    text.write_bytes(b"II*\0 and nothing of the kind")
    with pytest.raises(CorruptInputError, match=r"text\.tif"):
        opened(text)
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    with pytest.raises(MissingExtraError, match="rasterio is not installed"):
        opened(tmp_path / "a.tif")


def test_a_mask_per_band_is_refused(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", ground(8, 9, 2))
    masks = np.full((2, 8, 9), 255, np.uint8)
    masks[1, 0] = 0
    make_raster(tmp_path / "a.tif.msk", masks)
    with rasterio.open(tmp_path / "a.tif.msk", "r+") as dataset:
        dataset.update_tags(INTERNAL_MASK_FLAGS_1="0", INTERNAL_MASK_FLAGS_2="0")
    with pytest.raises(UnsupportedFormatError, match="mask per band"):
        opened(path)


# --- What is written ------------------------------------------------------------------------------------------------


def write(path: Path, source: RasterSource, samples: Any) -> None:
    height, width = block_shape(source.raster)
    rows, columns = samples.shape[1:]
    with RasterWriter(path, source.raster, path) as writer:
        for top in range(0, rows, height):
            for left in range(0, columns, width):
                box = top, min(top + height, rows), left, min(left + width, columns)
                writer.write(box, samples[:, box[0] : box[1], box[2] : box[3]], None)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("tiled", [True, False])
def test_the_same_windows_give_the_same_bytes(tmp_path: Path, interleave: str, tiled: bool) -> None:
    samples = ground(70, 50, 3, "float32")
    profile = {"blockxsize": 16} if tiled else {}
    path = make_raster(tmp_path / "a.tif", samples, compress="zstd", predictor=3, interleave=interleave, tiled=tiled,
                       blockysize=16, **profile)  # fmt: skip
    for name in ("b.tif", "c.tif"):
        write(tmp_path / name, opened(path), samples)
    assert (tmp_path / "b.tif").read_bytes() == (tmp_path / "c.tif").read_bytes()
    assert np.array_equal(read(tmp_path / "b.tif"), samples)
    assert gdalinfo(tmp_path / "b.tif")["metadata"] == gdalinfo(path)["metadata"]


def test_what_reads_back_otherwise_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened(make_raster(tmp_path / "a.tif", ground(20, 30)))
    sums = iter(range(100))
    monkeypatch.setattr(geotiff_write, "_checksum", lambda *_: next(sums))
    with pytest.raises(OutputError, match="reads back other than it was written"):
        write(tmp_path / "b.tif", source, ground(20, 30))


def test_strips_of_a_result_are_not_too_large(tmp_path: Path) -> None:
    raster = opened(make_raster(tmp_path / "a.tif", ground(512, 8), blockysize=512)).raster
    assert block_shape(raster) == (512, 8)
    assert block_shape(raster.scaled(100_000, 512 * 12_500)) == (20, 100_000)


def test_a_placement_with_a_name(tmp_path: Path) -> None:
    """GDAL writes into the file that is there: what is flushed and renamed is what it wrote."""
    samples = ground(20, 30)
    source = opened(make_raster(tmp_path / "a.tif", samples))
    place = NamedPlacement(tmp_path / "b.tif")
    write(place.hidden, source, samples)
    place.commit()
    assert np.array_equal(read(tmp_path / "b.tif"), samples)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]


def test_errors_of_gdal_have_a_reason(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", ground(64, 64), compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    data = bytearray(path.read_bytes())
    with path.open("rb") as file:
        tiff = TiffFile(file, "a.tif")
        offset = int(tiff.numbers(tiff.directories()[0], 324)[5])
    data[offset : offset + 40] = bytes(40)
    path.write_bytes(data)
    source = opened(path)
    with pytest.raises(CorruptInputError, match=r"a\.tif: is damaged or cut short \(.+\)") as caught:
        source.read(1, (0, 64, 0, 64))
    assert "previous exception" not in str(caught.value)


def test_gdal_runs_with_other_settings_only_inside() -> None:
    from rasterio._env import get_gdal_config

    with gdal.gdal_settings(GDAL_PAM_ENABLED=False):
        assert get_gdal_config("GDAL_PAM_ENABLED") is False
    assert get_gdal_config("GDAL_PAM_ENABLED") is None
