"""Every transfer syntax decodes to the samples that went in; damage is an error of ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from dicom_support import MR, SECONDARY, Samples, make, save, smooth
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from superres.errors import CorruptInputError, LimitError, MissingExtraError, UnsupportedFormatError
from superres.formats import Limits, dicom_frames
from superres.formats.dicom import DicomFile, open_dicom
from superres.formats.dicom_codestream import codestream_size
from superres.formats.dicom_values import stored_values

NATIVE = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
KINDS = [("uint8", 8, 0, 255), ("uint16", 12, 0, 4095), ("int16", 16, -2000, 3071), ("int16", 12, -2048, 2047)]


def opened(path: Path) -> DicomFile:
    return open_dicom(path, path.name, Limits())


def decoded(path: Path) -> Samples:
    return np.stack(list(opened(path).frames()))


def values_of(path: Path) -> Samples:
    """What the stored bits say: codecs leave the bits above them as they like."""
    return stored_values(decoded(path), opened(path).layout)


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize(("dtype", "stored", "low", "high"), KINDS)
def test_uncompressed(syntax: str, dtype: str, stored: int, low: int, high: int, tmp_path: Path) -> None:
    samples = smooth(9, 7, low, high, frames=3).astype(dtype)
    found = decoded(save(make(samples, stored=stored), tmp_path / "a.dcm", syntax))
    assert found.dtype == samples.dtype
    np.testing.assert_array_equal(found, samples)


@pytest.mark.parametrize(("dtype", "high"), [("uint8", 255), ("uint16", 65535)])
def test_big_endian(dtype: str, high: int, tmp_path: Path) -> None:
    samples = smooth(5, 7, 0, high, frames=2).astype(dtype)
    dataset = make(samples)
    dataset.PixelData = samples.astype(samples.dtype.newbyteorder(">")).tobytes()
    dataset["PixelData"].VR = "OW" if dtype == "uint16" else "OB"
    np.testing.assert_array_equal(decoded(save(dataset, tmp_path / "a.dcm", ExplicitVRBigEndian)), samples)


ENCODERS = {
    JPEG2000Lossless: lambda frame, bits: imagecodecs.jpeg2k_encode(frame, 0, codecformat="j2k", bitspersample=bits),
    JPEGLSLossless: lambda frame, bits: imagecodecs.jpegls_encode(
        frame.view(f"u{frame.dtype.itemsize}") & ((1 << bits) - 1)
    ),
    RLELossless: None,
}


@pytest.mark.parametrize("syntax", ENCODERS)
@pytest.mark.parametrize(("dtype", "stored", "low", "high"), KINDS)
def test_compressed_without_loss(syntax: str, dtype: str, stored: int, low: int, high: int, tmp_path: Path) -> None:
    samples = smooth(24, 17, low, high, frames=2).astype(dtype)
    dataset, encode = make(samples, stored=stored), ENCODERS[syntax]
    if encode is None:
        path = save(dataset, tmp_path / "a.dcm")
        dataset.compress(syntax, encoding_plugin="pydicom", generate_instance_uid=False)
        dataset.save_as(path, enforce_file_format=True)
    else:
        path = save(dataset, tmp_path / "a.dcm", syntax, [encode(frame, stored) for frame in samples])
    np.testing.assert_array_equal(values_of(path), samples)


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
@pytest.mark.parametrize(("dtype", "stored", "low", "high"), KINDS)
def test_lossless_jpeg(syntax: str, dtype: str, stored: int, low: int, high: int, tmp_path: Path) -> None:
    samples = smooth(24, 17, low, high, frames=2).astype(dtype)
    unsigned = samples.view(f"u{samples.dtype.itemsize}") & ((1 << stored) - 1)
    streams = [imagecodecs.jpeg8_encode(frame, lossless=True, bitspersample=stored) for frame in unsigned]
    path = save(make(samples, stored=stored), tmp_path / "a.dcm", syntax, streams)
    np.testing.assert_array_equal(values_of(path), samples)


def test_twelve_bit_jpeg(tmp_path: Path) -> None:
    samples = smooth(32, 40, 0, 4095).astype("uint16")
    stream = imagecodecs.jpeg8_encode(samples, level=98, bitspersample=12)
    found = decoded(save(make(samples, stored=12), tmp_path / "a.dcm", JPEGExtended12Bit, [stream]))[0]
    assert found.dtype == np.uint16
    assert np.abs(found.astype(int) - samples).max() < 40


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="NO DCMTK: dcmcjpeg is absent; apt-get install dcmtk")
@pytest.mark.parametrize("flag", ["+e1", "+el"])
def test_lossless_jpeg_of_another_encoder(flag: str, tmp_path: Path) -> None:
    samples = smooth(31, 26, 0, 4095, frames=2).astype("uint16")
    source = save(make(samples, stored=12, kind=MR), tmp_path / "a.dcm")
    subprocess.run(["dcmcjpeg", flag, str(source), str(tmp_path / "b.dcm")], check=True, capture_output=True)
    np.testing.assert_array_equal(decoded(tmp_path / "b.dcm"), samples)


@pytest.mark.skipif(shutil.which("dcmcjpls") is None, reason="NO DCMTK: dcmcjpls is absent; apt-get install dcmtk")
@pytest.mark.parametrize(("tool", "flags"), [("dcmcjpls", []), ("dcmcrle", [])])
def test_other_encoders(tool: str, flags: list[str], tmp_path: Path) -> None:
    samples = smooth(31, 26, 0, 4095, frames=2).astype("uint16")
    source = save(make(samples, stored=12, kind=MR), tmp_path / "a.dcm")
    subprocess.run([tool, *flags, str(source), str(tmp_path / "b.dcm")], check=True, capture_output=True)
    np.testing.assert_array_equal(decoded(tmp_path / "b.dcm"), samples)


# Colours.

RGB = np.stack([smooth(16, 24, 0, 255, seed=seed) for seed in range(3)], axis=-1).astype(np.uint8)


def colours(photometric: str, samples: Samples = RGB, **more: object) -> Samples:
    return make(samples, photometric=photometric, kind=SECONDARY, **more)


def test_planes_and_pixels_of_rgb_are_the_same(tmp_path: Path) -> None:
    planar = colours("RGB", PlanarConfiguration=1, PixelData=RGB.transpose(2, 0, 1).tobytes())
    np.testing.assert_array_equal(decoded(save(planar, tmp_path / "a.dcm"))[0], RGB)
    np.testing.assert_array_equal(decoded(save(colours("RGB"), tmp_path / "b.dcm"))[0], RGB)


def full_range_ybr(rgb: Samples) -> Samples:
    """ITU-T T.871, as PS3.3 C.7.6.3.1.2 asks for."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    ybr = np.stack([y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402], -1)
    return np.clip(np.rint(ybr), 0, 255).astype(np.uint8)


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    file = opened(save(colours("YBR_FULL", full_range_ybr(RGB)), tmp_path / "a.dcm"))
    assert file.layout.photometric == "RGB"
    assert np.abs(next(file.frames()).astype(int) - RGB).max() <= 2


