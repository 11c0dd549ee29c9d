"""Hostile and broken files: only our errors, quickly, and never grey in place of a picture."""

from __future__ import annotations

import struct
import time
import zlib

import numpy as np
import pytest
import pyvips

from superres.errors import CorruptInputError, InputError, LimitError, UnsupportedFormatError
from superres.formats import open_reader, read_image
from superres.formats.animation import is_animated, open_animation

from .support import exif_block, forget_peak, memory_kb, pillow_bytes, plain_tiff, png_chunk, smooth

_PICTURE = pyvips.Image.new_from_array(smooth(48, 64, 3))
_EXIF = {"exif": b"Exif\0\0" + exif_block()}
FILES = {
    "png": pillow_bytes(smooth(48, 64, 3), "PNG", **_EXIF),
    "interlaced png": _PICTURE.pngsave_buffer(interlace=True),
    "palette png": _PICTURE.pngsave_buffer(palette=True),
    "jpeg": pillow_bytes(smooth(48, 64, 3), "JPEG", **_EXIF),
    "progressive jpeg": pillow_bytes(smooth(48, 64, 3), "JPEG", progressive=True),
    "restart jpeg": _PICTURE.jpegsave_buffer(restart_interval=2),
    "tiff": plain_tiff(smooth(48, 64, 3)),
    "big tiff": plain_tiff(smooth(48, 64, 3, "uint16"), big=True),
    "deflated tiff": pillow_bytes(smooth(48, 64, 3), "TIFF", compression="tiff_deflate"),
    "jpeg tiff": pillow_bytes(smooth(48, 64, 3), "TIFF", compression="jpeg"),
    "tiled tiff": _PICTURE.tiffsave_buffer(tile=True, tile_width=16, tile_height=16, compression="lzw"),
    "webp": pillow_bytes(smooth(48, 64, 3), "WEBP", **_EXIF),
    "lossless webp": pillow_bytes(smooth(48, 64, 4), "WEBP", lossless=True),
    "avif": pillow_bytes(smooth(48, 64, 3), "AVIF", **_EXIF),
    "gif": _PICTURE.gifsave_buffer(),
}


