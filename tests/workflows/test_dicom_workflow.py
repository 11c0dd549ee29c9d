"""DICOM files from file to file: values, places, identity; read back by DCMTK."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_support import (
    CT,
    MR,
    SECONDARY,
    SEGMENTATION,
    ULTRASOUND,
    Samples,
    dcmtk,
    doubled,
    leaks,
    make,
    needs_dcmtk,
    pixels,
    save,
    smooth,
    value,
    values,
)
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian, RLELossless
from tiny_models import open_nearest

from superres.backends import Backend
from superres.errors import InferenceError, InputError, LimitError, OptionError, OutputError, SuperresError
from superres.formats import Limits
from superres.formats.dicom_write import result_syntax
from superres.formats.kinds import KINDS
from superres.options import RasterOptions, VolumeOptions
from superres.pipeline import Options, Upscaler

Made = Callable[..., Upscaler]


@pytest.fixture
def upscaler(tiny_folder: Path) -> Iterator[Made]:
    """Makes upscalers with a fake network that repeats pixels."""
    made: list[Upscaler] = []

    def make_one(scale: float = 2, **options: Any) -> Upscaler:
        chosen = {"model": f"{tiny_folder}/nearest", "scale": None if "size" in options else scale, **options}
        made.append(Upscaler(Options(**chosen), opener=open_nearest))
        return made[-1]

    yield make_one
    for one in made:
        one.close()


def read(path: Path) -> Samples:
    array: Samples = pydicom.dcmread(path).pixel_array
    return array


# Values.


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("dtype", "stored", "low", "high"),
    [
        ("uint8", 8, 0, 255),
        ("uint16", 12, 0, 4095),
        ("uint16", 10, 7, 900),
        ("int16", 16, -2000, 3071),
        ("int8", 8, -9, 9),
    ],
)
def test_grey_values(
    photometric: str, dtype: str, stored: int, low: int, high: int, upscaler: Made, tmp_path: Path
) -> None:
    samples = smooth(13, 9, low, high).astype(dtype)
    scale = {"RescaleSlope": "-0.37", "RescaleIntercept": "1024.5"}
    path = save(make(samples, stored=stored, photometric=photometric, **scale), tmp_path / "a.dcm")
    result = upscaler().file(path, tmp_path / "b.dcm")
    assert (result.source_size, result.target_size) == ((9, 13), (18, 26))
    assert (result.networks, result.precision) == (("nearest x2",), "fp32")
    found = pydicom.dcmread(tmp_path / "b.dcm")
    np.testing.assert_array_equal(found.pixel_array, doubled(samples))
    assert found.PhotometricInterpretation == photometric
    assert (found.BitsAllocated, found.BitsStored) == (samples.itemsize * 8, stored)
    assert (found.RescaleSlope, found.RescaleIntercept) == (-0.37, 1024.5)


def test_padding_stays_what_it_is_and_where_it_is(upscaler: Made, tmp_path: Path) -> None:
    samples = smooth(24, 20, -1000, 2000).astype(np.int16)
    samples[:5, :7] = samples[20:, 3] = -2000
    path = save(make(samples, PixelPaddingValue=-2000), tmp_path / "a.dcm", ImplicitVRLittleEndian)
    for scale, high, wide in ((2, 48, 40), (2.5, 60, 50), (3.3, 79, 66)):
        target = tmp_path / f"{scale}.dcm"
        upscaler(scale).file(path, target)
        found = read(target)
        rows = ((np.arange(high) + 0.5) * 24 / high).astype(int)
        columns = ((np.arange(wide) + 0.5) * 20 / wide).astype(int)
        np.testing.assert_array_equal(found == -2000, samples[rows][:, columns] == -2000)
        # It has not bled into its surroundings.
        assert found[found != -2000].min() > -1200


def test_a_real_network_keeps_the_mean_and_the_range(
    tiny_folder: Path, opener: Callable[..., Backend], tmp_path: Path
) -> None:
    samples = smooth(40, 44, 300, 2700).astype(np.uint16)
    path = save(make(samples, stored=12), tmp_path / "a.dcm")
    with Upscaler(Options(scale=3, model=f"{tiny_folder}/tiny"), opener=opener) as upscaler:
        upscaler.file(path, tmp_path / "b.dcm")
    found = read(tmp_path / "b.dcm").astype(float)
    assert not np.array_equal(found, samples.repeat(3, axis=0).repeat(3, axis=1))
    assert found.mean() == pytest.approx(samples.mean(), rel=0.01)
    assert found.min() >= 0 and found.max() <= 4095


def test_a_supplemental_palette_is_not_mixed_with_grey(upscaler: Made, tmp_path: Path) -> None:
    samples = smooth(12, 14, 0, 1023).astype(np.uint16)
    samples[3:6, 4:9] = 1024 + smooth(3, 5, 0, 99)
    tables = {f"{c}PaletteColorLookupTableDescriptor": [100, 1024, 16] for c in ("Red", "Green", "Blue")}
    upscaler(2.5).file(save(make(samples, **tables), tmp_path / "a.dcm", ImplicitVRLittleEndian), tmp_path / "b.dcm")
    rows, columns = ((np.arange(n) + 0.5) * m / n for n, m in ((30, 12), (35, 14)))
    near, found = samples[rows.astype(int)][:, columns.astype(int)], read(tmp_path / "b.dcm")
    coloured = near >= 1024
    np.testing.assert_array_equal(found[coloured], near[coloured])
    assert found[~coloured].max() <= 1023


def test_palette_indices_are_never_interpolated(upscaler: Made, tmp_path: Path) -> None:
    samples = np.random.default_rng(3).choice([3, 90, 251], (11, 8)).astype(np.uint8)
    tables = {f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in ("Red", "Green", "Blue")}
    dataset = make(samples, photometric="PALETTE COLOR", kind=SECONDARY, **tables)
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableData", np.arange(256, dtype=np.uint16).tobytes())
    result = upscaler(3).file(save(dataset, tmp_path / "a.dcm"), tmp_path / "b.dcm")
    assert (result.networks, result.precision) == (("nearest neighbour",), "exact")
    found = pydicom.dcmread(tmp_path / "b.dcm")
    np.testing.assert_array_equal(found.pixel_array, samples.repeat(3, 0).repeat(3, 1))
    assert found.PhotometricInterpretation == "PALETTE COLOR"
    assert found.RedPaletteColorLookupTableData == dataset.RedPaletteColorLookupTableData
    assert "nearest neighbour" in found.DerivationDescription


@pytest.mark.parametrize("bits", [1, 8])
def test_segmentations_take_the_nearest_neighbour(bits: int, upscaler: Made, tmp_path: Path) -> None:
    samples = np.random.default_rng(3).integers(0, 2 if bits == 1 else 200, (3, 5, 7)).astype(np.uint8)
    more: dict[str, Any] = {}
    if bits == 1:
        packed = np.packbits(samples.ravel(), bitorder="little").tobytes()
        more = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": packed}
    path = save(make(samples, kind=SEGMENTATION, **more), tmp_path / "a.dcm")
    upscaler(1.7).file(path, tmp_path / "b.dcm")
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in ((8, 5), (12, 7)))
    np.testing.assert_array_equal(read(tmp_path / "b.dcm"), samples[:, rows][:, :, columns])


@pytest.mark.parametrize(("dtype", "stored"), [("uint8", 8), ("uint16", 16), ("uint16", 10)])
def test_colours(dtype: str, stored: int, upscaler: Made, tmp_path: Path) -> None:
    samples = np.stack([smooth(9, 7, 5, 2**stored - 9, seed=s) for s in range(3)], -1).astype(dtype)
    path = save(make(samples, photometric="RGB", stored=stored, kind=SECONDARY), tmp_path / "a.dcm")
    upscaler().file(path, tmp_path / "b.dcm")
    np.testing.assert_array_equal(read(tmp_path / "b.dcm"), doubled(samples))


def test_ybr_becomes_rgb(upscaler: Made, tmp_path: Path) -> None:
    samples = np.full((4, 6, 3), (120, 90, 200), np.uint8)
    upscaler().file(save(make(samples, photometric="YBR_FULL"), tmp_path / "a.dcm"), tmp_path / "b.dcm")
    found = pydicom.dcmread(tmp_path / "b.dcm")
    assert found.PhotometricInterpretation == "RGB" and found.PlanarConfiguration == 0
    # 120 + 1.402 * 72, 120 - 0.344136 * -38 - 0.714136 * 72, 120 + 1.772 * -38
    np.testing.assert_allclose(found.pixel_array, np.broadcast_to([221, 82, 53], (8, 12, 3)), atol=1)


def test_every_frame(upscaler: Made, tmp_path: Path) -> None:
    samples = smooth(6, 7, 0, 4095, frames=4).astype(np.uint16)
    dataset = make(samples, stored=12)
    path = save(dataset, tmp_path / "a.dcm")
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)
    seen: list[tuple[int, int]] = []
    upscaler().file(path, tmp_path / "b.dcm", report=lambda done, all_: seen.append((done, all_)))
    np.testing.assert_array_equal(read(tmp_path / "b.dcm"), np.stack([doubled(frame) for frame in samples]))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_slices_scaled_differently_share_one_range(upscaler: Made, tmp_path: Path) -> None:
    def group(slope: str) -> Dataset:
        item, step = Dataset(), Dataset()
        step.RescaleSlope, step.RescaleIntercept, step.RescaleType = slope, "0", "US"
        item.PixelValueTransformationSequence = [step]
        return item

    samples = smooth(6, 7, 0, 65535, frames=3).astype(np.uint16)
    dataset = make(samples, PerFrameFunctionalGroupsSequence=[group("0.5"), group("3.25"), group("1")])
    upscaler().file(save(dataset, tmp_path / "a.dcm"), tmp_path / "b.dcm")
    np.testing.assert_array_equal(read(tmp_path / "b.dcm"), np.stack([doubled(frame) for frame in samples]))


@pytest.mark.parametrize("fill", [0, 77, -2000])
def test_a_constant_picture_stays(fill: int, tiny_folder: Path, opener: Callable[..., Backend], tmp_path: Path) -> None:
    path = save(make(np.full((9, 8), fill, np.int16), PixelPaddingValue=-2000), tmp_path / "a.dcm")
    with Upscaler(Options(scale=2, model=f"{tiny_folder}/tiny"), opener=opener) as upscaler:
        upscaler.file(path, tmp_path / "b.dcm")
    np.testing.assert_array_equal(read(tmp_path / "b.dcm"), np.full((18, 16), fill))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1)])
def test_tiny_pictures(shape: tuple[int, int], upscaler: Made, tmp_path: Path) -> None:
    samples = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape) * 100
    upscaler(4).file(save(make(samples), tmp_path / "a.dcm"), tmp_path / "b.dcm")
    np.testing.assert_array_equal(read(tmp_path / "b.dcm"), samples.repeat(4, 0).repeat(4, 1))


def test_a_file_that_is_turned_gives_a_result_that_is_turned(upscaler: Made, tmp_path: Path) -> None:
    samples = smooth(8, 6, 0, 4000).astype(np.uint16)
    results = {}
    for name, turned in (("as", samples), ("flip", samples[:, ::-1]), ("turn", np.rot90(samples))):
        upscaler().file(save(make(np.ascontiguousarray(turned)), tmp_path / f"{name}.dcm"), tmp_path / f"{name}_2.dcm")
        results[name] = read(tmp_path / f"{name}_2.dcm")
    np.testing.assert_array_equal(results["flip"], results["as"][:, ::-1])
    np.testing.assert_array_equal(results["turn"], np.rot90(results["as"]))


# Places and identity, as DCMTK reads them.


@needs_dcmtk
@pytest.mark.parametrize("options", [{"scale": 2}, {"scale": 2.5}, {"size": (30, 21)}])
def test_every_field(options: dict[str, Any], upscaler: Made, tmp_path: Path) -> None:
    samples = smooth(14, 20, 0, 4000).astype(np.uint16)
    extremes = {"SmallestImagePixelValue": 0, "LargestImagePixelValue": 4000, "LossyImageCompression": "01"}
    path = save(make(samples, stored=12, ImagerPixelSpacing=[1, 2], **extremes), tmp_path / "a.dcm")
    before = dcmtk(path)
    result = upscaler(**options).file(path, tmp_path / "b.dcm")
    found = dcmtk(tmp_path / "b.dcm")
    wide, high = result.target_size
    sx, sy = wide / 20, high / 14
    assert (value(found, "00280010"), value(found, "00280011")) == (high, wide)
    assert values(found, "00280030") == pytest.approx([0.5 / sy, 0.25 / sx])
    assert values(found, "00181164") == pytest.approx([1 / sy, 2 / sx])
    assert values(found, "00200032") == pytest.approx([10 - (1 - 1 / sx) / 2 * 0.25, -20 - (1 - 1 / sy) / 2 * 0.5, 30])
    assert pixels(found).shape == (1, high, wide)
    for kept in (
        "00200037",
        "00180050",
        "00180088",
        "00201041",
        "00200013",
        "00100010",
        "00100020",
        "0020000D",
        "00200052",
    ):
        assert found[kept] == before[kept]
    assert value(found, "00080018") != value(before, "00080018")
    assert value(found, "0020000E") != value(before, "0020000E")
    assert values(found, "00080008") == ["DERIVED", "PRIMARY", "AXIAL"]
    assert "super-resolved" in value(found, "00082111") and "slices as acquired" in value(found, "00082111")
    assert value(value(found, "00089215"), "00080100") == "113085"
    source = value(found, "00082112")
    assert (value(source, "00081150"), value(source, "00081155")) == (CT, "1.2.3.4.5")
    assert value(found, "0008103E").startswith("Thorax super-resolved x")
    assert value(found, "00282110") == "01"
    assert (value(found, "00280101"), value(found, "00280102"), value(found, "00280103")) == (12, 11, 0)
    assert not {"00280106", "00280107"} & found.keys()
    meta = subprocess.run(
        ["dcmdump", "-Un", str(tmp_path / "b.dcm")], capture_output=True, text=True, check=True
    ).stdout
    uid = value(found, "00080018")
    assert f"[{uid}]" in next(line for line in meta.splitlines() if line.startswith("(0002,0003)"))


@needs_dcmtk
def test_ultrasound_and_overlays(upscaler: Made, tmp_path: Path) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = 2, 5
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = 0, 7
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.05, 0.04
    dataset = make(smooth(8, 10, 0, 255).astype(np.uint8), kind=ULTRASOUND, SequenceOfUltrasoundRegions=[region])
    bits = (smooth(8, 10, 0, 9) % 2).astype(np.uint8)
    for element, vr, content in (
        (0x10, "US", 8),
        (0x11, "US", 10),
        (0x50, "SS", [1, 1]),
        (0x100, "US", 1),
        (0x102, "US", 0),
    ):
        dataset.add_new((0x6000, element), vr, content)
    dataset.add_new((0x6000, 0x3000), "OW", np.packbits(bits, bitorder="little").tobytes())
    upscaler().file(save(dataset, tmp_path / "a.dcm"), tmp_path / "b.dcm")
    found = dcmtk(tmp_path / "b.dcm")
    inside = value(found, "00186011")
    assert [value(inside, f"001860{n}") for n in ("18", "1A", "1C", "1E")] == [4, 0, 11, 15]
    assert (value(inside, "0018602C"), value(inside, "0018602E")) == (0.025, 0.02)
    assert (value(found, "60000010"), value(found, "60000011")) == (16, 20)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "b.dcm").overlay_array(0x6000), doubled(bits))


@pytest.mark.parametrize("wanted", ["jpeg2000", "dicom"])
def test_formats(wanted: str, upscaler: Made, tmp_path: Path) -> None:
    samples = smooth(9, 7, -50, 2000).astype(np.int16)
    upscaler(format=wanted).file(save(make(samples), tmp_path / "a.dcm"), tmp_path / "b.dcm")
    found = pydicom.dcmread(tmp_path / "b.dcm")
    assert found.file_meta.TransferSyntaxUID.is_compressed is (wanted == "jpeg2000")
    np.testing.assert_array_equal(found.pixel_array, doubled(samples))


def test_every_format_that_the_command_takes_is_written(tmp_path: Path) -> None:
    from superres.formats.dicom import open_dicom

    file = open_dicom(save(make(np.zeros((3, 4), np.uint8)), tmp_path / "a.dcm"), "a.dcm", Limits())
    for wanted in KINDS["dicom"].formats:
        assert result_syntax(wanted, file.syntax, file.layout, "a.dcm")


# Refusals, and what is left behind.


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 90},
        {"format": "png"},
        {"volume": VolumeOptions(isotropic=True)},
        {"volume": VolumeOptions(axes="xyz")},
        {"volume": VolumeOptions(axes="x")},
        {"volume": VolumeOptions(through_plane="self")},
        {"raster": RasterOptions(guide=Path("sharp.dcm"))},
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], upscaler: Made, tmp_path: Path) -> None:
    path = save(make(np.zeros((3, 4), np.uint8)), tmp_path / "a.dcm")
    with pytest.raises(OptionError, match=r"a\.dcm: "):
        upscaler(**options).file(path, tmp_path / "b.dcm")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


@pytest.mark.parametrize("name", ["b.png", "b.nii.gz", "b.tif"])
def test_a_result_is_not_called_another_format(name: str, upscaler: Made, tmp_path: Path) -> None:
    path = save(make(np.zeros((3, 4), np.uint8)), tmp_path / "a.dcm")
    with pytest.raises(OptionError, match=r"a\.dcm: DICOM is written as DICOM.*\.dcm"):
        upscaler().file(path, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


@pytest.mark.parametrize("odd", [-32768, 32767])
def test_an_odd_value_spoils_nothing_but_its_place(odd: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = (400 + 300 * smooth_ground(40, 44) + 10 * random.standard_normal((40, 44))).astype(np.int16)
    results = []
    for middle in (samples[5, 6], odd):
        changed = samples.copy()
        changed[5, 6] = middle
        path = save(make(changed, PixelRepresentation=1), tmp_path / f"{middle}.dcm")
        with Upscaler(Options(scale=2, threads=1)) as real:
            real.file(path, tmp_path / f"{middle}_x2.dcm")
        results.append(read(tmp_path / f"{middle}_x2.dcm").astype(int))
    difference = np.abs(results[1] - results[0])
    assert difference[10:12, 12:14].min() > 5000
    difference[:44, :48] = 0
    assert difference.max() <= 1


def smooth_ground(rows: int, columns: int) -> np.ndarray[Any, Any]:
    """Waves between -1 and 1."""
    down, across = np.mgrid[:rows, :columns]
    return np.asarray(np.sin(down / 5) * np.cos(across / 7))


def test_both_axes_may_be_named(upscaler: Made, tmp_path: Path) -> None:
    path = save(make(np.zeros((3, 4), np.uint8)), tmp_path / "a.dcm")
    upscaler(volume=VolumeOptions(axes="xy")).file(path, tmp_path / "b.dcm")
    assert read(tmp_path / "b.dcm").shape == (6, 8)


def test_results_that_are_too_large(upscaler: Made, tmp_path: Path) -> None:
    path = save(make(np.zeros((9, 30, 40), np.uint8)), tmp_path / "a.dcm")
    with pytest.raises(LimitError, match=r"160 x 120 x 9 frame"):
        upscaler(4, limits=Limits(output_pixels=100_000)).file(path, tmp_path / "b.dcm")
    with pytest.raises(OutputError, match="is the input itself"):
        upscaler(overwrite=True).file(path, path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_a_full_disk(upscaler: Made, tmp_path: Path) -> None:
    target = Path("/dev/full")
    if not target.exists():
        pytest.skip("NO /dev/full on this system")
    path = save(make(smooth(9, 8, 0, 9).astype(np.uint8)), tmp_path / "a.dcm")
    from superres.workflows import dicom as workflow

    real = os.fdopen

    def full(descriptor: int, mode: str) -> Any:
        os.close(descriptor)
        return real(os.open(target, os.O_WRONLY), mode)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow.os, "fdopen", full)
        with pytest.raises(OutputError, match="disk is full"):
            upscaler().file(path, tmp_path / "b.dcm")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


class _Failing:
    """A network that fails on its third picture, after looking at the folder."""

    precision = "fp32"
    lanes = 1

    def __init__(self, folder: Path, names: set[str]) -> None:
        self._folder, self._names, self._turn = folder, names, itertools.count()

    def run(self, batch: Samples) -> Samples:
        self._names |= {str(path.relative_to(self._folder)) for path in self._folder.rglob("*")}
        if next(self._turn) == 2:
            raise InferenceError("it failed")
        return batch.repeat(2, axis=2).repeat(2, axis=3)

    def close(self) -> None:
        """Nothing to free."""


def test_nothing_of_the_patient_is_told(
    tiny_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    names: set[str] = set()
    work = tmp_path / "work"
    (work / "series").mkdir(parents=True)
    samples = smooth(8, 9, 0, 4000, frames=5).astype(np.uint16)
    save(make(samples, stored=12), work / "many.dcm")
    for number, frame in enumerate(samples):
        place = {"ImagePositionPatient": [0, 0, number], "SOPInstanceUID": f"1.2.{number}"}
        save(make(frame, stored=12, kind=MR, **place), work / "series" / f"s{number}.dcm")
    (work / "cut.dcm").write_bytes((work / "many.dcm").read_bytes()[:-80])
    bent = (work / "many.dcm").read_bytes().replace(b"4\\30 ", b"x\\zz ").replace(b"10\\-20\\30", b"a\\b\\Zykxw")
    (work / "bent.dcm").write_bytes(bent)
    messages = []
    for source in ("many.dcm", "series", "cut.dcm", "bent.dcm"):
        options = Options(scale=2, model=f"{tiny_folder}/nearest")
        with (
            Upscaler(options, opener=lambda *_, **__: _Failing(work, names)) as upscaler,
            pytest.raises(SuperresError) as caught,
        ):
            upscaler.file(work / source, work / f"out_{source}")
        messages.append(str(caught.value))
    assert any(name.endswith(".part") for name in names)
    printed = "".join(capfd.readouterr())
    assert not list(leaks(*names, *messages, printed, caplog.text))
    # And no part of a result is left.
    assert {path.name for path in work.iterdir()} == {"many.dcm", "series", "cut.dcm", "bent.dcm"}


def test_a_damaged_frame_is_found_before_the_networks_run(upscaler: Made, tmp_path: Path) -> None:
    samples = smooth(16, 16, 0, 255, frames=3).astype(np.uint8)
    dataset = make(samples)
    path = save(dataset, tmp_path / "a.dcm")
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)
    data = bytearray(path.read_bytes())
    data[-130:-20] = bytes(110)
    path.write_bytes(bytes(data))
    seen: list[int] = []
    with pytest.raises(InputError, match=r"a\.dcm: frame 3"):
        upscaler().file(path, tmp_path / "b.dcm", report=lambda done, _: seen.append(done))
    assert seen == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]
