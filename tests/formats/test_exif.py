"""EXIF blocks and the TIFF structure beneath them."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from superres.errors import CorruptInputError
from superres.formats.exif import exif_dpi, resized, stating, strip_prefix, upright, upright_xmp
from superres.formats.tiff import TiffFile

from .support import XMP, exif_block


def tags(block: bytes) -> tuple[dict[int, object], dict[int, object]]:
    exif = Pillow.Exif()
    exif.load(b"Exif\0\0" + block)
    return dict(exif), dict(exif.get_ifd(0x8769))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_upright(order: str, prefix: bytes) -> None:
    block = upright(prefix + exif_block(6, thumbnail=True, order=order))
    assert block is not None and b"thumbnail" not in block
    main, sub = tags(block)
    assert main[0x0112] == 1 and main[0x010F] == "Testcam" and sub[0x829A] == 1 / 50
    tiff = TiffFile(io.BytesIO(block), "x")
    assert len(tiff.directories()) == 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("size", [(80, 60), (70_000, 65_535)])
def test_resized(order: str, size: tuple[int, int]) -> None:
    main, sub = tags(resized(exif_block(order=order), *size, (600.0, 601.5)))
    assert (sub[0xA002], sub[0xA003]) == size
    assert (float(main[0x011A]), float(main[0x011B])) == (600.0, 601.5)  # type: ignore[arg-type]
    assert main[0x010F] == "Testcam"


@pytest.mark.parametrize("order", ["<", ">"])
def test_stating_adds_a_resolution_and_moves_nothing(order: str) -> None:
    block = exif_block(order=order)
    assert stating(block, (72.0, 72.0)) == block
    # Without its fields for resolution: their numbers become private ones.
    bare = block
    for tag in (0x011A, 0x011B, 0x0128):
        bare = bare.replace(
            struct.pack(order + "HH", tag, 3 if tag == 0x0128 else 5), struct.pack(order + "HH", tag + 9, 7)
        )
    assert exif_dpi(bare) is None
    made = stating(bare, (300.0, 96.5))
    main, sub = tags(made)
    assert (main[0x011A], main[0x011B], main[0x0128]) == (300.0, 96.5, 2)
    assert main[0x010F] == "Testcam" and sub[0x829A] == 1 / 50
    assert made[8 : len(bare)] == bare[8:] and exif_dpi(stating(None, (1e5, 2e5))) == (1e5, 2e5)


def test_dpi() -> None:
    assert exif_dpi(exif_block()) == (300.0, 300.0)
    assert exif_dpi(b"rubbish") is None


@pytest.mark.parametrize(
    "block", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"Exif\0\0", b"MM\0*" + bytes(4), b"II+\0" + bytes(20)]
)
def test_damaged_block_is_dropped(block: bytes) -> None:
    assert upright(block) is None


@given(st.data())
def test_mutated_blocks_never_surprise(data: st.DataObject) -> None:
    block = bytearray(exif_block(6, thumbnail=True))
    for _ in range(data.draw(st.integers(1, 6))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    result = upright(bytes(block[: data.draw(st.integers(0, len(block)))]))
    if result is not None:
        exif_dpi(result)
        assert exif_dpi(stating(resized(result, 100, 100, (72.0, 72.0)), (72.0, 72.0))) is not None


def test_xmp() -> None:
    assert b'tiff:Orientation="1"' in upright_xmp(XMP)
    assert upright_xmp(b"<tiff:Orientation>8</tiff:Orientation>") == b"<tiff:Orientation>1</tiff:Orientation>"
    assert upright_xmp(b"Orientation=6") == b"Orientation=6"


def test_prefix() -> None:
    assert strip_prefix(b"Exif\0\0Exif\0\0II") == b"II"


def test_circle_of_directories() -> None:
    # The directory (no fields) names itself as the next one.
    data = b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0"
    with pytest.raises(CorruptInputError, match="circle"):
        TiffFile(io.BytesIO(data), "x.tif").directories()
