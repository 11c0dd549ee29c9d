"""GeoTIFF against faults: kills and resumption, full disks, odd files, options that make no sense."""

from __future__ import annotations

import random
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from raster_support import gdalinfo, ground, make_raster, read
from tiny_models import NearestBackend, open_nearest

from superres.backends import Backend
from superres.errors import (
    CorruptInputError,
    InferenceError,
    InputError,
    LimitError,
    MissingExtraError,
    OptionError,
    OutputError,
    SuperresError,
    UnsupportedFormatError,
)
from superres.formats import Limits, gdal
from superres.options import RasterOptions
from superres.pipeline import Options, Result, Upscaler
from superres.workflows import geotiff, raster_parts

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def enlarge(tiny_folder: Path) -> Callable[..., Result]:
    """``Upscaler.file`` with the fake nearest-neighbour backend."""

    def run(source: Path, target: Path, *, opener: Any = open_nearest, **arguments: Any) -> Result:
        report = arguments.pop("report", None)
        options = Options(**({"scale": 2, "model": "nearest"} | arguments))
        with Upscaler(options, folder=tiny_folder, opener=opener) as upscaler:
            return upscaler.file(source, target, report=report)

    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small raster, alone in its folder."""
    return make_raster(tmp_path / "small.tif", ground(50, 60))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- Stopped and taken up again -------------------------------------------------------------------------------------

# A slow network, so that a kill meets it at work; every result of whatever size is spooled.
_CHILD = """
import sys, time
from pathlib import Path
from superres.options import RasterOptions
from superres.pipeline import Options, Upscaler
from superres.workflows import geotiff, raster_parts

class Slow:
    lanes = 1
    def run(self, batch):
        time.sleep(0.01)
        return batch.repeat(2, axis=2).repeat(2, axis=3)

    def close(self):
        pass

geotiff.SPOOLED_SAMPLES = 0
options = Options(scale=2, model="nearest", memory=2_000_000, tile=32, raster=RasterOptions(cog=sys.argv[4] == "cog"))
with Upscaler(options, folder=Path(sys.argv[1]), opener=lambda name, model, **_: Slow()) as upscaler:
    print("ready", flush=True)
    upscaler.file(Path(sys.argv[2]), Path(sys.argv[3]), report=lambda done, total: print(done, total, flush=True))