def test_subsampled_ybr_becomes_rgb(tmp_path: Path) -> None:
    grey = np.repeat(RGB[:, :, :1], 3, axis=2)
    ybr = full_range_ybr(grey).reshape(16, 12, 2, 3)
    packed = np.stack([ybr[:, :, 0, 0], ybr[:, :, 1, 0], ybr[:, :, 0, 1], ybr[:, :, 0, 2]], -1)
    found = decoded(save(colours("YBR_FULL_422", PixelData=packed.tobytes()), tmp_path / "a.dcm"))[0]
    assert np.abs(found.astype(int) - grey).max() <= 2


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
@pytest.mark.parametrize("named", [True, False])
def test_colours_of_jpeg(photometric: str, named: bool, tmp_path: Path) -> None:
    # What the codestream says of its colours counts; where it says nothing, the header's word does.
    space = "RGB" if photometric == "RGB" else "YCBCR"
    stream = imagecodecs.jpeg8_encode(RGB, level=97, subsampling="444", colorspace="RGB", outcolorspace=space)
    at = stream.index(b"\xff\xdb")
    if not named:
        stream = stream[:2] + stream[at:]
    path = save(colours(photometric), tmp_path / "a.dcm", JPEGBaseline8Bit, [stream])
    assert np.abs(decoded(path)[0].astype(int) - RGB).mean() < 2


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize(
    "segment", [b"", b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0", b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"]
)
def test_colours_of_lossless_jpeg_are_those_of_the_header(photometric: str, segment: bytes, tmp_path: Path) -> None:
    """Whatever the codestream says of them: Adobe's segment says RGB, JFIF's YBR."""
    samples = RGB if photometric == "RGB" else full_range_ybr(RGB)
    stream = imagecodecs.jpeg8_encode(samples, lossless=True, colorspace="RGB", outcolorspace="RGB")
    stream = stream[:2] + segment + stream[stream.index(b"\xff\xc3") :]
    path = save(colours(photometric, samples), tmp_path / "a.dcm", JPEGLossless, [stream])
    assert np.abs(decoded(path)[0].astype(int) - RGB).max() <= (2 if photometric == "YBR_FULL" else 0)


