"""GeoTIFF from file to file: place, values, gaps and layout, checked with GDAL's own programs."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_support import command, gdal_samples, gdalinfo, ground, make_raster, read
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp, Resampling
from rasterio.rio.main import main_group
from rasterio.rpc import RPC
from rasterio.transform import Affine
from tiny_models import open_nearest

from superres.backends import Backend
from superres.cli import main
from superres.options import RasterOptions
from superres.pipeline import Options, Upscaler
from superres.workflows import raster_parts

ROOT = Path(__file__).resolve().parents[2]
Array = npt.NDArray[Any]
Enlarge = Callable[..., Path]


@pytest.fixture
def enlarge(tiny_folder: Path, opener: Callable[..., Backend], tmp_path: Path) -> Enlarge:
    """``Upscaler.file`` with a tiny network; the result's path."""

    def run(source: Path, name: str = "large.tif", *, model: str = "tiny", **arguments: Any) -> Path:
        report = arguments.pop("report", None)
        arguments["raster"] = RasterOptions(arguments.pop("bands", ()), arguments.pop("cog", False))
        options = Options(**({"scale": 2, "model": model} | arguments))
        used = open_nearest if model == "nearest" else opener
        with Upscaler(options, folder=tiny_folder, opener=used) as upscaler:
            upscaler.file(source, tmp_path / name, report=report)
        return tmp_path / name

    return run


@pytest.fixture
def note(tiny_folder: Path, opener: Callable[..., Backend], tmp_path: Path) -> Callable[[Path], str]:
    """What a result's note says."""

    def run(source: Path) -> str:
        options = Options(scale=2, model="tiny", overwrite=True)
        with Upscaler(options, folder=tiny_folder, opener=opener) as upscaler:
            return upscaler.file(source, tmp_path / "noted.tif").note

    return run


def nearest(samples: Array, scale: int = 2) -> Array:
    return samples.repeat(scale, -2).repeat(scale, -1)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def masks(path: Path) -> Array:
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read_masks())


# --- Place ----------------------------------------------------------------------------------------------------------


def check_place(before: dict[str, Any], after: dict[str, Any], scale: float) -> None:
    """Two answers of gdalinfo: the same ground, in smaller pixels."""
    assert after["size"] == [round(scale * side) for side in before["size"]]
    for key in ("coordinateSystem", "driverShortName", "extent"):
        assert after.get(key) == before.get(key)
    for corner, at in before["cornerCoordinates"].items():
        assert after["cornerCoordinates"][corner] == pytest.approx(at, rel=1e-9), corner
    if "geoTransform" in before:
        a, b = before["geoTransform"], after["geoTransform"]
        factors = [new / old for new, old in zip(after["size"], before["size"], strict=True)]
        assert (b[0], b[3]) == (a[0], a[3])
        for index, factor in ((1, 0), (2, 1), (4, 0), (5, 1)):
            assert b[index] == pytest.approx(a[index] / factors[factor], rel=1e-12)


@pytest.mark.parametrize("scale", [2, 1.5])
@pytest.mark.parametrize(
    "transform",
    [
        Affine(30, 0, 500_000, 0, -30, 4_100_000),
        Affine(17.32, 5, 100, 10, -8.66, 200),
    ],
    ids=["north up", "rotated"],
)
def test_the_ground_stays(enlarge: Enlarge, tmp_path: Path, transform: Affine, scale: float) -> None:
    source = make_raster(tmp_path / "small.tif", ground(22, 34), transform=transform)
    check_place(gdalinfo(source), gdalinfo(enlarge(source, scale=scale)), scale)


def test_pixel_is_point(enlarge: Enlarge, tmp_path: Path) -> None:
    """Their tie points are pixel centres, which move; the corner does not."""
    source = make_raster(tmp_path / "small.tif", ground(22, 34))
    with rasterio.open(source, "r+") as dataset:
        dataset.update_tags(AREA_OR_POINT="Point")
    before, after = gdalinfo(source), gdalinfo(enlarge(source))
    check_place(before, after, 2)
    assert after["metadata"][""]["AREA_OR_POINT"] == "Point"


