from __future__ import annotations

import gzip
import itertools
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import (
    CorruptInputError,
    LimitError,
    MissingExtraError,
    OptionError,
    OutputError,
    SuperresError,
    UnsupportedFormatError,
)
from superres.formats import Limits
from superres.formats.kinds import kind_of
from superres.formats.nifti import Volume, open_volume, volumes
from superres.formats.nifti_write import create_volume, enlarged_header

Array = npt.NDArray[Any]

#: Rotated by 20 degrees, mirrored along x, 0.9 x 1.1 x 4 mm.
TURN = np.array([[np.cos(0.35), -np.sin(0.35), 0], [np.sin(0.35), np.cos(0.35), 0], [0, 0, 1]])
AFFINE = np.eye(4)
AFFINE[:3, :3] = TURN @ np.diag([-0.9, 1.1, 4.0])
AFFINE[:3, 3] = [31.5, -20.25, 8]


def numbers(shape: Sequence[int], dtype: str = "int16", seed: int = 0) -> Array:
    """Random values over much of the type's range, more than a label map has."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        span = np.iinfo(kind)
        return rng.integers(span.min // 2, span.max // 2, tuple(shape), endpoint=True).astype(kind)
    values = rng.normal(100, 30, tuple(shape))
    if kind.kind == "c":
        values = values + 1j * rng.normal(0, 5, tuple(shape))
    return values.astype(kind)


def make(path: Path, values: Array, affine: Array = AFFINE, *, version: int = 1, **fields: Any) -> Path:
    """A file by nibabel, whose sform is 2 mm to the left of its qform; ``fields`` go into the header."""
    kind = nib.Nifti2Image if version == 2 else nib.Nifti1Image
    dtype = values.dtype if values.dtype.kind != "V" else None
    image = kind(values, affine, dtype=dtype)
    image.set_qform(affine, code=1)
    moved = affine.copy()
    moved[0, 3] -= 2
    image.set_sform(moved, code=4)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"TE=2.9"
    extensions = fields.pop("extensions", [])
    image.header.extensions.extend(nib.nifti1.Nifti1Extension(code, text) for code, text in extensions)
    for field, value in fields.items():
        image.header[field] = value
    nib.save(image, path)
    return path


def written(source: Path, target: Path, grid: tuple[int, int, int], note: str = "note") -> Path:
    """The source's header moved along, over zeros."""
    with open_volume(source, "x", Limits(), target.parent) as volume:
        header = enlarged_header(volume.header, grid, note)
        with create_volume(target, header, overwrite=False, source=source):
            pass
    return target


def corners(affine: Array, shape: Sequence[int]) -> Array:
    """World positions of the outer corners of the field of view."""
    ends = [(-0.5, length - 0.5) for length in shape[:3]]
    return np.array([affine @ (*corner, 1) for corner in itertools.product(*ends)])[:, :3]


@pytest.fixture(scope="session")
def itk() -> Any:
    """SimpleITK, the second reader."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import SimpleITK
    return SimpleITK


def itk_corners(module: Any, path: Path) -> Array:
    """As :func:`corners`, by SimpleITK's own reading of the file."""
    image = module.ReadImage(str(path))
    ends = [(-0.5, length - 0.5) for length in image.GetSize()[:3]]
    rest = [0.0] * (image.GetDimension() - 3)
    points = [
        image.TransformContinuousIndexToPhysicalPoint([*corner, *rest])[:3] for corner in itertools.product(*ends)
    ]
    return np.array(points)


# --- Reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64", "complex64"])
def test_stored_values(tmp_path: Path, dtype: str, version: int, suffix: str) -> None:
    values = numbers((5, 4, 3, 2), dtype)
    path = make(tmp_path / f"a{suffix}", values, version=version)
    assert kind_of(path) == "nifti"
    with open_volume(path, "a", Limits(), tmp_path) as volume:
        np.testing.assert_array_equal(volume.values, values)
        assert volume.grid == (5, 4, 3)
        assert volume.spacing == pytest.approx((0.9, 1.1, 4.0))
        parts = list(volumes(volume.values))
        expected = [values.real, values.imag] if dtype == "complex64" else [values]
        assert len(parts) == 2 * len(expected)
        np.testing.assert_array_equal(parts[1], expected[0][..., 1])
        np.testing.assert_array_equal(parts[-1], expected[-1][..., 1])
    assert list(tmp_path.iterdir()) == [path]