@pytest.mark.skipif(shutil.which("dcmdjpeg") is None, reason="NO DCMTK: dcmdjpeg is absent; apt-get install dcmtk")
@pytest.mark.parametrize("flags", [["+e1"], ["+el"], ["+el", "+pl", "+cy"]], ids=" ".join)
def test_lossless_jpeg_in_ybr_as_dcmtk_reads_it(flags: list[str], tmp_path: Path) -> None:
    source, packed, plain = (tmp_path / f"{name}.dcm" for name in "abc")
    save(colours("YBR_FULL", full_range_ybr(RGB)), source)
    subprocess.run(["dcmcjpeg", *flags, source, packed], check=True, capture_output=True)
    subprocess.run(["dcmdjpeg", packed, plain], check=True, capture_output=True)
    assert pydicom.dcmread(packed).PhotometricInterpretation.startswith("YBR")
    read = pydicom.dcmread(plain)
    assert read.PhotometricInterpretation == "RGB"
    assert np.abs(decoded(packed)[0].astype(int) - read.pixel_array).max() <= 1


def test_ybr_of_16_bits_is_refused(tmp_path: Path) -> None:
    deep = RGB.astype(np.uint16) * 257
    with pytest.raises(UnsupportedFormatError, match=r"a\.dcm: has YBR colours of 16 bits; expected 8"):
        opened(save(colours("YBR_FULL", deep), tmp_path / "a.dcm"))
    stream = imagecodecs.jpeg8_encode(deep, lossless=True, colorspace="RGB", outcolorspace="RGB", bitspersample=16)
    with pytest.raises(UnsupportedFormatError, match=r"b\.dcm: frame 1 is of a kind that is not read"):
        decoded(save(colours("YBR_FULL_422", deep), tmp_path / "b.dcm", JPEGLossless, [stream]))


# Single bits.


def test_bits_of_frames_run_on(tmp_path: Path) -> None:
    bits = (smooth(5, 7, 0, 9, frames=3) % 2).astype(np.uint8)  # 35 bits per frame
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    dataset = make(bits, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed + b"\0" * (len(packed) % 2))
    file = opened(save(dataset, tmp_path / "a.dcm"))
    assert file.layout.labels
    np.testing.assert_array_equal(np.stack(list(file.frames())), bits)


# Damage.


@pytest.mark.parametrize(
    "change",
    [{"Rows": 40}, {"Columns": 40}, {"NumberOfFrames": 3}, {"BitsAllocated": 16}, {"Rows": 10}, {"Columns": 12}],
    ids=str,
)
def test_other_pixels_than_declared(change: dict[str, int], tmp_path: Path) -> None:
    path = save(make(smooth(20, 20, 0, 255).astype(np.uint8), **change), tmp_path / "a.dcm")
    with pytest.raises(CorruptInputError, match=r"^a\.dcm: .*header declares|^a\.dcm: ends"):
        decoded(path)