@pytest.mark.parametrize("kind", FILES)
def test_truncated_at_every_percent(kind: str) -> None:
    data = FILES[kind]
    whole = read_image(data).samples
    refused = 0
    for percent in range(100):
        try:
            samples = read_image(data[: len(data) * percent // 100], name="cut.file").samples
        except InputError as exc:
            refused += 1
            assert "cut.file" in str(exc) and "\n" not in str(exc)
        else:
            np.testing.assert_array_equal(samples, whole, err_msg=f"{kind} cut at {percent} %")
    # Metadata at the end of a file may go without harm, but not more than that.
    assert refused >= 95


@pytest.mark.parametrize("kind", FILES)
def test_mutated_files_raise_only_our_errors(kind: str) -> None:
    data = FILES[kind]
    rng = np.random.default_rng(7)
    slowest = 0.0
    for turn in range(200):
        broken = bytearray(data)
        # Half of the mutations hit the header, where they do most.
        reach = len(broken) if turn % 2 else min(len(broken), 160)
        for _ in range(int(rng.integers(1, 9))):
            broken[int(rng.integers(0, reach))] = int(rng.integers(0, 256))
        if turn % 10 == 0:
            at = int(rng.integers(0, len(broken)))
            del broken[at : at + int(rng.integers(1, 64))]
        start = time.process_time()
        for use in (read_image, is_animated):
            try:
                use(bytes(broken), name="fuzz.file")
            except InputError as exc:
                assert "fuzz.file" in str(exc) and len(str(exc)) < 500
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 5


def png_with(*chunks: bytes, width: int = 4, height: int = 4) -> bytes:
    """A grey PNG with chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(max(0, min(width, 9)))) * max(0, min(height, 9)))
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", rows), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(("width", "height"), [(0, 4), (4, 0), (2**31, 4), (4, 2**31), (2**32 - 1, 2**32 - 1)])
def test_impossible_png_sizes(width: int, height: int) -> None:
    with pytest.raises((CorruptInputError, LimitError), match="x.png"):
        open_reader(png_with(width=width, height=height), name="x.png")


@pytest.mark.parametrize(("tag", "value"), [(256, 0), (257, 0), (256, 2**31), (257, 2**32 - 1), (277, 0), (278, 0)])
def test_impossible_tiff_sizes(tag: int, value: int) -> None:
    data = plain_tiff(smooth(4, 4, 3), extra={tag: (4, value)})
    try:
        samples = read_image(data, name="x.tif").samples
    except InputError as exc:
        assert "x.tif" in str(exc)
    else:  # A strip of 0 rows means one strip.
        np.testing.assert_array_equal(samples, smooth(4, 4, 3))


def test_gif_and_webp_of_no_size() -> None:
    gif = bytearray(FILES["gif"])
    gif[6:10] = bytes(4)
    for data in (bytes(gif), FILES["webp"][:24] + bytes(8) + FILES["webp"][32:]):
        try:
            read_image(data, name="x")
        except InputError as exc:
            assert "x" in str(exc)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt"])
@pytest.mark.parametrize("copies", [1, 40])
def test_metadata_bomb(kind: bytes, copies: int) -> None:
    bomb = zlib.compress(bytes(120_000_000 // copies), 9)
    head = {b"zTXt": b"a\0\0", b"iCCP": b"a\0\0", b"iTXt": b"a\0\1\0\0\0"}[kind]
    data = png_with(*[png_chunk(kind, head + bomb)] * copies)
    before = forget_peak()
    start = time.process_time()
    with pytest.raises(LimitError, match=r"x\.png: its compressed metadata"):
        open_reader(data, name="x.png")
    assert time.process_time() - start < 1
    assert memory_kb("VmHWM") - before < 50_000


def test_flood_of_chunks() -> None:
    start = time.process_time()
    with pytest.raises(CorruptInputError, match="metadata chunks"):
        open_reader(png_with(*[png_chunk(b"tEXt", b"a\0b")] * 200_000), name="x.png")
    assert time.process_time() - start < 1


def test_huge_flat_png_is_refused_from_its_header() -> None:
    # Pixels of the first rows only: nobody may get as far as missing the others.
    body = zlib.compress((b"\0" + bytes(14_000 * 3)) * 500)
    header = struct.pack(">IIBBBBB", 14_000, 14_000, 8, 2, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", body), png_chunk(b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    before = forget_peak()
    with pytest.raises(LimitError, match="14000 x 14000"):
        open_reader(data, name="flat.png")
    assert memory_kb("VmHWM") - before < 50_000


def test_tiff_with_a_circle_of_directories() -> None:
    data = bytearray(plain_tiff(smooth(4, 4, 3)))
    at = 8 + 2 + struct.unpack_from("<H", data, 8)[0] * 12
    struct.pack_into("<I", data, at, 8)
    with pytest.raises(CorruptInputError, match="circle"):
        open_reader(bytes(data), name="x.tif")


def test_tiff_with_strips_outside_the_file() -> None:
    data = plain_tiff(smooth(4, 4, 3), extra={279: (4, 2**31)})
    try:
        np.testing.assert_array_equal(read_image(data).samples, smooth(4, 4, 3))
    except InputError:
        pass
    with pytest.raises(CorruptInputError):
        read_image(plain_tiff(smooth(4, 4, 3))[:-1])


def gif_of(frames: int, width: int = 64, height: int = 64) -> bytes:
    """A GIF with many frames of one pixel each on a large canvas."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\x04\x01\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b";"


def test_gif_of_a_hundred_thousand_frames() -> None:
    start = time.process_time()
    with pytest.raises(LimitError, match="100000 frame"):
        open_animation(gif_of(100_000), name="x.gif")
    assert time.process_time() - start < 5


def test_apng_that_lies_about_its_frames() -> None:
    data = png_with(png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)))
    with pytest.raises(CorruptInputError, match="animation frames"):
        open_animation(data, name="x.png")
    with pytest.raises(CorruptInputError):
        is_animated(data)


def test_messages_are_single_lines() -> None:
    with pytest.raises(UnsupportedFormatError) as caught:
        open_reader(b"a\nb\nc" * 100, name="x")
    assert "\n" not in str(caught.value)
