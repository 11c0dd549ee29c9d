"""Written files, read by pydicom, and by DCMTK where it is installed."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_support import Samples, dcmtk, make, needs_dcmtk, pixels, save, smooth, value
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from superres.errors import CorruptInputError, LimitError, OptionError
from superres.formats import Limits
from superres.formats.dicom import DicomFile, open_dicom
from superres.formats.dicom_identity import IMPLEMENTATION_UID
from superres.formats.dicom_write import check_size, describe_pixels, result_syntax, write_dicom

JPEG_2000 = "1.2.840.10008.1.2.4.90"
KINDS = [("uint8", 8, 0, 255), ("uint16", 12, 0, 4095), ("int16", 16, -2000, 3071), ("int8", 7, -64, 63)]


def rewritten(path: Path, target: Path, samples: Samples, wanted: str | None = None) -> DicomFile:
    """The file's header before other frames."""
    file = open_dicom(path, path.name, Limits())
    rows, columns = samples.shape[1:3]
    layout = replace(file.layout, rows=rows, columns=columns, frames=len(samples))
    syntax = result_syntax(wanted, file.syntax, layout, path.name)
    describe_pixels(file.dataset, layout, syntax)
    with target.open("wb") as stream:
        write_dicom(stream, file.dataset, layout, iter(samples), syntax, path.name)
    return open_dicom(target, target.name, Limits())


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(("dtype", "stored", "low", "high"), KINDS)
def test_uncompressed(syntax: str, dtype: str, stored: int, low: int, high: int, tmp_path: Path) -> None:
    path = save(make(np.zeros((2, 3, 4), dtype), stored=stored), tmp_path / "a.dcm", syntax)
    samples = smooth(5, 7, low, high, frames=2).astype(dtype)
    file = rewritten(path, tmp_path / "b.dcm", samples)
    assert file.syntax == syntax
    np.testing.assert_array_equal(np.stack(list(file.frames())), samples)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "b.dcm").pixel_array, samples)
    assert (tmp_path / "b.dcm").stat().st_size % 2 == 0


@needs_dcmtk
@pytest.mark.parametrize(("dtype", "stored", "low", "high"), KINDS)
def test_uncompressed_as_dcmtk_reads_it(dtype: str, stored: int, low: int, high: int, tmp_path: Path) -> None:
    path = save(make(np.zeros((2, 3, 4), dtype), stored=stored), tmp_path / "a.dcm")
    samples = smooth(5, 7, low, high, frames=2).astype(dtype)
    rewritten(path, tmp_path / "b.dcm", samples)
    found = dcmtk(tmp_path / "b.dcm")
    np.testing.assert_array_equal(pixels(found), samples)
    assert found["7FE00010"]["vr"] == ("OB" if dtype.endswith("8") else "OW")
    assert value(found, "00280102") == stored - 1


@pytest.mark.parametrize(("dtype", "stored", "low", "high"), KINDS)
@pytest.mark.parametrize("size", [(5, 7), (40, 33), (1, 1)])
def test_jpeg_2000(dtype: str, stored: int, low: int, high: int, size: tuple[int, int], tmp_path: Path) -> None:
    path = save(make(np.zeros((2, 3, 4), dtype), stored=stored), tmp_path / "a.dcm", ImplicitVRLittleEndian)
    samples = smooth(*size, low, high, frames=2).astype(dtype)
    file = rewritten(path, tmp_path / "b.dcm", samples, "jpeg2000")
    assert file.syntax == JPEG_2000
    np.testing.assert_array_equal(np.stack(list(file.frames())), samples)


def test_padding_beyond_the_bits_stored_survives_jpeg_2000(tmp_path: Path) -> None:
    samples = smooth(9, 9, 0, 4095, frames=1).astype(np.uint16)
    samples[0, 2, 3] = 63536
    path = save(make(samples, stored=12), tmp_path / "a.dcm")
    np.testing.assert_array_equal(next(rewritten(path, tmp_path / "b.dcm", samples, "j2k").frames()), samples[0])


def test_colours_of_jpeg_2000(tmp_path: Path) -> None:
    samples = np.stack([smooth(9, 11, 0, 255, frames=1, seed=seed) for seed in range(3)], -1).astype(np.uint8)
    path = save(make(samples, photometric="RGB"), tmp_path / "a.dcm")
    file = rewritten(path, tmp_path / "b.dcm", samples, "JP2")
    assert file.dataset.PhotometricInterpretation == "YBR_RCT"
    np.testing.assert_array_equal(next(file.frames()), samples[0])


def test_single_bits(tmp_path: Path) -> None:
    bits = (smooth(5, 7, 0, 9, frames=3) % 2).astype(np.uint8)
    dataset = make(bits, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=bytes(14))
    file = rewritten(save(dataset, tmp_path / "a.dcm"), tmp_path / "b.dcm", bits)
    np.testing.assert_array_equal(np.stack(list(file.frames())), bits)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "b.dcm").pixel_array, bits)
    with pytest.raises(OptionError, match="single bits"):
        result_syntax("jpeg2000", ExplicitVRLittleEndian, file.layout, "b.dcm")