def test_a_missing_compressed_frame(tmp_path: Path) -> None:
    samples = smooth(20, 20, 0, 255).astype(np.uint8)
    stream = imagecodecs.jpegls_encode(samples)
    path = save(make(samples, NumberOfFrames=2), tmp_path / "a.dcm", JPEGLSLossless, [stream])
    with pytest.raises(CorruptInputError, match=r"a\.dcm: .*frame"):
        decoded(path)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEG2000Lossless, lambda s: imagecodecs.jpeg2k_encode(s, codecformat="j2k", level=0)),
        (JPEG2000Lossless, lambda s: imagecodecs.jpeg2k_encode(s, codecformat="jp2", level=0)),
        (JPEGLSLossless, imagecodecs.jpegls_encode),
        (JPEGBaseline8Bit, imagecodecs.jpeg8_encode),
    ],
)
def test_a_codestream_of_another_size_is_refused_before_it_is_decoded(
    syntax: str, encode: object, tmp_path: Path
) -> None:
    samples = smooth(20, 30, 0, 255).astype(np.uint8)
    stream = encode(samples)  # type: ignore[operator]
    assert codestream_size(stream) == (30, 20)
    path = save(make(samples, Rows=21), tmp_path / "a.dcm", syntax, [stream])
    with pytest.raises(CorruptInputError, match=r"frame 1 is 30 x 20 pixels, but the header says 30 x 21"):
        decoded(path)
    np.testing.assert_array_equal(decoded(save(make(samples), tmp_path / "b.dcm", syntax, [stream])).shape, (1, 20, 30))


def test_a_codestream_with_more_bits_than_allocated(tmp_path: Path) -> None:
    samples = smooth(8, 8, 0, 4095).astype("uint16")
    stream = imagecodecs.jpeg8_encode(samples, lossless=True, bitspersample=12)
    path = save(make(samples.astype(np.uint8)), tmp_path / "a.dcm", JPEGLossless, [stream])
    with pytest.raises(CorruptInputError, match=r"a\.dcm: frame 1 is damaged"):
        decoded(path)


def test_a_video_is_refused(tmp_path: Path) -> None:
    samples = smooth(8, 8, 0, 255).astype(np.uint8)
    path = save(make(samples), tmp_path / "a.dcm", "1.2.840.10008.1.2.4.102", [b"\0\0\1\xb3" * 9])
    with pytest.raises(UnsupportedFormatError, match=r"a\.dcm: frame 1 is of a kind that is not read"):
        decoded(path)


def test_a_deflated_bomb(tmp_path: Path) -> None:
    samples = np.zeros((1100, 1100), np.uint8)
    path = save(make(samples), tmp_path / "a.dcm", DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 4000
    dataset = make(np.zeros((2, 2), np.uint8), PixelData=bytes(20_000_000))
    bomb = save(dataset, tmp_path / "b.dcm", DeflatedExplicitVRLittleEndian)
    with pytest.raises(LimitError, match=r"b\.dcm: inflates to more than 17 MB"):
        open_dicom(bomb, "b.dcm", Limits(input_pixels=100))
    with pytest.raises(LimitError, match=r"a\.dcm: declares 1100 x 1100"):
        open_dicom(path, "a.dcm", Limits(input_pixels=1_000_000))


def test_a_decoder_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = smooth(8, 8, 0, 255).astype(np.uint8)
    path = save(make(samples), tmp_path / "a.dcm", JPEGLSLossless, [imagecodecs.jpegls_encode(samples)])
    with monkeypatch.context() as patch:
        patch.setattr(dicom_frames, "_PLUGINS", {JPEGLSLossless: ("absent", "jpeg_ls")})
        with pytest.raises(MissingExtraError, match=r"jpeg_ls is not installed.*superres\[medical\]"):
            decoded(path)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtraError, match=r"pydicom is not installed.*superres\[medical\]"):
        opened(path)