def test_a_single_picture_is_one_slice(tmp_path: Path) -> None:
    values = numbers((5, 4))
    with open_volume(make(tmp_path / "a.nii", values), "a", Limits(), tmp_path) as volume:
        assert volume.grid == (5, 4, 1)
        (only,) = volumes(volume.values)
        np.testing.assert_array_equal(only[:, :, 0], values)


def test_big_endian_and_scaled_values_are_not_converted(tmp_path: Path) -> None:
    values = numbers((5, 4, 3))
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    header.set_data_shape(values.shape)
    header["scl_slope"], header["scl_inter"] = 0.25, -3
    with (tmp_path / "a.nii").open("wb") as file:
        header["vox_offset"] = 352
        header.write_to(file)
        file.write(values.astype(">i2").tobytes(order="F"))
    with open_volume(tmp_path / "a.nii", "a", Limits(), tmp_path) as volume:
        assert volume.values.dtype == np.dtype(">i2")
        np.testing.assert_array_equal(volume.values, values)
        assert (volume.header["scl_slope"], volume.header["scl_inter"]) == (0.25, -3)


def test_an_uncompressed_volume_is_mapped_not_read(tmp_path: Path) -> None:
    with open_volume(make(tmp_path / "a.nii", numbers((5, 4, 3))), "a", Limits(), tmp_path) as volume:
        assert isinstance(volume.values, np.memmap)


@pytest.mark.parametrize(
    ("intent", "dtype", "labels"), [(1002, "float32", True), (0, "float32", False), (0, "int16", False)]
)
def test_label_maps(tmp_path: Path, intent: int, dtype: str, labels: bool) -> None:
    path = make(tmp_path / "a.nii", numbers((9, 8, 7), dtype), intent_code=intent)
    with open_volume(path, "a", Limits(), tmp_path) as volume:
        assert volume.is_label_map() is labels
    mask = (numbers((9, 8, 7), "float32") > 100).astype(np.uint8)
    with open_volume(make(tmp_path / "b.nii", mask), "b", Limits(), tmp_path) as volume:
        assert volume.is_label_map()


# --- What is refused ------------------------------------------------------------------------------------------------


def opened(path: Path, limits: Limits | None = None) -> Volume:
    with open_volume(path, "the name", limits or Limits(), path.parent) as volume:
        return volume


def test_a_pair_is_refused_with_the_remedy(tmp_path: Path) -> None:
    for version, kind in ((1, nib.Nifti1Pair), (2, nib.Nifti2Pair)):
        path = tmp_path / f"a{version}.hdr"
        nib.save(kind(numbers((5, 4, 3)), AFFINE), path)
        assert kind_of(path) == "nifti"
        with pytest.raises(UnsupportedFormatError, match="one file first"):
            opened(path)


@pytest.mark.parametrize(
    ("values", "fields", "message"),
    [
        (np.zeros((3, 3, 3), np.float32), {"datatype": 1536}, "datatype 1536"),
        (np.zeros((3, 3, 3), [(name, "u1") for name in "RGBA"]), {}, "datatype 2304"),
        (np.zeros((1, 1, 1, 1, 4, 5), np.float32), {"intent_code": 3006}, "CIFTI"),
        (np.zeros((9, 1, 1, 1, 3), np.float32), {"intent_code": 1008}, "list"),
        (np.zeros(7, np.float32), {}, "two to seven axes"),
    ],
)
def test_what_is_no_volume_is_refused(tmp_path: Path, values: Array, fields: dict[str, int], message: str) -> None:
    path = make(tmp_path / "a.nii", values, version=2)
    with path.open("r+b") as file:
        header = nib.Nifti2Header.from_fileobj(file)
        for field, value in fields.items():
            header[field] = value
        file.seek(0)
        file.write(header.binaryblock)
    with pytest.raises(UnsupportedFormatError, match=message):
        opened(path)


