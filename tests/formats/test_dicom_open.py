"""Opening DICOM files: what is refused, and that nothing of the patient is told."""

from __future__ import annotations

import logging
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from dicom_support import MR, PATIENT, SECRETS, leaks, make, save, smooth
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from superres.errors import CorruptInputError, InputError, LimitError, MissingExtraError, UnsupportedFormatError
from superres.formats import Limits
from superres.formats.dicom import DicomFile, open_dicom
from superres.formats.dicom_guard import guarded
from superres.formats.dicom_sniff import is_dicom
from superres.formats.dicom_values import Held, Rescale
from superres.formats.kinds import kind_of

GREY = smooth(12, 10, 0, 4000).astype(np.uint16)


def opened(path: Path, limits: Limits | None = None) -> DicomFile:
    return open_dicom(path, path.name, limits or Limits())


def test_meaning(tmp_path: Path) -> None:
    more = {
        "RescaleSlope": "2.5",
        "RescaleIntercept": "-1024",
        "PixelPaddingValue": 63536,
        "PixelPaddingRangeLimit": 63530,
    }
    file = opened(save(make(GREY, stored=12, **more), tmp_path / "a.dcm"))
    layout = file.layout
    assert (layout.rows, layout.columns, layout.frames, layout.channels) == (12, 10, 1, 1)
    assert (layout.bits_allocated, layout.bits_stored, layout.signed, layout.labels) == (16, 12, False, False)
    assert file.held == Held(padding=(63530, 63536))
    assert file.rescale(0) == Rescale(2.5, -1024)
    assert file.syntax == ExplicitVRLittleEndian


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_padding_of_signed_samples(syntax: str, tmp_path: Path) -> None:
    file = opened(save(make(GREY.astype(np.int16), PixelPaddingValue=-2000), tmp_path / "a.dcm", syntax))
    assert file.held == Held(padding=(-2000, -2000))


def test_padding_that_was_written_unsigned_for_signed_samples(tmp_path: Path) -> None:
    dataset = make(GREY.astype(np.int16))
    dataset.add_new(0x00280120, "US", 63536)
    assert opened(save(dataset, tmp_path / "a.dcm")).held == Held(padding=(-2000, -2000))


def test_each_frame_has_its_own_scale(tmp_path: Path) -> None:
    def group(slope: str | None) -> Dataset:
        item, step = Dataset(), Dataset()
        if slope:
            step.RescaleSlope, step.RescaleIntercept, step.RescaleType = slope, "1", "US"
            item.PixelValueTransformationSequence = [step]
        return item

    frames = [group("2"), group(None), group("4")]
    dataset = make(np.stack([GREY] * 3), SharedFunctionalGroupsSequence=[group("3")], RescaleSlope="9")
    dataset.PerFrameFunctionalGroupsSequence = frames
    file = opened(save(dataset, tmp_path / "a.dcm"))
    assert [file.rescale(index).slope for index in range(3)] == [2, 3, 4]


def test_a_slope_of_zero_is_none(tmp_path: Path) -> None:
    file = opened(save(make(GREY, RescaleSlope="0", RescaleIntercept="5"), tmp_path / "a.dcm"))
    assert file.rescale(0) == Rescale(1.0, 5.0)


# Refusals.


def without_picture(kind: str) -> Dataset:
    dataset = make(GREY, kind=kind, Rows=None, Columns=None)
    del dataset.PixelData
    return dataset


@pytest.mark.parametrize(
    ("kind", "called"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", r"\(Basic Text SR Storage\)"),
        ("1.2.840.10008.5.1.4.1.1.88.59", r"\(Key Object Selection Document Storage\)"),
        ("1.2.840.10008.5.1.4.1.1.104.1", r"\(Encapsulated PDF Storage\)"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", r"\(12-lead ECG Waveform Storage\)"),
        ("1.2.3.4.99", "without a picture;"),
    ],
)
def test_what_is_no_picture(kind: str, called: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match=rf"^a\.dcm: is a DICOM file without a picture.*{called}|{called}"):
        opened(save(without_picture(kind), tmp_path / "a.dcm"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"TotalPixelMatrixColumns": 999}, "slide in tiles"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits per sample"),
        ({"BitsStored": 12, "HighBit": 15}, "end at bit 15; expected 11"),
        ({"PhotometricInterpretation": "HSV"}, "grey, RGB, YBR or a palette"),
        ({"PhotometricInterpretation": "CMYK", "SamplesPerPixel": 4}, "grey, RGB, YBR or a palette"),
    ],
)
def test_kinds_of_samples_that_are_not_read(more: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match=rf"^a\.dcm: .*{message}"):
        opened(save(make(GREY, **more), tmp_path / "a.dcm"))


