"""What the reader of still pictures makes of every kind of file."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import pyvips
from PIL import Image as Pillow
from PIL import ImageCms

from superres.errors import CorruptInputError, LimitError, OptionError, UnsupportedFormatError
from superres.formats import Limits, open_reader, read_image
from superres.formats.containers import jpeg_quality

from .support import XMP, exif_block, pillow_bytes, pillow_samples, plain_tiff, png16, profile, smooth


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_16_bit(channels: int) -> None:
    samples = smooth(7, 5, channels, "uint16")
    image = read_image(png16(samples))
    assert image.info.dtype == np.uint16 and image.info.sample_range == 65535
    assert image.info.alpha == (channels in (2, 4))
    np.testing.assert_array_equal(image.samples, samples)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_of_every_depth(channels: int, dtype: str, order: Literal["<", ">"], big: bool) -> None:
    samples = smooth(7, 5, channels, dtype)
    image = read_image(plain_tiff(samples, order=order, big=big))
    assert image.info.dtype == dtype and not image.info.lossy
    np.testing.assert_array_equal(image.samples, samples)


def test_float_passes_nan_infinity_and_values_above_one() -> None:
    samples = np.array([[np.nan, np.inf, -np.inf, 7.5, -3]], np.float32)[:, :, None].repeat(3, 2)
    np.testing.assert_array_equal(read_image(plain_tiff(samples)).samples, samples)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_small_grey_is_expanded(bits: int) -> None:
    levels = 2**bits
    values = np.arange(levels, dtype=np.uint8)[None, :, None] * (255 // (levels - 1))
    data = pyvips.Image.new_from_array(values[:, :, 0]).pngsave_buffer(bitdepth=bits)
    assert data[24] == bits
    image = read_image(data)
    assert image.info.dtype == np.uint8 and image.info.colour == "grey"
    np.testing.assert_array_equal(image.samples, values)


def test_bilevel_tiff() -> None:
    picture = Pillow.fromarray(smooth(9, 17, 1)[:, :, 0]).convert("1")
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", compression="group4")
    image = read_image(buffer.getvalue())
    np.testing.assert_array_equal(image.samples[:, :, 0], np.array(picture.convert("L")))


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "GIF"])
def test_palette_becomes_colours(format: str, transparent: bool) -> None:
    if format == "TIFF" and transparent:
        return  # TIFF palettes have no transparency.
    picture = Pillow.fromarray(smooth(16, 16, 3)).quantize(8)
    buffer = io.BytesIO()
    picture.save(buffer, format, **({"transparency": 3} if transparent else {}))
    expected = np.array(Pillow.open(io.BytesIO(buffer.getvalue())).convert("RGBA" if transparent else "RGB"))
    image = read_image(buffer.getvalue())
    assert image.info.alpha == transparent
    visible = expected[:, :, 3:] > 0 if transparent else np.ones((16, 16, 1), bool)
    np.testing.assert_array_equal(image.samples * visible, expected * visible)


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_becomes_srgb(format: str, embedded: bool) -> None:
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[:4, :, 3] = 255  # black above, bare paper below
    buffer = io.BytesIO()
    icc = {"icc_profile": bytes(pyvips.Image.profile_load("cmyk"))} if embedded else {}
    Pillow.fromarray(inks, "CMYK").save(buffer, format, **icc)
    image = read_image(buffer.getvalue())
    assert image.info.colour == "rgb" and not image.info.alpha
    assert image.samples[6:].min() > 245 and image.samples[:2].max() < 60
    assert image.info.metadata.icc is not None and image.info.metadata.icc[16:20] == b"RGB "


def test_lab_becomes_srgb() -> None:
    lab = pyvips.Image.new_from_array(smooth(8, 8, 3)).copy(interpretation="srgb").colourspace("lab")
    image = read_image(lab.tiffsave_buffer())
    assert image.info.colour == "rgb" and image.info.dtype in (np.uint8, np.uint16)
    back = image.samples.astype(float) / image.info.sample_range * 255
    assert np.abs(back - smooth(8, 8, 3)).mean() < 3


def _lab(rgb: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """CIELab of sRGB samples by the formulas of the CIE; the white is D50, the matrix (Bradford) Lindbloom's."""
    unit = rgb / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    xyz = linear @ np.array(matrix).T / (0.96422, 1, 0.82521)
    x, y, z = np.moveaxis(np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(("dtype", "largest", "unit"), [("uint8", 255, 1), ("uint16", 65_535, 256)])
def test_lab_in_integers(
    tmp_path: Path, dtype: str, largest: int, unit: int, alpha: bool, order: Literal["<", ">"]
) -> None:
    rgb = smooth(40, 30, 3)
    steps = np.rint(_lab(rgb) * (largest / 100, unit, unit))
    lab = steps.astype(np.int64).astype(dtype)
    over = np.arange(40 * 30, dtype=dtype).reshape(40, 30, 1) * 53
    data = plain_tiff(np.concatenate([lab, over], 2) if alpha else lab, order=order, extra={262: (3, 8)})
    (tmp_path / "a.tif").write_bytes(data)
    for source in (data, tmp_path / "a.tif"):
        image = read_image(source)
        assert image.info.dtype == dtype and image.info.colour == "rgb" and image.info.alpha == alpha
        assert image.info.metadata.icc is not None and image.info.metadata.icc[16:20] == b"RGB "
        # sRGB of 8 bits comes within half a step of Lab; of 16 bits within half a step of 8 bits of sRGB.
        found = image.samples[..., :3] * (255 / largest)
        if dtype == "uint8":
            assert np.abs(_lab(found) * (largest / 100, unit, unit) - steps).max() < 0.6
        else:
            assert np.abs(found - rgb).max() < 0.5
        if alpha:
            np.testing.assert_array_equal(image.samples[..., 3:], over)
    assert (tmp_path / "a.tif").read_bytes() == data


def test_lab_of_8_bits_from_pillow_agrees_with_it() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    rgb = smooth(16, 24, 3)
    coded = ImageCms.applyTransform(Pillow.fromarray(rgb), to_lab)
    assert coded is not None
    buffer = io.BytesIO()
    coded.save(buffer, "TIFF", compression="tiff_lzw")
    assert np.abs(read_image(buffer.getvalue()).samples.astype(int) - rgb).mean() < 0.8


@pytest.mark.parametrize(("channels", "extra", "kind"), [(1, 0, "1 channel"), (2, 2, "2 channel"), (4, 1, "premult")])
def test_other_lab_is_refused(channels: int, extra: int, kind: str) -> None:
    data = plain_tiff(smooth(4, 4, channels), extra={262: (3, 8), 338: (3, extra)})
    with pytest.raises(UnsupportedFormatError, match=f"a.tif: is CIELab with {kind}.*convert it to RGB"):
        read_image(data, name="a.tif")


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_a_channel_of_no_stated_meaning_is_no_alpha(channels: int) -> None:
    samples = smooth(4, 4, channels)
    kind = {262: (3, 5)} if channels == 5 else {}
    with pytest.raises(UnsupportedFormatError, match=r"a.tif: .*ExtraSamples 0.*tiffset -s 338 1 2 FILE"):
        read_image(plain_tiff(samples, extra=kind | {338: (3, 0)}), name="a.tif")
    assert read_image(plain_tiff(samples, extra=kind | {338: (3, 2)})).info.alpha
    if channels < 5:  # Pillow as well takes it for something else than transparency.
        with Pillow.open(io.BytesIO(plain_tiff(smooth(4, 4, 4), extra={338: (3, 0)}))) as opened:
            assert opened.mode == "RGB"


def test_what_was_read_from_memory_stays_there() -> None:
    samples = smooth(300, 200, 3)
    readers = [open_reader(plain_tiff(samples)) for _ in range(20)]
    waste = [bytes(samples.nbytes + 500) for _ in range(40)]
    for reader in readers:
        np.testing.assert_array_equal(reader.read(0, 300), samples)
    assert len(waste) == 40


def test_premultiplied_tiff_becomes_straight() -> None:
    straight = np.zeros((4, 4, 4), np.uint8)
    straight[...] = (200, 100, 50, 128)
    stored = straight.copy()
    stored[..., :3] = np.rint(straight[..., :3] * (128 / 255))
    image = read_image(plain_tiff(stored, extra={338: (3, 1)}))
    assert np.abs(image.samples.astype(int) - straight).max() <= 2
    np.testing.assert_array_equal(image.samples[..., 3], 128)


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_baked_in(format: str, orientation: int) -> None:
    upright = np.zeros((24, 40, 3), np.uint8)
    upright[:8, :8] = (250, 20, 20)
    upright[:8, 32:] = (20, 250, 20)
    stored = _turned(upright, orientation)
    options: dict[str, Any] = {"exif": b"Exif\0\0" + exif_block(orientation), "xmp": XMP}
    if format == "TIFF":
        options = {"tiffinfo": {274: orientation}}
    exact: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
    options |= exact.get(format, {})
    image = read_image(pillow_bytes(stored, format, **options))
    assert (image.info.height, image.info.width) == (24, 40)
    assert np.abs(image.samples.astype(int) - upright).mean() < 3
    if format != "TIFF":
        exif = Pillow.Exif()
        exif.load(b"Exif\0\0" + (image.info.metadata.exif or b""))
        assert exif[0x0112] == 1
        assert b'Orientation="1"' in (image.info.metadata.xmp or b"")


def _turned(upright: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """The stored array that ``orientation`` turns into ``upright``, by the table of the EXIF standard."""
    turns: dict[int, Callable[[Any], Any]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(turns[orientation](upright))


def test_avif_is_not_turned_twice() -> None:
    upright = smooth(16, 24, 3)
    data = pillow_bytes(_turned(upright, 6), "AVIF", exif=b"Exif\0\0" + exif_block(6), quality=95)
    image = read_image(data)
    assert (image.info.height, image.info.width) == (16, 24)
    assert np.abs(image.samples.astype(int) - upright).mean() < 6


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif_reaches_full_range(bits: int) -> None:
    white = pyvips.Image.black(16, 16, bands=3).invert().cast("ushort").linear(257, 0).cast("ushort")
    data = white.copy(interpretation="rgb16").heifsave_buffer(compression="av1", bitdepth=bits, lossless=True)
    image = read_image(data)
    assert image.info.dtype == np.uint16
    np.testing.assert_array_equal(image.samples, 65535)


def test_metadata_is_read() -> None:
    icc = profile()
    options: dict[str, Any] = {"icc_profile": icc, "exif": b"Exif\0\0" + exif_block(), "xmp": XMP}
    for format in ("JPEG", "PNG", "WEBP", "AVIF"):
        if format == "PNG":
            options["dpi"] = (300, 300)
        meta = read_image(pillow_bytes(smooth(8, 8, 3), format, **options)).info.metadata
        assert meta.icc == icc and meta.dpi == (300.0, 300.0)
        assert meta.exif is not None and meta.exif.startswith(b"II") and b"Testcam" in meta.exif
        assert meta.xmp is not None and b"xmpmeta" in meta.xmp


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_no_resolution_stated(format: str) -> None:
    assert read_image(pillow_bytes(smooth(8, 8, 3), format)).info.metadata.dpi is None


def test_unequal_resolution_turns_along() -> None:
    data = pillow_bytes(
        smooth(8, 4, 3), "TIFF", tiffinfo={274: 6}, x_resolution=100, y_resolution=200, resolution_unit=2
    )
    assert read_image(data).info.metadata.dpi == (200.0, 100.0)


@pytest.mark.parametrize(
    ("data", "lossy"),
    [
        (pillow_bytes(smooth(16, 16, 3), "WEBP", lossless=True), False),
        (pillow_bytes(smooth(16, 16, 3), "WEBP", quality=50), True),
        (pillow_bytes(smooth(16, 16, 4), "WEBP", quality=50), True),
        (pillow_bytes(smooth(16, 16, 3), "TIFF", compression="jpeg"), True),
        (pillow_bytes(smooth(16, 16, 3), "TIFF", compression="tiff_lzw"), False),
        (pillow_bytes(smooth(16, 16, 3), "JPEG"), True),
        (pillow_bytes(smooth(16, 16, 3), "AVIF"), True),
    ],
)
def test_lossy(data: bytes, lossy: bool) -> None:
    assert read_image(data).info.lossy is lossy


@pytest.mark.parametrize("quality", [5, 20, 50, 75, 89, 90, 95, 99])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_quality_of_a_jpeg_is_what_it_was_written_with(quality: int, mode: str) -> None:
    file = io.BytesIO()
    Pillow.new(mode, (20, 16), 99).save(file, "jpeg", quality=quality, exif=exif_block(6), dpi=(72, 72))
    found = open_reader(file.getvalue()).info.quality
    assert found is not None and abs(found - quality) <= (8 if quality < 20 else 0)  # coarse tables end at 255


@pytest.mark.parametrize("bits", [8, 16])
def test_the_quality_of_tables_of_its_own(bits: int) -> None:
    values = [200] * 64 if bits == 8 else [(200).to_bytes(2, "big")] * 64
    table = bytes([0x10 if bits == 16 else 0, *(values if bits == 8 else b"".join(values))])  # type: ignore[arg-type]
    head = b"\xff\xd8\xff\xfe\0\4ab\xff\xdb" + (len(table) + 2).to_bytes(2, "big") + table
    # 64 * 200 of libjpeg's 3688 at quality 50: 347 %.
    assert jpeg_quality(io.BytesIO(head)) == 14
    for cut in range(2, len(head)):
        assert jpeg_quality(io.BytesIO(head[:cut])) is None


def test_a_jpeg_that_states_no_quality_before_its_pixels() -> None:
    assert jpeg_quality(io.BytesIO(b"\xff\xd8\xff\xda\0\2\xff\xdb\0\2")) is None
    assert jpeg_quality(io.BytesIO(b"\xff\xd8\xff\xdb\0\0")) is None
    assert open_reader(png16(smooth(7, 5, 3, "uint16"))).info.quality is None


@pytest.mark.parametrize("dtype", ["uint32", "int16", "int8", "float64", "int32"])
def test_other_depths_are_refused(dtype: str) -> None:
    with pytest.raises(UnsupportedFormatError, match="samples; expected 8 or 16-bit"):
        read_image(plain_tiff(np.zeros((4, 4, 3), dtype)), name="odd.tif")


def test_many_channels_are_refused() -> None:
    with pytest.raises(UnsupportedFormatError, match="7 channels"):
        read_image(plain_tiff(np.zeros((4, 4, 7), np.uint8)))


def test_pages() -> None:
    pages = [Pillow.fromarray(smooth(8, 8, 3, seed=seed)) for seed in range(3)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(UnsupportedFormatError, match="3 pages"):
        read_image(buffer.getvalue(), name="fax.tif")


def test_reduced_copies_are_passed_over() -> None:
    full = smooth(300, 300, 3)
    data = pyvips.Image.new_from_array(full).tiffsave_buffer(pyramid=True, tile=True, tile_width=64, tile_height=64)
    np.testing.assert_array_equal(read_image(data).samples, full)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 1), (300, 1, 4), (2, 1, 3)])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_thin_pictures(shape: tuple[int, int, int], format: str) -> None:
    if format == "JPEG" and shape[2] == 4:
        return  # JPEG has no transparency.
    image = read_image(pillow_bytes(smooth(*shape), format))
    assert image.samples.shape[:2] == shape[:2]


def test_rows_in_runs_equal_the_whole_and_threads_may_change(tmp_path: Path) -> None:
    samples = smooth(257, 31, 3)
    path = tmp_path / "a.png"
    path.write_bytes(pillow_bytes(samples, "PNG"))
    reader = open_reader(path)
    parts: list[np.ndarray[Any, Any]] = []
    edges = [0, 1, 8, 9, 100, 101, 230, 257]
    for start, stop in itertools.pairwise(edges):
        worker = threading.Thread(target=lambda a=start, b=stop: parts.append(reader.read(a, b)))
        worker.start()
        worker.join()
    np.testing.assert_array_equal(np.concatenate(parts), samples)


def test_order_of_rows_is_checked() -> None:
    reader = open_reader(pillow_bytes(smooth(8, 8, 3), "PNG"), name="a.png")
    reader.read(0, 4)
    for start, stop in ((0, 4), (5, 6), (4, 4), (4, 9)):
        with pytest.raises(OptionError, match="a.png: rows"):
            reader.read(start, stop)
    reader.close()
    reader.close()
    with pytest.raises(OptionError, match="closed"):
        reader.read(4, 8)


def test_limit_is_checked_before_decoding() -> None:
    with pytest.raises(LimitError, match="--max-input"):
        open_reader(pillow_bytes(smooth(20, 20, 3), "PNG"), limits=Limits(input_pixels=399))
    assert open_reader(pillow_bytes(smooth(20, 20, 3), "PNG"), limits=Limits(input_pixels=400)).info.width == 20


def test_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for value in (10, 200):
        path.write_bytes(pillow_bytes(np.full((4, 4, 3), value, np.uint8), "PNG"))
        assert read_image(path).samples.max() == value


def test_undecodable_hevc_is_named() -> None:
    data = bytearray(pillow_bytes(smooth(16, 16, 3), "AVIF"))
    # The same container, announced as HEIC: whatever libheif makes of it must be one of our errors or a picture.
    data[8:12] = b"heic"
    patched = bytes(data).replace(b"avif", b"heic").replace(b"av01", b"hvc1").replace(b"av1C", b"hvcC")
    with pytest.raises((UnsupportedFormatError, CorruptInputError), match="x.heic"):
        open_reader(patched, name="x.heic")


def test_agrees_with_pillow() -> None:
    data = pillow_bytes(smooth(40, 30, 3), "JPEG", quality=85)
    assert np.abs(read_image(data).samples.astype(int) - pillow_samples(data)).max() <= 2