"""


def child(folder: Path, source: Path, target: Path, form: str) -> subprocess.Popen[str]:
    arguments = [str(argument) for argument in (folder, source, target, form)]
    return subprocess.Popen([sys.executable, "-c", _CHILD, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("form", "kills"), [("plain", 5), ("cog", 2)])
def test_killed_and_taken_up_again(tiny_folder: Path, tmp_path: Path, form: str, kills: int) -> None:
    """Kills at random moments: what was done is not done again, and the bytes are those of an untroubled run."""
    samples = ground(150, 170, 2)
    samples[:, 30:60, 40:90] = 0
    source = make_raster(tmp_path / "small.tif", samples, nodata=0, tiled=True, blockxsize=32, blockysize=32,
                         compress="deflate")  # fmt: skip
    with rasterio.open(source, "r+") as dataset:
        dataset.build_overviews([2])
    whole, target = tmp_path / "whole.tif", tmp_path / "large.tif"
    with child(tiny_folder, source, whole, form) as process:
        reports = len(process.communicate(timeout=120)[0].splitlines()) - 1
    chance = random.Random(form)
    for kill in range(kills):
        with child(tiny_folder, source, target, form) as process:
            assert process.stdout is not None
            # The last one meets it when all is computed, or when the file is being written.
            lines = chance.randint(1, reports // kills // 2) if kill < kills - 1 else reports
            for line in process.stdout:
                lines -= 1
                if lines < 0 or line.split() == [str(2 * 300 * 340)] * 2:
                    break
            process.send_signal(signal.SIGKILL)
        assert kill == kills - 1 or not target.exists()
    if not target.exists():
        with child(tiny_folder, source, target, form) as process:
            done = [int(line.split()[0]) for line in process.communicate(timeout=120)[0].splitlines()[1:]]
        assert process.returncode == 0
        # The first report is of what the killed runs had finished.
        assert done[0] > 0 and done[-1] == 2 * 300 * 340 and len(done) < reports
    assert target.read_bytes() == whole.read_bytes()
    assert {"large.tif", "small.tif", "whole.tif"} <= set(names(tmp_path))
    assert len(names(tmp_path)) <= 4  # a kill after the rename may leave the spool


def test_a_spooled_result_has_the_bytes_of_a_direct_one(
    enlarge: Callable[..., Result], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enlarge(source, tmp_path / "direct.tif")
    monkeypatch.setattr(geotiff, "SPOOLED_SAMPLES", 0)
    enlarge(source, tmp_path / "spooled.tif")
    assert (tmp_path / "direct.tif").read_bytes() == (tmp_path / "spooled.tif").read_bytes()


def test_another_source_or_option_begins_anew(
    enlarge: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geotiff, "SPOOLED_SAMPLES", 0)
    source = make_raster(tmp_path / "small.tif", ground(40, 40, 2), tiled=True, blockxsize=16, blockysize=16)
    target, small = tmp_path / "large.tif", {"memory": 200_000, "tile": 16}
    calls: list[int] = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enlarge(source, target, report=stop, **small)
    assert names(tmp_path) == [".large.tif.resume", "small.tif"]
    enlarge(source, tmp_path / "other.tif", report=lambda done, _: calls.append(done), **small)
    spool = (tmp_path / ".large.tif.resume").read_bytes()
    for change in ({"scale": 3}, {"threads": 3}):
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            enlarge(source, target, report=stop, **(small | change))
        assert calls[0] == 0
        (tmp_path / ".large.tif.resume").write_bytes(spool)
    calls.clear()
    enlarge(source, target, report=lambda done, _: calls.append(done), **small)
    assert calls[0] > 0
    assert target.read_bytes() == (tmp_path / "other.tif").read_bytes()
    with rasterio.open(source, "r+") as dataset:
        dataset.write(ground(40, 40, 2, seed=1))
    target.unlink()
    (tmp_path / ".large.tif.resume").write_bytes(spool)
    enlarge(source, target, **small)
    assert read(target).shape == (2, 80, 80)
    assert target.read_bytes() != (tmp_path / "other.tif").read_bytes()


def test_two_runs_do_not_write_the_same_result(
    enlarge: Callable[..., Result], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geotiff, "SPOOLED_SAMPLES", 0)
    target = tmp_path / "large.tif"

    def second(done: int, total: int) -> None:
        with pytest.raises(OutputError, match="another process"):
            enlarge(source, target)

    enlarge(source, target, report=second)
    assert names(tmp_path) == ["large.tif", "small.tif"]


# --- Disks, targets, networks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [3_000, 9_000, 15_000])
def test_a_full_disk(tiny_folder: Path, tmp_path: Path, limit: int) -> None:
    """A limit on file sizes stands for it.  GDAL notices the last blocks only when it closes the file, in silence."""
    source = make_raster(tmp_path / "small.tif", ground(50, 60), compress="deflate")
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from pathlib import Path
from tiny_models import open_nearest
from superres.errors import OutputError
from superres.pipeline import Options, Upscaler
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Upscaler(Options(scale=2, model="nearest"), folder=Path({str(tiny_folder)!r}), opener=open_nearest) as upscaler:
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    try:
        upscaler.file(Path({str(source)!r}), Path({str(tmp_path / "large.tif")!r}))
    except OutputError as error:
        print(error)
        sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 7, done.stderr
    assert "large.tif" in done.stdout and "disk full" in done.stdout
    assert names(tmp_path) == ["small.tif"]


def test_targets_that_cannot_be(enlarge: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.tif"
    there.write_bytes(b"old")
    refused: list[tuple[Path, dict[str, Any], type[SuperresError], str]] = [
        (there, {}, OutputError, "exists already"),
        (source, {"overwrite": True}, OutputError, "is the input itself"),
        (tmp_path / "missing" / "a.tif", {}, OutputError, "does not exist"),
        (tmp_path / "a.png", {}, OptionError, "suffix '.png'"),
        (tmp_path / "a.tif", {"format": "png"}, OptionError, "format png"),
        (tmp_path / "a.tif", {"quality": 80}, OptionError, "quality 80"),
        (
            tmp_path / "a.tif",
            {"raster": RasterOptions(bands=(1, 2))},
            OptionError,
            "bands 1,2: expected some of 1 to 1",
        ),
        (tmp_path / "a.tif", {"limits": Limits(input_pixels=2999)}, LimitError, "--max-input"),
        (tmp_path / "a.tif", {"limits": Limits(output_pixels=11_999)}, LimitError, "--max-output"),
    ]
    for target, arguments, error, message in refused:
        with pytest.raises(error, match=message):
            enlarge(source, target, **arguments)
    assert there.read_bytes() == b"old"
    assert names(tmp_path) == ["small.tif", "there.tif"]
    enlarge(source, there, overwrite=True)
    assert gdalinfo(there)["size"] == [120, 100]


def test_a_network_that_fails(enlarge: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    class Failing(NearestBackend):
        def run(self, batch: Any) -> Any:
            raise InferenceError("no more")

    def opener(name: str, model: bytes, **_: Any) -> Backend:
        return Failing(model)

    with pytest.raises(InferenceError, match="no more"):
        enlarge(source, tmp_path / "large.tif", opener=opener)
    assert names(tmp_path) == ["small.tif"]


def test_without_rasterio(
    enlarge: Callable[..., Result], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'superres\[geo\]'"):
        enlarge(source, tmp_path / "large.tif")


# --- Files that lie, and files that lead elsewhere ------------------------------------------------------------------


@pytest.mark.parametrize("profile", [{}, {"compress": "deflate"}, {"tiled": True, "blockxsize": 32, "blockysize": 32}])
def test_cut_short(enlarge: Callable[..., Result], tmp_path: Path, profile: dict[str, Any]) -> None:
    whole = make_raster(tmp_path / "whole.tif", ground(50, 60), **profile).read_bytes()
    cut = tmp_path / "cut.tif"
    for percent in range(0, 100, 4):
        cut.write_bytes(whole[: len(whole) * percent // 100])
        with pytest.raises(InputError, match=r"cut\.tif"):
            enlarge(cut, tmp_path / "large.tif")
    assert names(tmp_path) == ["cut.tif", "whole.tif"]


def test_damaged_anywhere(enlarge: Callable[..., Result], tmp_path: Path) -> None:
    """A few bytes turned over: our errors, or a result; never another exception."""
    whole = make_raster(tmp_path / "whole.tif", ground(20, 30, 2), compress="lzw", nodata=3).read_bytes()
    chance = random.Random(1)
    bad = tmp_path / "bad.tif"
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(3):
            data[chance.randrange(4, len(data))] = chance.randrange(256)
        bad.write_bytes(data)
        try:
            enlarge(bad, tmp_path / "large.tif", overwrite=True, limits=Limits(10_000, 100_000))
        except SuperresError as error:
            refused += 1
            assert "bad.tif" in str(error)
    assert refused > 5


def test_complex_samples(enlarge: Callable[..., Result], tmp_path: Path) -> None:
    source = make_raster(tmp_path / "small.tif", np.ones((1, 20, 30), np.complex64))
    with pytest.raises(UnsupportedFormatError, match="complex samples"):
        enlarge(source, tmp_path / "large.tif")


def test_blocks_beyond_the_memory(enlarge: Callable[..., Result], tmp_path: Path) -> None:
    source = make_raster(tmp_path / "small.tif", ground(512, 400), blockysize=512, compress="deflate")
    with pytest.raises(InputError, match="TILED=YES"):
        enlarge(source, tmp_path / "large.tif", memory=1_000_000)


def test_nothing_else_is_opened(enlarge: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    """A mask or overviews that are a VRT, and metadata that name another file."""
    secret = make_raster(tmp_path / "secret.tif", ground(50, 60, seed=9))
    vrt = (
        f'<VRTDataset rasterXSize="60" rasterYSize="50"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    for suffix in (".msk", ".ovr"):
        beside = tmp_path / f"small.tif{suffix}"
        beside.write_text(vrt)
        with pytest.raises(InputError, match=f"small.tif{suffix} beside it is no TIFF"):
            enlarge(source, tmp_path / "large.tif")
        beside.unlink()
    with rasterio.open(source, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="secret.tif")
    with pytest.raises(InputError, match="name another file"):
        enlarge(source, tmp_path / "large.tif")
    alone = tmp_path / "scene.tif"
    alone.write_text(vrt)
    with pytest.raises(UnsupportedFormatError, match=r"scene\.tif"):
        enlarge(alone, tmp_path / "large.tif")


def test_directories_in_a_circle(enlarge: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    contents = bytearray(source.read_bytes())
    (first,) = struct.unpack("<I", contents[4:8])
    (count,) = struct.unpack("<H", contents[first : first + 2])
    after = first + 2 + 12 * count
    contents[after : after + 4] = struct.pack("<I", first)
    source.write_bytes(contents)
    with pytest.raises(CorruptInputError, match="form a circle"):
        enlarge(source, tmp_path / "large.tif")
    assert names(tmp_path) == [source.name]


def test_a_vrt_of_the_samples_is_refused(enlarge: Callable[..., Result], data_root: Path, tmp_path: Path) -> None:
    source = data_root / "samples" / "geotiff" / "RGB.byte.gcp.vrt"
    with pytest.raises(UnsupportedFormatError):
        enlarge(source, tmp_path / "large.tif")


# --- Size -----------------------------------------------------------------------------------------------------------


def test_sparse_stays_sparse(enlarge: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A raster of which three blocks exist: the rest is neither computed nor written."""
    monkeypatch.setattr(raster_parts, "_PIECE", 128)
    monkeypatch.setattr(geotiff, "SPOOLED_SAMPLES", 5_000_000)
    source = tmp_path / "small.tif"
    profile = {"driver": "GTiff", "width": 1200, "height": 1200, "count": 1, "dtype": "uint16", "SPARSE_OK": True,
               "tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}  # fmt: skip
    block = ground(64, 64)[0]
    places = ((256, 512), (0, 0), (1088, 1024))
    with rasterio.open(source, "w", crs="EPSG:32618", transform=(30, 0, 0, 0, -30, 0), **profile) as dataset:
        for row, column in places:
            dataset.write(block, 1, window=((row, row + 64), (column, column + 64)))
    shapes: list[tuple[int, ...]] = []

    class Counting(NearestBackend):
        def run(self, batch: Any) -> Any:
            shapes.append(batch.shape)
            return super().run(batch)

    target = tmp_path / "large.tif"
    seen: list[bool] = []
    enlarge(source, target, opener=lambda name, model, **_: Counting(model), memory=40_000_000,
            report=lambda *_: seen.append((tmp_path / ".large.tif.resume").exists()))  # fmt: skip
    assert all(seen)  # large enough to be spooled
    assert target.stat().st_size < 300_000
    assert sum(shape[2] * shape[3] for shape in shapes) < 1200 * 1200 // 4
    with rasterio.open(target) as dataset:
        for row, column in places:
            made = dataset.read(1, window=((2 * row, 2 * row + 128), (2 * column, 2 * column + 128)))
            assert abs(made.mean() / block.mean() - 1) < 1e-2  # a few pixels of it lie outside
        assert not dataset.read(1, window=((1000, 2000), (100, 900))).any()
    assert names(tmp_path) == ["large.tif", "small.tif"]


def test_the_cache_of_gdal_is_bounded_and_restored() -> None:
    from rasterio._env import get_gdal_config

    before = get_gdal_config("GDAL_CACHEMAX")
    with gdal.gdal_settings():
        assert get_gdal_config("GDAL_CACHEMAX") == gdal.CACHE_BYTES
    assert get_gdal_config("GDAL_CACHEMAX") == before