@pytest.mark.parametrize(
    "more",
    [
        {"Rows": 0},
        {"BitsStored": 17},
        {"BitsStored": 0},
        {"SamplesPerPixel": 3},
        {"PixelRepresentation": 2},
        {"NumberOfFrames": -4},
        {"RescaleSlope": "1e999"},
        {"PhotometricInterpretation": None},
        {"BitsAllocated": None},
    ],
)
def test_contradictions(more: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(CorruptInputError, match=r"^a\.dcm: "):
        opened(save(make(GREY, **more), tmp_path / "a.dcm"))


def test_a_huge_picture_is_refused_from_its_header(tmp_path: Path) -> None:
    path = save(make(GREY, Rows=60_000, Columns=60_000), tmp_path / "a.dcm")
    with pytest.raises(LimitError, match="60000 x 60000"):
        opened(path)
    many = save(make(GREY, NumberOfFrames=2**31 - 1), tmp_path / "b.dcm")
    with pytest.raises(LimitError, match="2147483647 frame"):
        opened(many)


def test_cut_anywhere(tmp_path: Path) -> None:
    data = save(make(GREY), tmp_path / "a.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    for length in range(132, len(data), 31):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"^cut\.dcm: [^\n]*$") as caught:
            list(opened(path).frames())
        assert not list(leaks(str(caught.value)))


def test_mutated_files_raise_only_our_errors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    group, step = Dataset(), Dataset()
    step.RescaleSlope, step.RescaleIntercept, step.RescaleType = "2", "1", "US"
    group.PixelValueTransformationSequence = [step]
    dataset = make(GREY, kind=MR, SharedFunctionalGroupsSequence=[group], PerFrameFunctionalGroupsSequence=[Dataset()])
    data = save(dataset, tmp_path / "a.dcm", ImplicitVRLittleEndian).read_bytes()
    header = len(data) - GREY.nbytes
    path = tmp_path / "fuzz.dcm"
    rng = np.random.default_rng(5)
    for turn in range(150):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 6))):
            broken[int(rng.integers(132, header))] = int(rng.integers(0, 256))
        if turn % 10 == 0:
            at = int(rng.integers(132, header))
            del broken[at : at + int(rng.integers(1, 40))]
        path.write_bytes(bytes(broken))
        try:
            list(opened(path).frames())
        except InputError as error:
            assert not list(leaks(*traceback.format_exception(error)))
    assert not list(leaks(caplog.text))


# Files without the prefix.


def test_a_file_that_starts_with_its_dataset(tmp_path: Path) -> None:
    for number, implicit in enumerate((True, False)):
        path = tmp_path / f"{number}.dcm"
        make(GREY).save_as(path, implicit_vr=implicit, little_endian=True)
        assert path.read_bytes()[128:132] != b"DICM"
        assert kind_of(path) == "dicom"
        np.testing.assert_array_equal(next(opened(path).frames()), GREY)


@pytest.mark.parametrize(
    "head",
    [b"", b"DICM", b"\x08\0" * 200, bytes(512), b"\x08\0\0\0\x04\0\0\0abcd", bytes(range(256)) * 2, b"\xff" * 512],
)
def test_other_files_are_no_dicom(head: bytes) -> None:
    assert not is_dicom(head)


# What pydicom says stays here.


def test_errors_tell_no_values() -> None:
    secret = PATIENT["PatientName"]
    with pytest.raises(CorruptInputError) as caught, guarded("a.dcm", "its header"):
        raise ValueError(f"cannot convert {secret}")
    assert not list(leaks(str(caught.value)))
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_errors_of_ours_pass_through() -> None:
    with pytest.raises(LimitError, match="mine"), guarded("a.dcm", "its header"):
        raise LimitError("mine")
    with pytest.raises(MissingExtraError, match=r"superres\[medical\]"), guarded("a.dcm", "its header"):
        import pydicom_of_another_world  # noqa: F401


def test_warnings_and_records_of_the_decoders_stay_inside(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with guarded("a.dcm", "its header"):
        warnings.warn(f"bad value {SECRETS[0]}", stacklevel=1)
        for package in ("pydicom", "pydicom.pixels.decoders", "openjpeg.encode"):
            logging.getLogger(package).error(SECRETS[1])
    assert [record.name for record in caplog.records] == ["superres.dicom"]
    assert "a.dcm: its header departs from the standard: see line" in caplog.text
    assert not list(leaks(caplog.text))
    logging.getLogger("pydicom").warning("afterwards they are heard again")
    assert "heard again" in caplog.text


def test_a_file_that_bends_the_standard_is_read_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save(make(GREY), tmp_path / "a.dcm")
    bent = b"1.2.840.10008.5.1.4.1.01.2"  # a component of a UID does not start with 0
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.5.1.4.1.1.2\0", bent))
    caplog.set_level(logging.INFO)
    np.testing.assert_array_equal(next(opened(path).frames()), GREY)
    assert "a.dcm: its header departs from the standard" in caplog.text
    assert bent.decode() not in caplog.text
