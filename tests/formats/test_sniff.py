"""The content decides, by an allow-list."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from superres.errors import CorruptInputError, InputError, UnsupportedFormatError
from superres.formats import open_reader, read_image, sniff
from superres.formats.video_av import demuxer_of

from .support import pillow_bytes, plain_tiff, smooth

REFUSED = {
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>', "SVG"),
    "bare svg": (b"  <svg><image href='file:///etc/passwd'/></svg>", "SVG"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "PostScript"),
    "dos eps": (b"\xc5\xd0\xd3\xc6" + bytes(40), "EPS"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    "mvg": (b"push graphic-context\nviewbox 0 0 1 1\nimage over 0,0 0,0 'https://x'\n", "MVG"),
    "mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "MP4"),
    "bmp": (b"BM" + bytes(60), "BMP"),
    "pnm": (b"P6 1 1 255 abc", "no known picture"),
    "csv": (b"1,2,3\n4,5,6\n", "no known picture"),
    "vips": (b"\xb6\xa6\xf2\x08" + bytes(80), "no known picture"),
    "dicom": (bytes(128) + b"DICM" + bytes(20), "DICOM"),
    "html": (b"<!DOCTYPE html><html></html>", "web page"),
    "riff": (b"RIFF\x24\0\0\0WAVEfmt ", "no known picture"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_by_content(kind: str) -> None:
    data, found = REFUSED[kind]
    with pytest.raises(UnsupportedFormatError) as caught:
        open_reader(data, name="holiday.png")
    message = str(caught.value)
    assert "holiday.png" in message and found in message and "PNG, JPEG, TIFF" in message


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"RIFF\0\0\0\x01AVI LIST", "an AVI video"),
        (bytes.fromhex("000001ba4400040004010189c3f8"), "a video in an MPEG program stream"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), r"a video in ASF \(WMV\)"),
        (b"FLV\x01\x05\0\0\0\x09", "an FLV video"),
    ],
)
def test_videos_that_are_not_read_are_told_with_their_remedy(head: bytes, found: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=f"old: is {found}, which is not read; .* ffmpeg -i IN .*mkv$"):
        open_reader(head + bytes(400), name="old")
    with pytest.raises(UnsupportedFormatError, match=f"old: is {found}"):
        demuxer_of(head + bytes(400), "old")


@pytest.mark.parametrize("prefix", [b"%PDF-1.4\n", b"<svg/>", b"GIF", b"\n"])
def test_polyglot_is_judged_by_its_first_bytes(prefix: bytes) -> None:
    with pytest.raises(UnsupportedFormatError):
        open_reader(prefix + pillow_bytes(smooth(4, 4, 3), "PNG"))


def test_wrong_suffix_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(pillow_bytes(smooth(4, 6, 3), "PNG"))
    assert open_reader(path).info.format == "png"


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (plain_tiff(smooth(3, 5, 3)), "tiff"),
        (plain_tiff(smooth(3, 5, 1), order=">"), "tiff"),
        (plain_tiff(smooth(3, 5, 4), big=True), "tiff"),
        (plain_tiff(smooth(3, 5, 3), order=">", big=True), "tiff"),
        (pillow_bytes(smooth(8, 8, 3), "WEBP"), "webp"),
        (pillow_bytes(smooth(8, 8, 3), "AVIF"), "avif"),
        (pillow_bytes(smooth(8, 8, 3), "JPEG"), "jpeg"),
        (pillow_bytes(smooth(8, 8, 1), "GIF"), "gif"),
    ],
)
def test_recognised(data: bytes, format: str) -> None:
    assert read_image(data).info.format == format


def test_empty_file_is_damaged() -> None:
    with pytest.raises(CorruptInputError, match="empty"):
        open_reader(b"", name="x.png")


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_reader(tmp_path / "none.png")
    with pytest.raises(InputError, match="regular file"):
        open_reader(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="regular file"):
        open_reader(tmp_path / "pipe.png")
    with pytest.raises(InputError):
        open_reader(Path("nul\0byte.png"))


def test_display_name() -> None:
    assert sniff.display_name(Path("a/b.png"), None) == "a/b.png"
    assert sniff.display_name(b"", None) == "<bytes>"
    assert sniff.display_name(b"", "upload.png") == "upload.png"