def test_ground_control_points(enlarge: Enlarge, tmp_path: Path) -> None:
    points = [
        GroundControlPoint(row, column, 7 + column / 1000, 45 - row / 900, 12.5, id=str(number), info=f"at {number}")
        for number, (row, column) in enumerate([(0, 0), (0, 34), (22, 0), (22, 34), (11.25, 17.5)])
    ]
    source = make_raster(tmp_path / "small.tif", ground(22, 34), gcps=points, transform=None, crs="EPSG:4326")
    before, after = gdalinfo(source)["gcps"], gdalinfo(enlarge(source))["gcps"]
    assert after["coordinateSystem"] == before["coordinateSystem"]
    for old, new in zip(before["gcpList"], after["gcpList"], strict=True):
        assert (new["pixel"], new["line"]) == (2 * old["pixel"], 2 * old["line"])
        assert [new[k] for k in "xyz"] == [old[k] for k in "xyz"]
        assert new["id"] == old["id"]
    assert "geoTransform" not in gdalinfo(tmp_path / "large.tif")


def test_rational_polynomials(enlarge: Enlarge, tmp_path: Path) -> None:
    """GDAL finds a point on the ground in twice the column and row."""
    one, line, sample = [1.0] + 19 * [0.0], 20 * [0.0], 20 * [0.0]
    line[0], line[2], sample[0], sample[1] = 0.01, -1.0, -0.02, 1.0
    rpc = RPC(0.0, 500.0, 45.0, 0.1, one, line, 10.5, 11.0, 7.0, 0.1, one, sample, 16.5, 17.0)
    source = make_raster(tmp_path / "small.tif", ground(22, 34), rpcs=rpc, transform=None, crs=None)
    large = enlarge(source)
    ground_points = "7.03 45.02 0\n6.95 44.97 10\n"
    found = [command("gdaltransform", "-rpc", "-i", path, stdin=ground_points) for path in (source, large)]
    before, after = (np.array([[float(v) for v in row.split()[:2]] for row in text.splitlines()]) for text in found)
    assert after == pytest.approx(2 * before, abs=1e-6)


def test_a_world_file_beside_a_raster(enlarge: Enlarge, tmp_path: Path) -> None:
    """Its place, which GDAL takes from there, goes into the result."""
    source = make_raster(tmp_path / "small.tif", ground(22, 34), transform=None)
    (tmp_path / "small.tfw").write_text("30\n0\n0\n-30\n500015\n4099985\n")
    before, after = gdalinfo(source), gdalinfo(enlarge(source))
    assert before["geoTransform"][:2] == [500_000, 30]
    check_place(before, after, 2)
    assert names(tmp_path) == ["large.tif", "small.tfw", "small.tif"]


def test_no_place_is_invented(enlarge: Enlarge, tmp_path: Path) -> None:
    source = make_raster(tmp_path / "small.tif", ground(22, 34), transform=None, crs=None, nodata=0)
    after = gdalinfo(enlarge(source))
    assert "geoTransform" not in after and "coordinateSystem" not in after


# --- Values and gaps ------------------------------------------------------------------------------------------------

DTYPES = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_stay_physical(enlarge: Enlarge, tmp_path: Path, dtype: str) -> None:
    samples = ground(64, 80, 2, dtype)
    if dtype == "int16":
        samples -= 2000
    large = read(enlarge(make_raster(tmp_path / "small.tif", samples)))
    assert large.dtype == samples.dtype and large.shape == (2, 128, 160)
    for band, made in zip(samples.astype(np.float64), large.astype(np.float64), strict=True):
        # To 0.1 %; near zero, where that says nothing, of what the band spans.
        assert made.mean() == pytest.approx(band.mean(), rel=1e-3, abs=1e-4 * np.ptp(band))
        assert abs(made.reshape(64, 2, 80, 2).mean((1, 3)) - band).max() < 0.25 * np.ptp(band)


def test_float64_keeps_small_differences_on_a_large_offset(enlarge: Enlarge, tmp_path: Path) -> None:
    """float32 alone would step by 0.5 there."""
    samples = 5e6 + 0.01 * ground(32, 32, dtype="float64", seed=2)
    large = read(enlarge(make_raster(tmp_path / "small.tif", samples), model="nearest"))
    smooth = large.reshape(32, 2, 32, 2).mean((1, 3))
    assert np.abs(smooth - samples[0]).max() < 0.1 * np.ptp(samples)
    assert large.mean() - 5e6 == pytest.approx(samples.mean() - 5e6, rel=1e-3)