def test_limits_are_checked_before_the_data_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nii.gz", numbers((9, 8, 7, 3)))
    path.write_bytes(path.read_bytes()[:1500])  # there is no data to read
    with pytest.raises(LimitError, match="9 x 8 pixels x 21 frame"):
        opened(path, Limits(input_pixels=1511))
    with pytest.raises(CorruptInputError):
        opened(path, Limits(input_pixels=1512))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str) -> None:
    contents = make(tmp_path / f"whole{suffix}", numbers((9, 8, 7))).read_bytes()
    path = tmp_path / f"a{suffix}"
    for percent in range(1, 100):
        path.write_bytes(contents[: len(contents) * percent // 100])
        with pytest.raises(CorruptInputError, match="the name"):
            opened(path)


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nii.gz", numbers((9, 8, 7)))
    contents = bytearray(path.read_bytes())
    contents[-8] ^= 1
    path.write_bytes(contents)
    with pytest.raises(CorruptInputError, match="CRC"):
        opened(path)


@given(st.lists(st.tuples(st.integers(0, 360), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_headers_are_refused_or_read(tmp_path_factory: pytest.TempPathFactory, changes: Any) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    contents = bytearray(make(folder / "a.nii", numbers((5, 4, 3)), extensions=[(6, b"text")]).read_bytes())
    for place, value in changes:
        contents[place] = value
    (folder / "a.nii").write_bytes(contents)
    try:
        volume = opened(folder / "a.nii", Limits(input_pixels=10**6))
        enlarged_header(volume.header, [2 * length for length in volume.grid], "note")
    except SuperresError as error:
        assert str(error)


def test_a_declared_extension_of_gigabytes_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nii", numbers((5, 4, 3)))
    contents = bytearray(path.read_bytes())
    contents[108:112] = struct.pack("<f", 2.0e9)  # vox_offset
    path.write_bytes(gzip.compress(bytes(contents)))
    with pytest.raises(CorruptInputError, match="extensions"):
        opened(path)


def test_an_absent_nibabel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "a.nii", numbers((5, 4, 3)))
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(MissingExtraError, match=r"superres\[medical\]"):
        opened(path)


# --- Headers of results ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("grid", [(10, 8, 3), (5, 4, 12), (10, 12, 9)])
def test_both_affines_by_three_readers(
    tmp_path: Path, itk: Any, grid: tuple[int, int, int], version: int, suffix: str
) -> None:
    source = make(tmp_path / f"a{suffix}", numbers((5, 4, 3)), version=version)
    target = written(source, tmp_path / f"b{suffix}", grid)
    before, after = nib.load(source), nib.load(target)
    assert isinstance(after, nib.Nifti2Image if version == 2 else nib.Nifti1Image) and after.shape == grid
    for get in ("get_qform", "get_sform"):
        (old, old_code), (new, new_code) = getattr(before, get)(coded=True), getattr(after, get)(coded=True)
        assert new_code == old_code > 0
        np.testing.assert_allclose(corners(new, grid), corners(old, (5, 4, 3)), atol=2e-5)
    ratio = np.array(grid) / (5, 4, 3)
    shift = 0.5 * (before.affine[:3, :3] * (1 - 1 / ratio)).sum(axis=1)
    np.testing.assert_allclose(after.affine[:3, 3], before.affine[:3, 3] - shift, atol=1e-5)
    np.testing.assert_allclose(after.header.get_zooms(), before.header.get_zooms() / ratio, rtol=1e-6)
    if version == 1:  # all that SimpleITK reads
        np.testing.assert_allclose(itk_corners(itk, target), itk_corners(itk, source), atol=2e-5)
    # The fields of the standard, by their places: dim, pixdim, srow_x to srow_z, vox_offset.
    places = ("<4h", 40, "<4f", 76, "<12f", 280, "<f", 108)
    if version == 2:
        places = ("<4q", 16, "<4d", 104, "<12d", 400, "<q", 168)
    contents = target.read_bytes()
    raw = gzip.decompress(contents) if suffix == ".nii.gz" else contents
    dim, pixdim, rows, start = (struct.unpack_from(places[k], raw, places[k + 1]) for k in (0, 2, 4, 6))
    assert dim == (3, *grid)
    assert pixdim[1:] == pytest.approx(np.array([0.9, 1.1, 4]) / ratio)
    np.testing.assert_allclose(np.array(rows).reshape(3, 4), after.get_sform()[:3], atol=1e-6)
    assert len(raw) == start[0] + 2 * np.prod(grid)


def test_every_other_field_stays(tmp_path: Path) -> None:
    fields = {
        "scl_slope": 0.5,
        "scl_inter": 7,
        "cal_max": 900,
        "toffset": 1.5,
        "intent_code": 1006,
        "intent_name": b"shift",
        "aux_file": b"lut",
        "dim_info": 0b111001,
    }
    extensions = [(4, b"<AFNI/>"), (2, b"\x08\x00\x05\x00CS"), (44, b"odd")]
    source = make(tmp_path / "a.nii", numbers((5, 4, 3, 6)), extensions=extensions)
    contents = bytearray(source.read_bytes())
    with source.open("rb") as file:
        header = nib.Nifti1Header.from_fileobj(file)
    for field, value in fields.items():
        header[field] = value
    header["pixdim"][4] = 2.5
    contents[:348] = header.binaryblock
    source.write_bytes(contents)
    target = written(source, tmp_path / "b.nii", (10, 8, 3), "made larger")
    with target.open("rb") as file:
        made = nib.Nifti1Header.from_fileobj(file)
    moved = {"dim", "pixdim", "vox_offset", "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"}
    for field in set(made.keys()) - moved:
        assert made[field].tobytes() == header[field].tobytes(), field
    assert made["dim"].tolist() == [4, 10, 8, 3, 6, 1, 1, 1]
    assert made["pixdim"][[0, 4]].tolist() == header["pixdim"][[0, 4]].tolist()
    assert made.get_xyzt_units() == ("mm", "sec")
    kept = [(one.get_code(), one.content) for one in made.extensions]
    assert kept == [*extensions, (6, b"made larger")]
    assert made["descrip"].item() == b"TE=2.9"


def test_an_empty_description_says_what_was_done(tmp_path: Path) -> None:
    source = make(tmp_path / "a.nii", numbers((5, 4, 3)), descrip=b"")
    made = nib.load(written(source, tmp_path / "b.nii", (10, 8, 3), "made larger " * 9))
    assert made.header["descrip"].item() == (b"made larger " * 9)[:79]


def test_a_volume_without_either_form_keeps_its_place(tmp_path: Path) -> None:
    source = make(tmp_path / "a.nii", numbers((5, 4, 3)))
    contents = bytearray(source.read_bytes())
    contents[252:256] = bytes(4)  # both codes
    source.write_bytes(contents)
    before, after = nib.load(source), nib.load(written(source, tmp_path / "b.nii", (10, 12, 3)))
    assert int(after.header["qform_code"]) == int(after.header["sform_code"]) == 0
    np.testing.assert_allclose(corners(after.affine, (10, 12, 3)), corners(before.affine, (5, 4, 3)), atol=1e-5)


@pytest.mark.parametrize(("grid", "kept"), [((10, 8, 3), True), ((5, 4, 6), False)])
def test_slice_timing_is_of_acquired_slices(tmp_path: Path, grid: tuple[int, int, int], kept: bool) -> None:
    timing = {"dim_info": 0b110000, "slice_end": 2, "slice_duration": 0.1, "slice_code": 1}
    source = make(tmp_path / "a.nii", numbers((5, 4, 3)), **timing)
    header = nib.load(written(source, tmp_path / "b.nii", grid)).header
    found = [float(header[field]) for field in ("slice_end", "slice_duration", "slice_code")]
    assert found == pytest.approx([2, 0.1, 1] if kept else [0, 0, 0])
    assert header.get_dim_info() == (None, None, 2)
    assert header["dim_info"] == 0b110000


def test_a_single_picture_stays_one(tmp_path: Path) -> None:
    source = make(tmp_path / "a.nii", numbers((5, 4)))
    assert nib.load(written(source, tmp_path / "b.nii", (10, 8, 1))).shape == (10, 8)


def test_more_voxels_than_the_version_counts(tmp_path: Path) -> None:
    values = np.zeros((20_000, 2, 2), np.uint8)
    first = open_volume(make(tmp_path / "a.nii", values), "a", Limits(), tmp_path)
    with first as volume, pytest.raises(OptionError, match="at most 32767"):
        enlarged_header(volume.header, (40_000, 4, 2), "note")
    with open_volume(make(tmp_path / "b.nii", values, version=2), "b", Limits(), tmp_path) as volume:
        assert enlarged_header(volume.header, (40_000, 4, 2), "note").get_data_shape() == (40_000, 4, 2)


# --- Writing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return make(tmp_path / "in" / "a.nii.gz", numbers((5, 4, 3)))


def fill(source: Path, target: Path, values: Array, *, overwrite: bool = False) -> None:
    with open_volume(source, "a", Limits(), target.parent) as volume:
        header = enlarged_header(volume.header, (10, 8, 3), "note")
        with create_volume(target, header, overwrite=overwrite, source=source) as result:
            assert not result.any()
            result[...] = values


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".NII.GZ"])
def test_values_come_back(source: Path, tmp_path: Path, suffix: str) -> None:
    values = numbers((10, 8, 3), seed=1)
    target = tmp_path / f"b{suffix}"
    fill(source, target, values)
    np.testing.assert_array_equal(np.asarray(nib.load(target).dataobj), values)
    assert target.read_bytes().startswith(b"\x1f\x8b") == (suffix != ".nii")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in", target.name])


def test_the_same_volume_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for name in ("b.nii.gz", "c.nii.gz"):
        fill(source, tmp_path / name, numbers((10, 8, 3)))
    assert (tmp_path / "b.nii.gz").read_bytes() == (tmp_path / "c.nii.gz").read_bytes()


@pytest.fixture
def crowded(source: Path, tmp_path: Path) -> Iterator[Path]:
    """A target that exists already."""
    target = tmp_path / "b.nii"
    target.write_bytes(b"mine")
    yield target
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.nii", "in"]


def test_an_existing_target_is_kept(source: Path, crowded: Path) -> None:
    with pytest.raises(OutputError, match="--overwrite"):
        fill(source, crowded, numbers((10, 8, 3)))
    assert crowded.read_bytes() == b"mine"
    fill(source, crowded, numbers((10, 8, 3)), overwrite=True)
    assert nib.load(crowded).shape == (10, 8, 3)


def test_a_failure_leaves_the_old_file_and_nothing_else(source: Path, crowded: Path) -> None:
    with open_volume(source, "a", Limits(), crowded.parent) as volume:
        header = enlarged_header(volume.header, (10, 8, 3), "note")
        with pytest.raises(KeyboardInterrupt), create_volume(crowded, header, overwrite=True, source=source):
            raise KeyboardInterrupt
    assert crowded.read_bytes() == b"mine"


def test_targets_that_cannot_be(source: Path, tmp_path: Path) -> None:
    values = numbers((10, 8, 3))
    with pytest.raises(OptionError, match=r"\.nii or \.nii\.gz"):
        fill(source, tmp_path / "b.png", values)
    with pytest.raises(OutputError, match="absent"):
        fill(source, tmp_path / "absent" / "b.nii", values)
    with pytest.raises(OutputError, match="input itself"):
        fill(source, source, values, overwrite=True)


def test_a_full_disk_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.posix_fallocate

    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match="disk is full"):
        fill(source, tmp_path / "b.nii", numbers((10, 8, 3)))
    monkeypatch.setattr(os, "posix_fallocate", real)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
