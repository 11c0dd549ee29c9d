"""HEIC through pi-heif: colours, depth, alpha, orientation, metadata, damage."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from superres.errors import CorruptInputError, InputError, LimitError, MissingExtraError
from superres.formats import Limits, heic, open_reader, read_image, write_image
from superres.formats.heic import load_heic

from .support import XMP, Samples, read_png16

DATA = Path(__file__).parent / "data"
SAMPLE = "IMG_2682.heic"
QUARTERS = np.zeros((32, 48, 3), np.uint8)
QUARTERS[:16, :24], QUARTERS[:16, 24:] = (220, 30, 30), (30, 200, 30)
QUARTERS[16:, :24], QUARTERS[16:, 24:] = (30, 30, 220), (240, 240, 240)
Y, X = np.mgrid[:96, :160]
GRADIENTS = np.stack([X * 255 // 159, Y * 255 // 95, (X + Y) * 255 // 254], 2)
EVERY = ("rgb10", "rgb12", "grey", "rgba", "turned6", "grid")


def content(name: str) -> bytes:
    return (DATA / f"{name}.heic").read_bytes()


def distance(a: Samples, b: Samples) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


@pytest.mark.parametrize("name", ["rgb10", "rgb12"])
def test_deep_samples_reach_full_range(name: str, tmp_path: Path) -> None:
    image = read_image(content(name))
    assert image.info.dtype == np.uint16
    assert image.info.sample_range == 65535
    assert image.info.lossy
    np.testing.assert_array_equal(image.samples[20:, 28:], 65535)
    assert distance(image.samples[:12, :20], QUARTERS[:12, :20] * 257.0) < 100
    write_image(image, tmp_path / "a.png")
    np.testing.assert_array_equal(read_png16((tmp_path / "a.png").read_bytes()), image.samples)


def test_grey() -> None:
    image = read_image(content("grey"))
    assert (image.info.colour, image.info.alpha, image.info.dtype) == ("grey", False, np.uint8)
    assert distance(image.samples[:, :, 0], QUARTERS[:, :, 1]) < 2


@pytest.mark.parametrize("name", ["rgba", "rgba_pre"])
def test_alpha_is_straight(name: str) -> None:
    image = read_image(content(name))
    assert image.info.alpha
    assert image.info.dtype == np.uint8
    assert distance(image.samples[:, :20, 3], np.full((32, 20), 255)) < 1
    assert distance(image.samples[:, 28:, 3], np.full((32, 20), 128)) < 1
    assert distance(image.samples[:, :, :3], QUARTERS) < 3


@pytest.mark.parametrize("orientation", [2, 5, 6])
def test_turned_once_with_its_metadata(orientation: int) -> None:
    data = content(f"turned{orientation}")
    image = read_image(data)
    assert (image.info.width, image.info.height) == (48, 32)
    assert distance(image.samples, QUARTERS) < 3
    meta = image.info.metadata
    assert meta.dpi == (300.0, 300.0)
    assert meta.exif is not None
    assert b"Testcam" in meta.exif
    exif = Pillow.Exif()
    exif.load(b"Exif\0\0" + meta.exif)
    assert exif[0x0112] == 1
    assert XMP in data
    assert meta.xmp == XMP.replace(b'="6"', b'="1"')
    assert meta.icc is not None
    assert meta.icc in data


def test_tiles() -> None:
    image = read_image(content("grid"))
    assert (image.info.width, image.info.height, image.info.alpha) == (160, 96, False)
    assert distance(image.samples, GRADIENTS) < 4


def test_reader_gives_rows_in_runs() -> None:
    whole = read_image(content("grid")).samples
    reader = open_reader(content("grid"))
    np.testing.assert_array_equal(np.concatenate([reader.read(0, 7), reader.read(7, 96)]), whole)


@pytest.mark.parametrize("name", EVERY)
def test_cut_anywhere_is_refused(name: str) -> None:
    data = content(name)
    for length in range(0, len(data), 7):
        with pytest.raises(CorruptInputError if length > 64 else InputError, match=r"^cut\.heic: [^\n]*$"):
            read_image(data[:length], name="cut.heic")


def test_a_missing_tile_is_not_passed_over() -> None:
    data = content("grid")
    tiles = heic._parts(data, alpha=True)
    assert len(tiles) == 6
    places = [at for at in range(len(data) - 4) if data[at + 4 : at + 6] in (b"\x28\x01", b"\x26\x01")]
    assert len(places) >= len(tiles)
    for at in places:  # the length of a slice, before its header
        broken = bytearray(data)
        broken[at : at + 4] = b"\x7f\xff\xff\xff"
        with pytest.raises(CorruptInputError, match=r"x\.heic"):
            read_image(bytes(broken), name="x.heic")


@pytest.mark.parametrize("name", EVERY)
def test_mutated_files_raise_only_our_errors(name: str) -> None:
    data = content(name)
    rng = np.random.default_rng(7)
    for turn in range(150):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 9))):
            broken[int(rng.integers(0, len(broken)))] = int(rng.integers(0, 256))
        if turn % 10 == 0:
            at = int(rng.integers(0, len(broken)))
            del broken[at : at + int(rng.integers(1, 64))]
        with contextlib.suppress(InputError):
            read_image(bytes(broken), name="fuzz.heic")


@pytest.mark.parametrize("text", [b"Exif", b"mime", b"application/rdf+xml"])
def test_names_that_are_no_text(text: bytes) -> None:
    # Nothing but the exit of the interpreter would show that the guard before pi_heif is gone.
    broken = content("turned6").replace(text, b"\xcd" + text[1:], 1)
    with pytest.raises(CorruptInputError, match=r"x\.heic"):
        read_image(broken, name="x.heic")


def test_limits_come_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    pi_heif = pytest.importorskip("pi_heif")
    assert open_reader(content("grid"), limits=Limits(input_pixels=160 * 96)).info.width == 160

    def decoded(self: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(pi_heif.HeifImage, "load", decoded)
    with pytest.raises(LimitError, match=r"x\.heic: declares 160 x 96.*--max-input"):
        open_reader(content("grid"), name="x.heic", limits=Limits(input_pixels=160 * 96 - 1))
    huge = content("grid").replace(b"ispe\0\0\0\0" + (160).to_bytes(4, "big"), b"ispe\0\0\0\0\x7f\xff\xff\xff")
    assert huge != content("grid")
    with pytest.raises((LimitError, CorruptInputError), match=r"x\.heic"):
        open_reader(huge, name="x.heic")
    monkeypatch.setattr(heic, "_MOST_BYTES", 100)
    with pytest.raises(LimitError, match=r"x\.heic: is a HEIC file of more"):
        open_reader(content("grid"), name="x.heic")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(MissingExtraError, match=r"x\.heic: pi_heif .* pip install 'superres\[heic\]'"):
        open_reader(content("grey"), name="x.heic")


def test_picture_outlives_what_made_it() -> None:
    picture = load_heic(content("grid"), "x", Limits())
    first = picture.write_to_memory()
    for _ in range(20):
        load_heic(content("rgba"), "x", Limits())
    assert picture.write_to_memory() == first


def test_sample(samples_folder: Path, tmp_path: Path) -> None:
    pi_heif = pytest.importorskip("pi_heif")
    path = samples_folder / SAMPLE
    image = read_image(path)
    theirs = pi_heif.open_heif(path).to_pillow()
    assert (image.info.width, image.info.height) == theirs.size == (4032, 3024)
    assert (image.info.format, image.info.lossy, image.info.alpha) == ("heic", True, False)
    np.testing.assert_array_equal(image.samples, np.array(theirs))
    # The sky of this picture is at its top and is blue.
    red, _, blue = image.samples[250:330, 2000:2200].mean((0, 1))
    assert blue > red + 40
    meta = image.info.metadata
    assert meta.icc == theirs.info["icc_profile"]
    assert meta.icc[16:20] == b"RGB "
    assert meta.dpi == (72.0, 72.0)
    write_image(image, tmp_path / "a.png")
    with Pillow.open(tmp_path / "a.png") as result:
        np.testing.assert_array_equal(np.array(result), image.samples)
        assert result.info["icc_profile"] == meta.icc
    if shutil.which("exiftool") is None:
        pytest.skip("NO EXIFTOOL: the EXIF of the HEIC sample is not compared")
    tags = ["-Model", "-Orientation", "-ExposureTime", "-LensModel", "-DateTimeOriginal", "-GPSLatitude"]
    before, after = json.loads(
        subprocess.run(
            ["exiftool", "-j", "-n", *tags, path, tmp_path / "a.png"], capture_output=True, text=True, check=True
        ).stdout
    )
    assert before["Model"] == "iPhone 7"
    assert before["Orientation"] == 1
    assert len(before) == len(tags) + 1
    assert {**before, "SourceFile": ""} == {**after, "SourceFile": ""}


def test_sample_cut_at_every_percent(samples_folder: Path) -> None:
    data = (samples_folder / SAMPLE).read_bytes()
    for percent in range(100):
        with pytest.raises(CorruptInputError, match=r"cut\.heic"):
            read_image(data[: len(data) * percent // 100], name="cut.heic")