def test_saturated_bands_keep_their_mean(enlarge: Enlarge, tmp_path: Path) -> None:
    """Overshoots beside white and black are clipped, and given to the pixels around."""
    rng = np.random.default_rng(5)
    blocks = (rng.random((1, 16, 16)) < 0.4).repeat(5, 1).repeat(5, 2) * 255
    samples = np.clip(blocks + rng.normal(0, 20, blocks.shape), 0, 255).astype(np.uint8)
    large = read(enlarge(make_raster(tmp_path / "small.tif", samples)))
    assert large.mean() == pytest.approx(samples.mean(), rel=1e-3)


def test_odd_values_survive(enlarge: Enlarge, tmp_path: Path) -> None:
    """Far beyond the others: not squeezing them, not clipped, not spread."""
    samples = ground(64, 64, dtype="float32")
    samples[0, 20, 30], samples[0, 40, 10] = 90_000, -70_000
    plain = ground(64, 64, dtype="float32")
    odd, usual = (read(enlarge(make_raster(tmp_path / f"{n}.tif", s), f"large {n}.tif")) for n, s in
                  (("odd", samples), ("usual", plain)))  # fmt: skip
    assert odd.max() > 60_000 and odd.min() < -45_000
    assert odd.mean() == pytest.approx(samples.mean(), rel=1e-3)
    far = np.ones((128, 128), np.bool_)
    far[20:60, 40:80] = far[60:100, 0:40] = False
    assert np.abs(odd - usual)[0][far].max() < 0.05 * np.ptp(plain)


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 0), ("int16", -999), ("uint16", 65535), ("float32", -9999.5),
                                               ("float32", math.nan), ("float64", 1e40), ("int32", 7)])  # fmt: skip
@pytest.mark.parametrize("scale", [2, 1.5])
def test_nodata_is_exact(enlarge: Enlarge, tmp_path: Path, dtype: str, nodata: float, scale: float) -> None:
    samples = ground(48, 60, 2, dtype)
    gaps = np.zeros(samples.shape, np.bool_)
    gaps[0, 10:30, 20:45] = gaps[1, :5] = gaps[1, 40, 50] = True
    if dtype == "int32":  # a value that ordinary ones come near
        samples //= 300
        gaps |= samples == nodata
    samples[gaps] = nodata
    source = make_raster(tmp_path / "small.tif", samples, nodata=nodata)
    result = enlarge(source, scale=scale)
    large = read(result)
    height, width = large.shape[1:]
    rows, columns = (((np.arange(n) + 0.5) * o / n).astype(int) for n, o in ((height, 48), (width, 60)))
    expected = gaps[:, rows][:, :, columns]
    assert np.array_equal(masks(result) == 0, expected)
    assert np.array_equal(large[expected], np.full(expected.sum(), nodata, dtype), equal_nan=True)
    if scale == 2:
        for made, band, gap in zip(large, samples, gaps, strict=True):
            kept = made[~nearest(gap)].astype(np.float64)
            assert kept.mean() == pytest.approx(band[~gap].astype(np.float64).mean(), rel=4e-3)
            inside = band[~gap]
            assert kept.min() > inside.min() - 0.6 * np.ptp(inside) and kept.max() < inside.max() + 0.6 * np.ptp(inside)
    described = gdalinfo(result)["bands"][0]["noDataValue"]
    assert described == pytest.approx(nodata) if nodata == nodata else str(described).lower() == "nan"


def test_gdal_reads_the_same_gaps(enlarge: Enlarge, tmp_path: Path) -> None:
    samples = ground(48, 60)
    samples[0, 10:30, 20:45] = 0
    result = enlarge(make_raster(tmp_path / "small.tif", samples, nodata=0, compress="lzw", tiled=True,
                                 blockxsize=16, blockysize=32))  # fmt: skip
    assert np.array_equal(gdal_samples(result, tmp_path) == 0, nearest(samples == 0))


def test_what_gaps_hold_does_not_matter(enlarge: Enlarge, tmp_path: Path) -> None:
    """A mark of -9999 among values of 300: nothing of it reaches its neighbours."""
    samples = ground(48, 60, dtype="float32")
    gaps = np.zeros(samples.shape, np.bool_)
    gaps[:, 12:30, 20:41] = gaps[:, 5, 7] = True
    made = []
    for mark in (-9999.0, 1e20, math.nan, -3.4e38):
        marked = np.where(gaps, np.float32(mark), samples)
        made.append(read(enlarge(make_raster(tmp_path / "small.tif", marked, nodata=mark), "large.tif",
                                 overwrite=True))[~nearest(gaps)])  # fmt: skip
    assert all(np.array_equal(other, made[0]) for other in made[1:])