def test_what_is_carried_along_keeps_its_bytes(tmp_path: Path) -> None:
    # Latin-2 text that pydicom could not write again, a private element, and one whose name nobody knows.
    dataset = make(np.zeros((3, 4), np.uint8), ImageComments="a", SpecificCharacterSet="ISO_IR 6")
    dataset.add_new(0x00290010, "LO", "SOMEONE")
    dataset.add_new(0x00291001, "OB", b"\1\2\3\4")
    path = save(dataset, tmp_path / "a.dcm", ImplicitVRLittleEndian)
    path.write_bytes(path.read_bytes().replace(b"\x20\0\0\x40\2\0\0\0a ", b"\x20\0\0\x40\2\0\0\0\xe1\xf8"))
    rewritten(path, tmp_path / "b.dcm", np.zeros((1, 6, 8), np.uint8))
    written = (tmp_path / "b.dcm").read_bytes()
    assert b"\x20\0\0\x40\2\0\0\0\xe1\xf8" in written
    assert b"\x29\0\1\x10\4\0\0\0\1\2\3\4" in written


def test_the_meta_information_is_new(tmp_path: Path) -> None:
    dataset = make(np.zeros((3, 4), np.uint8))
    path = save(dataset, tmp_path / "a.dcm")
    path.write_bytes(b"II*\0secret of another".ljust(128, b"\0") + path.read_bytes()[128:])
    rewritten(path, tmp_path / "b.dcm", np.zeros((1, 6, 8), np.uint8))
    found = pydicom.dcmread(tmp_path / "b.dcm")
    assert found.preamble == bytes(128)
    assert found.file_meta.ImplementationClassUID == IMPLEMENTATION_UID
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
    assert found.file_meta.MediaStorageSOPClassUID == found.SOPClassUID


def test_big_endian_words_are_turned(tmp_path: Path) -> None:
    table = np.arange(256, dtype=np.uint16)
    item = Dataset()
    item.LUTDescriptor, item.LUTExplanation = [256, 0, 16], "x"
    item.add_new(0x00283006, "OW", table.astype(">u2").tobytes())
    dataset = make(np.zeros((3, 4), np.uint8), VOILUTSequence=[item], RescaleSlope="2")
    path = save(dataset, tmp_path / "a.dcm", ExplicitVRBigEndian)
    file = rewritten(path, tmp_path / "b.dcm", np.ones((1, 6, 8), np.uint8))
    assert file.syntax == ExplicitVRLittleEndian
    found = pydicom.dcmread(tmp_path / "b.dcm")
    np.testing.assert_array_equal(np.frombuffer(found.VOILUTSequence[0].LUTData, "<u2"), table)
    assert found.RescaleSlope == 2 and found.PixelSpacing == [0.5, 0.25]


def test_signatures_and_padding_after_the_pixels_are_left_out(tmp_path: Path) -> None:
    dataset = make(np.zeros((3, 4), np.uint8), DataSetTrailingPadding=bytes(40))
    rewritten(save(dataset, tmp_path / "a.dcm"), tmp_path / "b.dcm", np.zeros((1, 6, 8), np.uint8))
    assert "DataSetTrailingPadding" not in pydicom.dcmread(tmp_path / "b.dcm")


# Refusals.


@pytest.mark.parametrize("wanted", ["png", "jpeg", "tiff", "mp4"])
def test_other_formats(wanted: str, tmp_path: Path) -> None:
    file = open_dicom(save(make(np.zeros((3, 4), np.uint8)), tmp_path / "a.dcm"), "a.dcm", Limits())
    with pytest.raises(OptionError, match=f"not as {wanted}: use --format dicom"):
        result_syntax(wanted, file.syntax, file.layout, "a.dcm")


def test_more_than_a_file_holds(tmp_path: Path) -> None:
    layout = open_dicom(save(make(np.zeros((3, 4), np.uint16)), tmp_path / "a.dcm"), "a.dcm", Limits()).layout
    with pytest.raises(LimitError, match="at most 65535"):
        check_size(replace(layout, rows=65536), ExplicitVRLittleEndian, "a.dcm")
    large = replace(layout, rows=65535, columns=65535)
    with pytest.raises(LimitError, match="--format jpeg2000"):
        check_size(large, ExplicitVRLittleEndian, "a.dcm")
    check_size(large, JPEG_2000, "a.dcm")


def test_a_header_that_cannot_be_written(tmp_path: Path) -> None:
    file = open_dicom(save(make(np.zeros((3, 4), np.uint8)), tmp_path / "a.dcm"), "a.dcm", Limits())
    file.dataset.add_new(0x00020016, "AE", "X")  # meta information has no place in a dataset
    with pytest.raises(CorruptInputError, match=r"^a\.dcm: its header"):
        write_dicom(io.BytesIO(), file.dataset, file.layout, iter([]), file.syntax, "a.dcm")
