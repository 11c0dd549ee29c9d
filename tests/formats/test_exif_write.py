"""EXIF in results: other readers find the source's fields as they were, whatever libvips' own library makes of them."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from superres.errors import CorruptInputError, OutputError
from superres.formats import open_writer, read_image, write_image
from superres.formats.boxes import number
from superres.formats.exif import resized
from superres.formats.exif_tiff import append_exif, extract_exif
from superres.formats.exif_write import _extent, put_exif, room
from superres.formats.tiff import TiffFile
from superres.image import Image

from .support import XMP, picture, pillow_bytes, plain_tiff, png_chunk, profile, smooth
from .test_encode import exiftool

SUFFIXES = [".png", ".jpg", ".tif", ".webp", ".avif"]
BLOCKS = [".jpg", ".webp", ".avif"]


def block(maker_note: int = 10, *, order: str = "<") -> bytes:
    """EXIF without resolution and sizes, with fields that libexif drops: host, image number, Windows title, interop."""
    code = "little" if order == "<" else "big"
    mark = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)

    def directory(at: int, fields: dict[int, tuple[int, int, bytes]]) -> bytes:
        head, outside = b"", b""
        behind = at + 2 + 12 * len(fields) + 4
        for tag, (kind, count, value) in sorted(fields.items()):
            head += struct.pack(order + "HHI", tag, kind, count)
            if len(value) <= 4:
                head += value.ljust(4, b"\0")
            else:
                head += struct.pack(order + "I", behind + len(outside))
                outside += value + bytes(len(value) % 2)
        return struct.pack(order + "H", len(fields)) + head + bytes(4) + outside

    def long(value: int) -> bytes:
        return value.to_bytes(4, code)  # type: ignore[arg-type]

    def tree(main_at: int, sub: int, interop: int) -> tuple[bytes, bytes, bytes]:
        main = {
            0x010F: (2, 8, b"Testcam\0"),
            0x0112: (3, 1, (1).to_bytes(2, code)),  # type: ignore[arg-type]
            0x013C: (2, 5, b"Host\0"),
            0x8769: (4, 1, long(sub)),
            0x9C9B: (1, 12, "Titel\0".encode("utf-16-le")),
        }
        exif = {
            0x9211: (4, 1, long(7)),
            0x927C: (7, maker_note, b"\x5a" * maker_note),
            0xA005: (4, 1, long(interop)),
            0xA434: (2, 5, b"Lens\0"),
        }
        parts = directory(8, main), directory(sub, exif), directory(interop, {1: (2, 4, b"R03\0")})
        return parts

    main, exif, _ = tree(8, 0, 0)
    sub, interop = 8 + len(main), 8 + len(main) + len(exif)
    return mark + b"".join(tree(8, sub, interop))


def written(tmp_path: Path, suffix: str, image: Image, **options: Any) -> Path:
    path = tmp_path / f"a{suffix}"
    writer = open_writer(path, image.info, **options)
    assert writer.warnings == ()
    writer.write(image.samples)
    writer.commit()
    return path


def found(path: Path) -> bytes:
    """The EXIF block that Pillow finds."""
    with Pillow.open(path) as opened:
        raw: bytes = opened.info["exif"]
    return raw.removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("more", [{}, {"icc": profile(), "xmp": XMP}], ids=["alone", "with profile and XMP"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif"])
def test_a_block_stays_as_it_is(tmp_path: Path, suffix: str, more: dict[str, Any], order: str) -> None:
    exif = block(order=order)
    path = written(tmp_path, suffix, picture(12, 16, 3, exif=exif, **more), compression="small")
    assert found(path) == exif
    back = read_image(path).info.metadata
    assert (back.exif, back.icc, back.dpi) == (exif, more.get("icc"), None) and (back.xmp is None) == (not more)
    tags = exiftool(path)
    assert tags["IFD0:HostComputer"] == "Host" and tags["ExifIFD:ImageNumber"] == 7 and tags["IFD0:XPTitle"] == "Titel"
    assert not {"IFD0:XResolution", "ExifIFD:ExifImageWidth", "ExifTool:Error"} & tags.keys()


@pytest.mark.parametrize("suffix", [".png", ".webp", ".avif"])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_block_that_is_larger_than_jpeg_allows(tmp_path: Path, suffix: str, channels: int) -> None:
    exif = block(200_001)
    path = written(tmp_path, suffix, picture(12, 16, channels, exif=exif, xmp=XMP), compression="small")
    assert found(path) == exif and read_image(path).info.metadata.exif == exif
    with Pillow.open(path) as opened:
        opened.load()


def test_jpeg_holds_a_full_segment(tmp_path: Path) -> None:
    exif = block(65_526 - len(block(6)) + 6)
    assert len(exif) == 65_526 and found(written(tmp_path, ".jpg", picture(12, 16, 3, exif=exif))) == exif


@pytest.mark.parametrize("dpi", [None, (300.0, 150.0)])
def test_what_jpeg_cannot_hold_is_told(tmp_path: Path, dpi: tuple[float, float] | None) -> None:
    exif, icc = block(65_527), profile()
    image = picture(12, 16, 3, exif=exif, icc=icc, dpi=dpi)
    writer = open_writer(tmp_path / "a.jpg", image.info)
    writer.write(image.samples)
    writer.commit()
    (warning,) = writer.warnings
    assert f"EXIF of {len(exif)} bytes is left out" in warning and "65527" in warning and "PNG" in warning
    with Pillow.open(tmp_path / "a.jpg") as opened:
        assert 0x010F not in opened.getexif() and opened.info["icc_profile"] == icc
    assert read_image(tmp_path / "a.jpg").info.metadata.dpi == dpi


@pytest.mark.parametrize("suffix", BLOCKS)
@pytest.mark.parametrize("exif", [None, block(), block(order=">")], ids=["none", "II", "MM"])
def test_a_resolution_that_exif_did_not_state(tmp_path: Path, suffix: str, exif: bytes | None) -> None:
    path = written(tmp_path, suffix, picture(12, 16, 3, exif=exif, dpi=(300.5, 150.0)))
    with Pillow.open(path) as opened:
        tags = opened.getexif()
        assert (float(tags[0x011A]), float(tags[0x011B]), tags[0x0128]) == (300.5, 150.0, 2)
        assert tags.get(0x010F) == (exif and "Testcam") and tags.get_ifd(0x8769).get(0x9211) == (exif and 7)
    assert read_image(path).info.metadata.dpi == (300.5, 150.0)
    assert not {"ExifTool:Warning", "ExifTool:Error"} & exiftool(path).keys()


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_takes_the_fields_into_its_directories(tmp_path: Path, order: str) -> None:
    path = written(tmp_path, ".tif", picture(12, 16, 3, exif=block(3 * 2**20, order=order)))
    with Pillow.open(path) as opened:
        tags = opened.getexif()
        sub = tags.get_ifd(0x8769)
        assert tags[0x013C] == "Host" and sub[0x9211] == 7 and len(sub[0x927C]) == 3 * 2**20
        assert tags.get_ifd(0xA005)[1] == "R03"
    known = exiftool(path)
    assert known["IFD0:XPTitle"] == "Titel" and known["InteropIFD:InteropIndex"] == "R03"
    assert "ExifTool:Error" not in known
    # And from TIFF into a block again.
    back = read_image(path).info.metadata.exif
    assert back is not None
    again = written(tmp_path, ".png", picture(12, 16, 3, exif=back))
    known = exiftool(again)
    assert known["IFD0:XPTitle"] == "Titel" and known["InteropIFD:InteropIndex"] == "R03"
    assert known["ExifIFD:ImageNumber"] == 7 and known["ExifIFD:LensModel"] == "Lens"


def test_tiff_beyond_four_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(plain_tiff(smooth(4, 4, 3), big=True))
    os.truncate(path, 5 * 2**30)  # a hole
    with path.open("r+b") as file:
        append_exif(file.fileno(), block())
    with Pillow.open(path) as opened:
        tags = opened.getexif()
        assert tags[0x013C] == "Host" and tags.get_ifd(0x8769)[0xA434] == "Lens" and tags.get_ifd(0xA005)[1] == "R03"


def test_fields_that_share_their_bytes_do_not_fill_the_memory() -> None:
    """A directory of 300 fields, each with the same MiB."""
    fields = b"".join(struct.pack("<HHII", 0x9000 + index, 7, 2**20, 8192) for index in range(300))
    data = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    data += struct.pack("<H", 300) + fields + bytes(4)
    tiff = TiffFile(io.BytesIO(data.ljust(8192, b"\0") + bytes(2**20)), "x.tif")
    exif = extract_exif(tiff, tiff.directory(tiff.first))
    assert exif is not None and 2**20 < len(exif) < 65 * 2**20


def test_the_jfif_segment_that_other_versions_of_libvips_write_stays_first(tmp_path: Path) -> None:
    plain, exif = pillow_bytes(smooth(8, 8, 3), "JPEG", dpi=(300, 300)), block()
    assert plain[6:10] == b"JFIF"
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(room("jpeg", exif)) + plain)
    with path.open("r+b") as file:
        put_exif(file.fileno(), "jpeg", exif)
    assert path.read_bytes()[:20] == plain[:20] and found(path) == exif
    with Pillow.open(path) as opened:
        opened.load()
        assert opened.info["dpi"] == (300, 300)
    assert "ExifTool:Warning" not in exiftool(path)


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_a_file_without_a_placeholder_is_refused(tmp_path: Path, format: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(pillow_bytes(smooth(8, 8, 3), format))
    with path.open("r+b") as file, pytest.raises(OutputError, match="made no room for EXIF"):
        put_exif(file.fileno(), format.lower(), block())


@pytest.mark.parametrize("version", [0, 1, 2])
def test_places_of_items_in_every_version(version: int) -> None:
    """Two items of two pieces and of one: ISO/IEC 14496-12, 8.11.3."""
    wide = "I" if version == 2 else "H"
    extra = b"\0\0" if version else b""
    index = 4 if version else 0
    box = struct.pack(">B3xBB", version, 0x48, 0x80 | index) + struct.pack(">" + wide, 2)
    piece = bytes(index) + struct.pack(">IQ", 5, 6)
    box += struct.pack(">" + wide, 1) + extra + struct.pack(">HQH", 0, 1000, 2) + piece * 2
    box += struct.pack(">" + wide, 9) + extra + struct.pack(">HQH", 0, 2000, 1) + bytes(index)
    expected = len(box)
    box += struct.pack(">IQ", 7, 8)
    at, sizes, base = _extent(b"before" + box, 6, 9)
    assert (at - 6, sizes, base) == (expected, (4, 8), 2000) and number(box, expected, 4) == 7
    with pytest.raises(OutputError, match="no place of item 3"):
        _extent(b"before" + box, 6, 3)


def test_a_block_that_is_none_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(CorruptInputError, match="EXIF"):
        write_image(picture(4, 4, 3, exif=b"rubbish"), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_block_is_no_reason_to_refuse_a_picture(tmp_path: Path, suffix: str) -> None:
    exif = bytearray(block())
    at = exif.index(struct.pack("<HHI", 0x8769, 4, 1))
    exif[at + 8 : at + 12] = b"\xff\xff\xff\0"
    image = read_image(pillow_bytes(smooth(8, 8, 3), "WEBP", exif=bytes(exif)))
    assert image.info.metadata.exif is None
    write_image(image, tmp_path / f"a{suffix}")


def test_a_resolution_that_no_field_holds(tmp_path: Path) -> None:
    """Of 100 million pixels per inch nothing is kept; of a million, 16 times as many are."""
    data = pillow_bytes(smooth(8, 8, 3), "PNG")
    absurd = data[:33] + png_chunk(b"pHYs", struct.pack(">IIB", 2**32 - 1, 2**32 - 1, 1)) + data[33:]
    assert read_image(absurd).info.metadata.dpi is None
    for suffix in SUFFIXES:
        path = written(tmp_path, suffix, picture(8, 8, 3, dpi=(16e6, 16e6)), overwrite=True)
        assert read_image(path).info.metadata.dpi is None  # more than is believed
    assert resized(block(), 1, 1, (16e6, 16e6)) == block()