def test_undeclared_marks_are_gaps(enlarge: Enlarge, tmp_path: Path) -> None:
    samples = ground(32, 32, dtype="float32")
    samples[0, 8:12, 8:12], samples[0, 20, 20], samples[0, 25, 3] = -3.4028235e38, np.inf, np.nan
    large = read(enlarge(make_raster(tmp_path / "small.tif", samples)))
    odd = ~(np.abs(nearest(samples)) < 1e30)
    assert np.array_equal(large[odd], nearest(samples)[odd], equal_nan=True)
    assert np.abs(large[~odd]).max() < 400


@pytest.mark.parametrize("internal", [True, False], ids=["internal", ".msk"])
def test_a_mask_of_its_own(enlarge: Enlarge, tmp_path: Path, internal: bool) -> None:
    samples = ground(48, 60, 3)
    mask = np.full((48, 60), 255, np.uint8)
    mask[10:30, 20:45] = 0
    samples[:, mask == 0] = 4095  # what lies under it is kept, and does not spread
    source = make_raster(tmp_path / "small.tif", samples, mask=mask, internal=internal)
    assert (tmp_path / "small.tif.msk").exists() is not internal
    result = enlarge(source)
    assert names(tmp_path) == sorted(["large.tif", "small.tif", *([] if internal else ["small.tif.msk"])])
    assert np.array_equal(masks(result), nearest(np.stack([mask] * 3)))
    large = read(result)
    assert np.array_equal(large[:, nearest(mask == 0)], np.full((3, 4 * (mask == 0).sum()), 4095))
    assert large[:, nearest(mask != 0)].max() < 4000
    assert "PER_DATASET" in gdalinfo(result)["bands"][0]["mask"]["flags"]


def test_alpha(enlarge: Enlarge, tmp_path: Path) -> None:
    samples = ground(48, 60, 4, "uint8")
    samples[3] = 255
    samples[3, 10:30, 20:45] = 0
    samples[:3, samples[3] == 0] = 99
    source = make_raster(tmp_path / "small.tif", samples, photometric="RGB", alpha="YES")
    result = enlarge(source)
    large, info = read(result), gdalinfo(result)
    assert [band["colorInterpretation"] for band in info["bands"]] == ["Red", "Green", "Blue", "Alpha"]
    assert np.array_equal(large[3], nearest(samples[3]))
    assert (large[:3, large[3] == 0] == 99).all()


def test_a_colour_table(enlarge: Enlarge, tmp_path: Path) -> None:
    classes = np.random.default_rng(0).integers(0, 5, (1, 24, 30)).astype(np.uint8)
    source = make_raster(tmp_path / "small.tif", classes, photometric="PALETTE")
    table = {k: (40 * k, 255 - 40 * k, 7 * k, 255) for k in range(5)}
    with rasterio.open(source, "r+") as dataset:
        dataset.write_colormap(1, table)
    result = enlarge(source, scale=3)
    assert np.array_equal(read(result), nearest(classes, 3))
    before, after = (gdalinfo(path)["bands"][0] for path in (source, result))
    assert after["colorTable"] == before["colorTable"] and after["colorInterpretation"] == "Palette"


def test_single_bits(enlarge: Enlarge, tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2, (1, 24, 30)).astype(np.uint8)
    result = enlarge(make_raster(tmp_path / "small.tif", bits, NBITS=1))
    assert np.array_equal(read(result), nearest(bits))
    assert gdalinfo(result)["bands"][0]["metadata"]["IMAGE_STRUCTURE"]["NBITS"] == "1"


