"""Round trips: what is written is what other readers find, in every format, depth and with all metadata."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from superres.errors import OptionError, OutputError
from superres.formats import FORMATS, open_writer, read_image, write_image
from superres.formats.exif import upright_xmp
from superres.formats.rowsource import RowSource, tiff_header
from superres.image import Image, PictureInfo

from .support import XMP, exif_block, picture, pillow_samples, profile, read_png16, smooth

LOSSLESS = [
    (format, channels, dtype)
    for format, entry in FORMATS.items()
    if format in ("png", "tiff", "webp")
    for dtype in entry.depths
    for channels in (1, 2, 3, 4)
]
SUFFIX = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp", "avif": ".avif"}


@pytest.mark.parametrize(("format", "channels", "dtype"), LOSSLESS)
def test_lossless_round_trip(tmp_path: Path, format: str, channels: int, dtype: str) -> None:
    path = tmp_path / f"a{SUFFIX[format]}"
    image = picture(37, 23, channels, dtype)
    write_image(image, path)
    back = read_image(path)
    expected = image.samples
    if format == "webp" and channels < 3:  # WebP knows no grey.
        expected = np.concatenate([expected[:, :, :1].repeat(3, 2), expected[:, :, 1:]], axis=2)
    np.testing.assert_array_equal(back.samples, expected)
    assert back.info.dtype == dtype and back.info.alpha == image.info.alpha and not back.info.lossy
    _second_reader_agrees(path, expected, format, dtype)


def _second_reader_agrees(path: Path, expected: np.ndarray[Any, Any], format: str, dtype: str) -> None:
    if dtype == "uint8":
        np.testing.assert_array_equal(pillow_samples(path), expected)
    elif format == "png":
        np.testing.assert_array_equal(read_png16(path.read_bytes()), expected)
    elif expected.shape[2] == 1:
        np.testing.assert_array_equal(pillow_samples(path), expected)
    # Pillow opens no other TIFF of 16 bits or float; exiftool states their make-up in test_tiff_make_up.


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_tiff_make_up(tmp_path: Path, dtype: str) -> None:
    write_image(picture(9, 7, 4, dtype), tmp_path / "a.tif")
    tags = exiftool(tmp_path / "a.tif")
    depth = {"uint16": 16, "float32": 32}[dtype]
    assert tags["IFD0:BitsPerSample"] == " ".join([str(depth)] * 4)
    assert str(tags["IFD0:ExtraSamples"]) == "2"


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg(tmp_path: Path, channels: int) -> None:
    image = picture(64, 48, channels)
    write_image(image, tmp_path / "a.jpg")
    with Pillow.open(tmp_path / "a.jpg") as opened:
        assert opened.size == (48, 64) and opened.layers == channels  # type: ignore[attr-defined]
        if channels == 3:
            assert opened.layer[0][1:3] == opened.layer[1][1:3]  # type: ignore[attr-defined]
    assert np.abs(pillow_samples(tmp_path / "a.jpg").astype(int) - image.samples).max() < 12
    write_image(image, tmp_path / "b.jpg", quality=30)
    assert (tmp_path / "b.jpg").stat().st_size < (tmp_path / "a.jpg").stat().st_size


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_avif(tmp_path: Path, channels: int, dtype: str) -> None:
    image = picture(64, 48, channels, dtype)
    write_image(image, tmp_path / "a.avif")
    back = read_image(tmp_path / "a.avif")
    expected = image.samples if channels > 1 else image.samples.repeat(3, 2)
    error = np.abs(back.samples.astype(float) / back.info.sample_range - expected / image.info.sample_range)
    assert error.mean() < 0.01 and back.info.dtype == dtype
    other = pillow_samples(tmp_path / "a.avif")[:, :, :3] / 255
    assert np.abs(other - expected[:, :, :3] / image.info.sample_range).mean() < 0.01


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_16_bits_are_rounded_to_8(tmp_path: Path, format: str) -> None:
    image = picture(16, 16, 3, "uint16")
    path = tmp_path / "a.bin"
    write_image(image, path, format=format)
    expected = np.rint(image.samples / 257.0)
    limit = 0 if format == "webp" else 12
    assert np.abs(pillow_samples(path).astype(float) - expected).max() <= limit


@pytest.mark.parametrize("format", SUFFIX)
def test_metadata(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"a{SUFFIX[format]}"
    icc = profile()
    write_image(picture(60, 80, 3, icc=icc, exif=exif_block(), xmp=XMP, dpi=(600.0, 600.0)), path)
    with Pillow.open(path) as opened:
        assert opened.info["icc_profile"] == icc
        exif = opened.getexif()
        sub = exif.get_ifd(0x8769)
        assert exif[0x010F] == "Testcam" and exif.get(0x0112, 1) == 1
        assert (sub[0xA002], sub[0xA003]) == (80, 60) and float(sub[0x829A]) == pytest.approx(0.02)
        assert float(exif[0x011A]) == pytest.approx(600)
        if format in ("png", "jpeg", "tiff"):
            assert tuple(float(v) for v in opened.info["dpi"]) == pytest.approx((600, 600), abs=0.01)
    back = read_image(path).info.metadata
    assert back.icc == icc and back.xmp == upright_xmp(XMP) and back.dpi == pytest.approx((600, 600), abs=0.01)


@pytest.mark.parametrize("format", SUFFIX)
def test_metadata_by_exiftool(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"a{SUFFIX[format]}"
    write_image(picture(60, 80, 3, icc=profile(), exif=exif_block(), xmp=XMP, dpi=(600.0, 600.0)), path)
    tags = exiftool(path)
    assert tags["IFD0:Make"] == "Testcam" and tags["ExifIFD:ExposureTime"] == pytest.approx(0.02)
    assert tags["ExifIFD:ExifImageWidth"] == 80 and tags["ExifIFD:ExifImageHeight"] == 60
    assert tags["XMP-tiff:Orientation"] == 6  # given as it was: readers, not writers, set it to 1
    assert "ICC-header:ProfileClass" in tags and not {"ExifTool:Error", "ExifTool:Warning"} & tags.keys()


@pytest.mark.parametrize("format", SUFFIX)
@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_is_invented(tmp_path: Path, format: str, channels: int) -> None:
    path = tmp_path / f"a{SUFFIX[format]}"
    write_image(picture(60, 80, channels), path)
    meta = read_image(path).info.metadata
    assert (meta.icc, meta.exif, meta.xmp, meta.dpi) == (None, None, None, None)
    with Pillow.open(path) as opened:
        assert not opened.getexif().get_ifd(0x8769) and "icc_profile" not in opened.info
        assert opened.info.get("dpi", (1, 1))[0] in (1, 72)  # Pillow's own defaults


@pytest.mark.parametrize("format", SUFFIX)
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1)])
def test_thin_pictures(tmp_path: Path, format: str, shape: tuple[int, int]) -> None:
    path = tmp_path / f"a{SUFFIX[format]}"
    image = picture(*shape, 3)
    write_image(image, path)
    assert read_image(path).samples.shape == image.samples.shape
    assert pillow_samples(path).shape == image.samples.shape


@pytest.mark.parametrize(
    ("suffix", "channels", "dtype", "message"),
    [
        (".jpg", 4, "uint8", "transparency; choose PNG or TIFF"),
        (".jpg", 2, "uint8", "transparency"),
        (".png", 3, "float32", "float samples; choose TIFF"),
        (".webp", 3, "float32", "float samples"),
        (".avif", 3, "float32", "float samples"),
        (".heic", 3, "uint8", "not written"),
        (".gif", 3, "uint8", "not written"),
        (".pgn", 3, "uint8", "did you mean '.png'"),
        ("", 3, "uint8", "unknown picture suffix ''"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path: Path, suffix: str, channels: int, dtype: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        write_image(picture(4, 4, channels, dtype), tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


def info_of(height: int, width: int, **changes: Any) -> PictureInfo:
    from dataclasses import replace

    return replace(picture(1, 1, 3).info, height=height, width=width, **changes)


@pytest.mark.parametrize(("format", "side"), [("jpeg", 65_536), ("webp", 16_384), ("avif", 16_385)])
def test_too_large_for_the_format(tmp_path: Path, format: str, side: int) -> None:
    with pytest.raises(OptionError, match="pixels per side"):
        open_writer(tmp_path / "a", info_of(10, side), format=format)


@pytest.mark.parametrize(("format", "quality"), [("png", 50), ("tiff", 90), ("jpeg", 0), ("jpeg", 101), ("webp", -1)])
def test_quality_that_means_nothing(tmp_path: Path, format: str, quality: int) -> None:
    with pytest.raises(OptionError, match="quality"):
        open_writer(tmp_path / "a", info_of(4, 4), format=format, quality=quality)


def test_format_overrides_suffix(tmp_path: Path) -> None:
    write_image(picture(4, 4, 3), tmp_path / "a.jpg", format="PNG")
    assert read_image(tmp_path / "a.jpg").info.format == "png"


@pytest.mark.parametrize("format", SUFFIX)
def test_stream(format: str) -> None:
    image, stream = picture(40, 30, 3), io.BytesIO()
    writer = open_writer(None, image.info, format=format, stream=stream)
    assert writer.path is None
    writer.write(image.samples)
    assert stream.getvalue() == b""
    writer.commit()
    assert read_image(stream.getvalue()).samples.shape == (40, 30, 3)


def test_target_or_stream() -> None:
    with pytest.raises(OptionError, match="either a target file or a stream"):
        open_writer(None, info_of(1, 1))
    with pytest.raises(OptionError, match="needs a format"):
        open_writer(None, info_of(1, 1), stream=io.BytesIO())


def test_rows_in_any_portions_and_buffers_may_be_reused(tmp_path: Path) -> None:
    image = picture(300, 40, 3)
    writer = open_writer(tmp_path / "a.png", image.info)
    buffer = np.empty((64, 40, 3), np.uint8)
    row = 0
    for count in (1, 2, 0, 64, 61, 64, 64, 44):
        buffer[:count] = image.samples[row : row + count]
        writer.write(buffer[:count])
        buffer[...] = 99
        row += count
    writer.commit()
    np.testing.assert_array_equal(pillow_samples(tmp_path / "a.png"), image.samples)


def test_rows_that_are_not_contiguous(tmp_path: Path) -> None:
    image = picture(30, 40, 3)
    turned = Image.from_array(image.samples[::-1, ::-2])
    write_image(turned, tmp_path / "a.png")
    np.testing.assert_array_equal(pillow_samples(tmp_path / "a.png"), turned.samples)


def test_wrong_rows_are_refused_and_the_writer_goes_on(tmp_path: Path) -> None:
    image = picture(4, 5, 3)
    writer = open_writer(tmp_path / "a.png", image.info)
    for wrong in (np.zeros((1, 4, 3), np.uint8), np.zeros((1, 5, 3), np.uint16), np.zeros((5, 5, 3), np.uint8)):
        with pytest.raises(OptionError, match="rows"):
            writer.write(wrong)
    writer.write(image.samples)
    writer.commit()
    with pytest.raises(OutputError, match="finished"):
        writer.write(image.samples)
    with pytest.raises(OutputError, match="finished"):
        writer.commit()
    writer.abort()
    np.testing.assert_array_equal(pillow_samples(tmp_path / "a.png"), image.samples)


@pytest.mark.parametrize(("channels", "dtype"), [(1, "uint8"), (4, "uint16"), (3, "float32"), (2, "float32")])
@pytest.mark.parametrize("height", [1, 700])
def test_row_source_is_a_tiff(channels: int, dtype: str, height: int) -> None:
    """The stream that libvips is shown, once written out, is an ordinary TIFF."""
    image = picture(height, 900, channels, dtype)
    np.testing.assert_array_equal(read_image(tiff_header(image.info) + image.samples.tobytes()).samples, image.samples)


def test_row_source_lets_go_when_stopped() -> None:
    source = RowSource(info_of(10, 10))
    source.stop()
    assert not source.put(memoryview(bytes(10)))
    source.seek(0, 2)
    source.seek(-5, 1)
    assert source.read(10) == b""


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """A picture of 360 MB is written while the process grows by less than the queue and libvips' own buffers."""
    code = f"""
import numpy as np
from pathlib import Path
from superres.formats import open_writer
from superres.image import Image, PictureInfo
info = PictureInfo(20_000, 6_000, "rgb", np.dtype(np.uint8), 255.0, False, "png", False)
band = np.arange(1000 * 6000 * 3, dtype=np.uint32).astype(np.uint8).reshape(1000, 6000, 3)
writer = open_writer(Path({str(tmp_path / "a.jpg")!r}), info)
for _ in range(20):
    writer.write(band)
writer.commit()
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Python, NumPy and libvips 70 MB; the band and its making 90; the queue 96; a slice and libvips' strips the rest.
    assert int(done.stdout) < 400_000


def exiftool(path: Path) -> dict[str, Any]:
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("NO EXIFTOOL: install libimage-exiftool-perl to check metadata with a second reader")
    done = subprocess.run([program, "-j", "-n", "-G1", str(path)], capture_output=True, text=True, check=True)
    tags: dict[str, Any] = json.loads(done.stdout)[0]
    return tags


def test_smooth_is_smooth() -> None:
    assert smooth(8, 8, 3).std() > 10