def test_twelve_bits_are_not_exceeded(enlarge: Enlarge, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = rng.choice(np.array([0, 4095], np.uint16), (1, 40, 40))
    result = enlarge(make_raster(tmp_path / "small.tif", samples, NBITS=12))
    large = read(result)
    assert large.max() <= 4095
    assert large.mean() == pytest.approx(samples.mean(), rel=5e-3)


def test_red_green_and_blue_go_together_and_other_triples_do_not(enlarge: Enlarge, tmp_path: Path) -> None:
    """A network whose colours depend on each other shows which bands met in it."""
    samples = ground(40, 40, 3, "uint8")
    colour = make_raster(tmp_path / "colour.tif", samples, photometric="RGB")
    plain = make_raster(tmp_path / "plain.tif", samples, photometric="MINISBLACK")
    changed = samples.copy()
    changed[2] = changed[2, ::-1]
    for source, meets in ((colour, True), (plain, False)):
        first = read(enlarge(source, "a.tif", overwrite=True))[0]
        with rasterio.open(source, "r+") as dataset:
            dataset.write(changed)
        second = read(enlarge(source, "b.tif", overwrite=True))[0]
        assert np.array_equal(first, second) is not meets


@settings(max_examples=4)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([2, 3, 1.5]), gaps=st.booleans())
def test_any_window_gives_the_same(
    tiny_folder: Path, opener: Callable[..., Backend], seed: int, scale: float, gaps: bool
) -> None:
    """Cut into small windows, with gaps across their edges, or made in one piece."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(40, 70, 2))
    samples = ground(height, width, 2, "float32", seed)
    if gaps:
        samples[:, rng.random((height, width)) < 0.1] = -1
        samples[0, 10:30, 15:35] = -1
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder, made = Path(name), []
        source = make_raster(folder / "small.tif", samples, nodata=-1, tiled=True, blockxsize=16, blockysize=16)
        for piece, memory in ((4096, 2_000_000_000), (24, 10_000_000)):
            patch.setattr(raster_parts, "_PIECE", piece)
            options = Options(scale=scale, model="tiny", memory=memory, overwrite=True, tile=64)
            with Upscaler(options, folder=tiny_folder, opener=opener) as upscaler:
                upscaler.file(source, folder / "large.tif")
            made.append(read(folder / "large.tif"))
    assert np.array_equal(made[0] == -1, made[1] == -1)
    assert np.abs(made[0] - made[1]).max() <= 2e-3  # of values near 300: rounding of float32


# --- What travels along ---------------------------------------------------------------------------------------------


def rich(path: Path, **profile: Any) -> Path:
    """Five bands with everything that a GeoTIFF can say about them."""
    samples = ground(72, 90, 5)
    make_raster(path, samples, nodata=0, tiled=True, blockxsize=32, blockysize=16, interleave="pixel",
                compress="deflate", predictor=2, **profile)  # fmt: skip
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ["B02", "B03", "B04", "B08", "SCL"]
        dataset.units = ["W/m2", "", "", "K", ""]
        dataset.scales = [1e-4, 1e-4, 1e-4, 2, 1]
        dataset.offsets = [-0.1, -0.1, -0.1, 0, 0]
        dataset.colorinterp = [
            ColorInterp.blue,
            ColorInterp.green,
            ColorInterp.red,
            ColorInterp.undefined,
            ColorInterp.gray,
        ]
        dataset.update_tags(SENSOR="made up", TIFFTAG_SOFTWARE="nothing", STATISTICS_MEAN="1")
        dataset.update_tags(TIFFTAG_XRESOLUTION="100", TIFFTAG_YRESOLUTION="50", TIFFTAG_RESOLUTIONUNIT="2")
        dataset.update_tags(ns="ACQUISITION", date="2018-07-16")
        dataset.update_tags(2, wavelength="560", STATISTICS_MAXIMUM="7")
        dataset.update_tags(ns="xml:XMP", **{"<x:xmpmeta xmlns:x": '"adobe:ns:meta/"></x:xmpmeta>'})
    return path


def test_everything_travels_along(enlarge: Enlarge, tmp_path: Path) -> None:
    source = rich(tmp_path / "small.tif")
    before, after = gdalinfo(source, "-mdd", "all"), gdalinfo(enlarge(source), "-mdd", "all")
    check_place(before, after, 2)
    for old, new in zip(before["bands"], after["bands"], strict=True):
        for key in ("block", "type", "colorInterpretation", "noDataValue", "description", "offset", "scale", "unit"):
            assert new.get(key) == old.get(key), key
    assert after["bands"][1]["metadata"] == {"": {"wavelength": "560"}}
    assert after["metadata"]["IMAGE_STRUCTURE"] == before["metadata"]["IMAGE_STRUCTURE"]
    assert after["metadata"]["ACQUISITION"] == before["metadata"]["ACQUISITION"]
    assert after["metadata"]["xml:XMP"] == before["metadata"]["xml:XMP"]
    tags = after["metadata"][""]
    assert (tags["SENSOR"], tags["TIFFTAG_SOFTWARE"]) == ("made up", "nothing")
    assert (tags["TIFFTAG_XRESOLUTION"], tags["TIFFTAG_YRESOLUTION"]) == ("200", "100")
    assert tags["SUPERRES"].startswith("derived, 90 x 72 pixels enlarged to 180 x 144 by tiny x2")
    assert "STATISTICS_MEAN" not in tags


@pytest.mark.parametrize(
    ("compress", "tiled"),
    [
        (None, False),
        (None, True),
        ("deflate", False),
        ("lzw", True),
        ("zstd", True),
        ("packbits", False),
        ("jpeg", True),
    ],
)
def test_layout_is_kept(enlarge: Enlarge, tmp_path: Path, compress: str | None, tiled: bool) -> None:
    profile: dict[str, Any] = {"tiled": tiled, "blockysize": 32} | ({"blockxsize": 16} if tiled else {})
    if compress:
        profile["compress"] = compress
    source = make_raster(tmp_path / "small.tif", ground(60, 50, 3, "uint8"), interleave="band", **profile)
    before, after = gdalinfo(source), gdalinfo(enlarge(source, model="nearest"))
    assert after["bands"][0]["block"] == ([16, 32] if tiled else [100, 32])
    kept = before["metadata"]["IMAGE_STRUCTURE"].get("COMPRESSION")
    assert after["metadata"]["IMAGE_STRUCTURE"].get("COMPRESSION") == ("DEFLATE" if compress == "jpeg" else kept)
    assert after["metadata"]["IMAGE_STRUCTURE"]["INTERLEAVE"] == "BAND"


def test_overviews_are_built_again(enlarge: Enlarge, tmp_path: Path) -> None:
    samples = ground(256, 200)
    source = make_raster(tmp_path / "small.tif", samples, tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    with rasterio.open(source, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)
    result = enlarge(source, model="nearest")
    assert [o["size"] for o in gdalinfo(result)["bands"][0]["overviews"]] == [[200, 256], [100, 128], [50, 64]]
    with rasterio.open(result, overview_level=0) as small:
        assert np.abs(small.read().astype(int) - samples).mean() < 0.02 * np.ptp(samples)
    assert (
        "overviews"
        not in gdalinfo(enlarge(make_raster(tmp_path / "b.tif", samples), "c.tif", model="nearest"))["bands"][0]
    )


def test_cloud_optimised(enlarge: Enlarge, tmp_path: Path) -> None:
    mask = np.full((300, 280), 255, np.uint8)
    mask[:50] = 0
    source = make_raster(tmp_path / "small.tif", ground(300, 280, 2), mask=mask, compress="lzw")
    result = enlarge(source, cog=True, model="nearest")
    info = gdalinfo(result)
    assert info["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert info["metadata"]["IMAGE_STRUCTURE"]["COMPRESSION"] == "LZW"
    check_place(gdalinfo(source), info, 2)
    assert np.array_equal(masks(result)[0], nearest(mask))
    plain = enlarge(source, "plain.tif", model="nearest")
    assert np.array_equal(read(result), read(plain))
    assert names(tmp_path) == ["large.tif", "plain.tif", "small.tif"]


def test_chosen_bands(enlarge: Enlarge, tmp_path: Path) -> None:
    source = rich(tmp_path / "small.tif")
    everything, some = read(enlarge(source)), enlarge(source, "some.tif", bands=(4, 2))
    assert np.array_equal(read(some), everything[[3, 1]])
    assert [band["description"] for band in gdalinfo(some)["bands"]] == ["B08", "B03"]


def test_the_command(tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = rich(tmp_path / "scene.tif")
    arguments = ["upscale", str(source), "--scale", "2", "--bands", "1-2,5", "--cog", "--model", f"{tiny_folder}/tiny"]
    assert main(arguments) == 0
    info = gdalinfo(tmp_path / "scene_x2.tif")
    assert [band["description"] for band in info["bands"]] == ["B02", "B03", "SCL"]
    assert info["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert main([*arguments[:4], "--bands", "0-2"]) == 1
    assert "bands '0-2'" in capsys.readouterr().err


SAMPLES = ["2015.tif", "RGB.byte.tif", "RGB2.byte.tif", "RGBA.uint16.tif", "cogeo.tif", "float_nan.tif", "goes.tif",
           "m_4709963_se_14_1_20180716.tif", "rotated.tif", "shade.tif", "2020.tif",
           "m_4709963_se_14_1_20190904.tif"]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_real_rasters(enlarge: Enlarge, data_root: Path, name: str) -> None:
    source = data_root / "samples" / "geotiff" / name
    # One band tells as much as several; the colours of the others go together.
    bands = () if name.startswith(("RGBA", "goes")) else (1,)
    result = enlarge(source, model="nearest", bands=bands)
    before, after = gdalinfo(source), gdalinfo(result)
    check_place(before, after, 2)
    for old, new in zip(before["bands"], after["bands"], strict=False):
        for key in ("type", "colorInterpretation", "noDataValue", "description"):
            assert str(new.get(key)) == str(old.get(key)), key
        tiled = old["block"][0] != before["size"][0]
        assert new["block"] == (old["block"] if tiled else [after["size"][0], old["block"][1]])
        assert len(new.get("overviews", [])) == (len(old["overviews"]) + 1 if "overviews" in old else 0)
        assert new["mask"]["flags"] == old["mask"]["flags"] if "mask" in old else "mask" not in new
    small, large = read(source), read(result)
    valid = masks(source)[: len(large)] > 0
    assert np.array_equal(masks(result)[: len(large)] > 0, nearest(valid))
    for band, made, there in zip(small, large, valid, strict=False):
        if there.sum() > 100:
            assert made[nearest(there)].mean() == pytest.approx(band[there].mean(), rel=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_hardly_any_pixels(enlarge: Enlarge, tmp_path: Path, shape: tuple[int, int]) -> None:
    samples = ground(*shape, 2, "int16")
    large = read(enlarge(make_raster(tmp_path / "small.tif", samples), scale=3))
    assert large.shape == (2, 3 * shape[0], 3 * shape[1])
    assert large.mean() == pytest.approx(samples.mean(), rel=1e-3)


def test_tiles_wider_than_the_raster_stay_tiles(enlarge: Enlarge, tmp_path: Path) -> None:
    source = make_raster(tmp_path / "small.tif", ground(30, 20), tiled=True, blockxsize=256, blockysize=128)
    assert gdalinfo(source)["bands"][0]["block"] == [256, 128]
    assert gdalinfo(enlarge(source))["bands"][0]["block"] == [256, 128]


def test_nothing_but_gaps(enlarge: Enlarge, tmp_path: Path) -> None:
    source = make_raster(tmp_path / "small.tif", np.full((2, 30, 20), np.nan, np.float32), nodata=np.nan)
    assert np.isnan(read(enlarge(source))).all()


def test_real_reflectances(enlarge: Enlarge, data_root: Path, tmp_path: Path) -> None:
    """Sentinel-2, 10 m and 20 m: reflectance times 10,000, in floats and in 16 bits."""
    bands = np.load(data_root / "samples" / "geotiff" / "sentinel2_T33UUB.npz")
    for name, dtype in (("im10", "uint16"), ("im20", "float32")):
        samples = bands[name][:2, :150, :150].astype(dtype)
        large = read(enlarge(make_raster(tmp_path / f"{name}.tif", samples), f"large {name}.tif"))
        assert large.mean((1, 2)) == pytest.approx(samples.mean((1, 2)), rel=1e-3)


@pytest.mark.parametrize(("dtype", "classes"), [("uint8", [1, 5, 90]), ("uint16", [21824, 22280, 55052])])
def test_classes_take_the_nearest_sample(dtype: str, classes: list[int], enlarge: Enlarge, tmp_path: Path) -> None:
    regions = np.random.default_rng(0).integers(0, len(classes), (1, 8, 8)).repeat(6, 1).repeat(6, 2)
    samples = np.array(classes, dtype)[regions]
    result = enlarge(make_raster(tmp_path / "small.tif", samples))
    np.testing.assert_array_equal(read(result), samples.repeat(2, 1).repeat(2, 2))


CODES = np.arange(11, 55) * 3 % 251

ATTRIBUTES = """<GDALRasterAttributeTable tableType="thematic">
<FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>
<FieldDefn index="1"><Name>Class</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
<Row index="0"><F>33</F><F>water</F></Row><Row index="1"><F>36</F><F>wood</F></Row></GDALRasterAttributeTable>"""
CATEGORIES = "<CategoryNames><Category>none</Category><Category>water</Category></CategoryNames>"


def land_cover(path: Path, beside: str = "", dtype: str = "uint8", **tags: str) -> Path:
    """Regions of 44 classes; ``beside`` goes into the file that GDAL keeps beside a raster."""
    regions = np.random.default_rng(0).integers(0, len(CODES), (1, 16, 16)).repeat(4, 1).repeat(4, 2)
    make_raster(path, CODES.astype(dtype)[regions])
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(1, **tags)
    if beside:
        text = f'<PAMDataset><PAMRasterBand band="1">{beside}</PAMRasterBand></PAMDataset>'
        path.with_name(path.name + ".aux.xml").write_text(text)
    return path


@pytest.mark.parametrize(
    ("beside", "tags", "lost"),
    [
        (ATTRIBUTES, {}, "attribute table"),
        (CATEGORIES, {}, "category names"),
        ('<Metadata><MDI key="RepresentationType">THEMATIC</MDI></Metadata>', {}, ""),
        ("", {"LAYER_TYPE": "thematic"}, ""),
        ("", {"flag_meanings": "water wood rock"}, ""),
    ],
    ids=["attribute table", "category names", "ArcGIS", "HFA", "netCDF"],
)
def test_declared_classes_take_the_nearest_sample(
    beside: str, tags: dict[str, str], lost: str, enlarge: Enlarge, note: Callable[[Path], str], tmp_path: Path
) -> None:
    source = land_cover(tmp_path / "small.tif", beside, **tags)
    if lost:  # GDAL sees them, too
        said = command("gdalinfo", source)
        assert ("Categories:" if lost == "category names" else "GDALRasterAttributeTable") in said
    result = enlarge(source)
    assert np.array_equal(gdal_samples(result, tmp_path), nearest(read(source)))
    assert gdalinfo(result)["bands"][0].get("metadata") == gdalinfo(source)["bands"][0].get("metadata")
    assert note(source) == (f"not carried along: {lost}" if lost else "")


@pytest.mark.parametrize(
    ("dtype", "tags"), [("uint8", {"LAYER_TYPE": "athematic"}), ("float32", {"LAYER_TYPE": "thematic"})]
)
def test_no_classes(dtype: str, tags: dict[str, str], enlarge: Enlarge, tmp_path: Path) -> None:
    """What is declared to be none, and floats, whose values lie between each other."""
    result = enlarge(land_cover(tmp_path / "small.tif", dtype=dtype, **tags))
    assert not set(np.unique(read(result))) <= set(CODES)


def test_classes_that_the_user_declares(enlarge: Enlarge, tmp_path: Path) -> None:
    """By the program that comes with rasterio, which sets metadata of the whole file."""
    source = land_cover(tmp_path / "small.tif")
    assert not set(np.unique(read(enlarge(source)))) <= set(CODES)
    assert main_group.main(["edit-info", "--tag", "LAYER_TYPE=thematic", str(source)], standalone_mode=False) is None
    assert np.array_equal(gdal_samples(enlarge(source, "larger.tif"), tmp_path), nearest(read(source)))


@pytest.mark.parametrize("few", [True, False])
def test_overviews_of_classes_invent_none(few: bool, enlarge: Enlarge, tmp_path: Path) -> None:
    source = land_cover(tmp_path / "small.tif", LAYER_TYPE="thematic")
    if few:
        make_raster(source, read(source) // 64 * 64 + 5)
    with rasterio.open(source, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.nearest)
    result = enlarge(source, scale=3)
    for level in range(len(gdalinfo(result)["bands"][0]["overviews"])):
        with rasterio.open(result, overview_level=level) as small:
            assert set(np.unique(small.read())) <= set(np.unique(read(source))), level


def test_an_epoch_is_not_carried_and_the_result_says_so(
    enlarge: Enlarge, note: Callable[[Path], str], tmp_path: Path
) -> None:
    plain = make_raster(tmp_path / "plain.tif", ground(20, 22), crs="EPSG:9000")
    source = tmp_path / "small.tif"
    command("gdal_translate", "-q", "-a_coord_epoch", "2021.3", plain, source)
    assert "Coordinate epoch: 2021.3" in command("gdalinfo", source)
    assert "epoch:" not in command("gdalinfo", enlarge(source))
    assert note(source) == "not carried along: coordinate epoch 2021.3"
    assert note(plain) == ""


def test_floats_of_16_bits(enlarge: Enlarge, tmp_path: Path) -> None:
    samples = ground(40, 44, 2, "float32") * np.float32(100)
    samples[0, 3, 3] = 60_000
    source = make_raster(tmp_path / "small.tif", samples, NBITS=16)
    result = read(enlarge(source))
    assert result.shape == (2, 80, 88)
    np.testing.assert_array_equal(result, result.astype(np.float16).astype(np.float32))
    assert np.abs(result.mean() / read(source).mean() - 1) < 0.001
