from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from tiny_models import NearestBackend, nearest_model, open_nearest

from superres.backends import Backend
from superres.cli import main
from superres.errors import InferenceError, InputError, LimitError, OptionError, OutputError
from superres.formats import Limits
from superres.options import VolumeOptions
from superres.pipeline import Options, Result, Upscaler
from superres.resize import axis_resampler

Array = npt.NDArray[Any]
Run = Callable[..., tuple[Any, Result]]

#: Oblique, mirrored, 1 x 1.5 x 3 mm.
AFFINE = np.array([[-0.8, 0.9, 0, 12], [0.6, 1.2, 0, -7], [0, 0, 3, 4.5], [0, 0, 0, 1]], np.float64)


def numbers(shape: Sequence[int], dtype: str = "int16", seed: int = 0) -> Array:
    """Random values, more than a label map has."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, min(np.iinfo(dtype).max, 9000), tuple(shape), endpoint=True).astype(dtype)
    return (rng.normal(0, 30, tuple(shape)) + (1j * rng.normal(0, 3, tuple(shape)) if dtype[0] == "c" else 0)).astype(
        dtype
    )


def save(path: Path, values: Array, affine: Array = AFFINE, **fields: float) -> Path:
    image = nib.Nifti1Image(values, affine, dtype=None if values.dtype.names else values.dtype)
    image.header.set_xyzt_units("mm", "sec")
    for field, value in fields.items():
        image.header[field] = value
    nib.save(image, path)
    return path


def stored(image: Any) -> Array:
    """The values in the file, without slope and intercept."""
    proxy = image.dataobj
    return np.asarray(proxy.get_unscaled())


def times(values: Array, factors: Sequence[int]) -> Array:
    for axis, factor in enumerate(factors):
        values = values.repeat(factor, axis)
    return values


def corners(affine: Array, shape: Sequence[int]) -> Array:
    """World positions of the outer corners of the field of view."""
    ends = [(-0.5, length - 0.5) for length in shape[:3]]
    return np.array([affine @ (*corner, 1) for corner in itertools.product(*ends)])[:, :3]


def run_with(
    folder: Path, family: str, opener: Callable[..., Backend], tmp_path: Path, source: Path, **options: Any
) -> tuple[Any, Result]:
    """Enlarge ``source`` by 2; the result by nibabel, and what was said of it."""
    target = tmp_path / options.pop("target", "result.nii")
    through_plane = options.pop("through_plane", "shipped")
    volume = VolumeOptions(options.pop("axes", ""), options.pop("isotropic", False), through_plane)
    report = options.pop("report", None)
    options.setdefault("scale", 2)
    with Upscaler(Options(model=f"{folder}/{family}", volume=volume, **options), opener=opener) as upscaler:
        result = upscaler.file(source, target, report=report)
    return nib.load(target), result


class RepeatedRows:
    """A chain of one network of rows that has every factor."""

    halo, lanes = 1, 2

    def __init__(self, factor: int) -> None:
        card = nearest_model(factor).card
        self.scale, self.cards = factor, (card,)

    def run(self, batch: Array) -> Array:
        return batch[:, :, 1:-1, 1:-1].repeat(self.scale, 2)


@pytest.fixture
def repeat(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """With the fake nearest-neighbour backend, whose results are known exactly, across the slices, too."""

    def rows(upscaler: Upscaler, factor: int) -> Any:
        return RepeatedRows(factor)

    monkeypatch.setattr(Upscaler, "rows", rows)

    def run(source: Path, **options: Any) -> tuple[Any, Result]:
        return run_with(tiny_folder, "nearest", open_nearest, tmp_path, source, **options)

    return run


@pytest.fixture
def enlarge(tiny_folder: Path, opener: Callable[..., Backend], tmp_path: Path) -> Run:
    """With the tiny network, whose results overshoot."""

    def run(source: Path, **options: Any) -> tuple[Any, Result]:
        return run_with(tiny_folder, "tiny", opener, tmp_path, source, **options)

    return run


# --- Values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["result.nii", "result.nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64", "complex64"])
def test_values_of_every_type(repeat: Run, tmp_path: Path, dtype: str, target: str) -> None:
    values = numbers((7, 6, 4), dtype)
    image, result = repeat(save(tmp_path / "a.nii.gz", values), target=target)
    assert image.get_data_dtype() == np.dtype(dtype)
    if values.dtype.kind in "iu":
        np.testing.assert_array_equal(stored(image), times(values, (2, 2, 1)))
    else:
        np.testing.assert_allclose(stored(image), times(values, (2, 2, 1)), atol=1e-4)
    assert result.networks == ("nearest x2",) and result.precision == "fp32"
    assert (result.source_size, result.target_size) == ((7, 6), (14, 12))


def test_colours(repeat: Run, tmp_path: Path) -> None:
    values = np.zeros((7, 6, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for seed, name in enumerate("RGB"):
        values[name] = numbers((7, 6, 4), "uint8", seed)
    image, _ = repeat(save(tmp_path / "a.nii", values))
    np.testing.assert_array_equal(stored(image), times(values, (2, 2, 1)))


def test_every_time_point_on_its_own(repeat: Run, tmp_path: Path) -> None:
    values = numbers((5, 4, 3, 2, 2), "float32")
    values[..., 1, 0] *= 1e6
    seen: list[tuple[int, int]] = []
    image, _ = repeat(save(tmp_path / "a.nii", values), report=lambda done, total: seen.append((done, total)))
    for point in np.ndindex(2, 2):
        part = values[(..., *point)]
        made, close = stored(image)[(..., *point)], float(np.ptp(part)) * 2e-7
        np.testing.assert_allclose(made, times(part, (2, 2)), atol=close)
    assert seen == [(k + 1, 12) for k in range(12)]


def test_a_single_picture(repeat: Run, tmp_path: Path) -> None:
    values = numbers((7, 6))
    image, _ = repeat(save(tmp_path / "a.nii", values))
    np.testing.assert_array_equal(stored(image), times(values, (2, 2)))


def test_value_scaling_stays_and_stored_values_are_enlarged(repeat: Run, tmp_path: Path) -> None:
    values = numbers((7, 6, 4))
    source = save(tmp_path / "a.nii", values)
    contents = bytearray(source.read_bytes())
    contents[112:120] = np.array([0.1, -40], "<f4").tobytes()
    source.write_bytes(contents)
    image, _ = repeat(source)
    np.testing.assert_array_equal(stored(image), times(values, (2, 2, 1)))
    assert (image.dataobj.slope, image.dataobj.inter) == pytest.approx((0.1, -40))
    assert (tmp_path / "result.nii").read_bytes()[112:120] == bytes(contents[112:120])


def test_big_endian_stays(repeat: Run, tmp_path: Path) -> None:
    values = numbers((7, 6, 4))
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    image = nib.Nifti1Image(values, AFFINE, header)
    nib.save(image, tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:2] == b"\0\0"
    made, _ = repeat(tmp_path / "a.nii")
    assert (tmp_path / "result.nii").read_bytes()[:4] == (348).to_bytes(4, "big")
    np.testing.assert_array_equal(stored(made), times(values, (2, 2, 1)))


@pytest.mark.parametrize("axes", ["xy", "z", "xyz"])
def test_gaps_stay(enlarge: Run, tmp_path: Path, axes: str) -> None:
    values = numbers((9, 8, 5), "float32")
    values[2:4, 3, :] = np.nan
    values[0, 0, 0], values[8, 7, 4] = np.inf, -np.inf
    image, _ = enlarge(save(tmp_path / "a.nii", values), axes=axes)
    large = times(values, [2 if letter in axes else 1 for letter in "xyz"])
    made = stored(image)
    np.testing.assert_array_equal(np.isnan(made), np.isnan(large))
    np.testing.assert_array_equal(made[np.isinf(large)], large[np.isinf(large)])
    assert np.isfinite(made).sum() == np.isfinite(large).sum()
    assert np.abs(made[np.isfinite(made)]).max() < 300


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_a_constant_volume_stays(enlarge: Run, tmp_path: Path, dtype: str) -> None:
    values = np.full((7, 6, 4), -21, dtype)
    image, _ = enlarge(save(tmp_path / "a.nii", values, intent_code=0), axes="xyz")
    assert np.all(stored(image) == -21)


def test_integers_are_clipped_and_floats_are_not(enlarge: Run, tmp_path: Path) -> None:
    edges = np.zeros((12, 12, 3), np.float32)
    edges[4:8, 4:8] = 255
    edges += numbers(edges.shape, "float32") / 1e4  # no label map
    high = stored(enlarge(save(tmp_path / "a.nii", edges))[0])
    assert high.max() > 255.5 and high.min() < -0.5
    steps = np.clip(edges, 0, 255).astype(np.uint8)
    steps[:, :, 1] = numbers((12, 12), "uint8")
    low = stored(enlarge(save(tmp_path / "b.nii", steps), overwrite=True)[0])
    assert low.min() == 0 and low.max() == 255
    assert low[8:16, 8:16, 0].min() > 100 and low[0, 0, 0] < 50, "values have wrapped around"


# --- Axes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["", "x", "z", "xz", "yz", "xyz"])
def test_named_axes_grow_in_the_world_too(repeat: Run, tmp_path: Path, axes: str) -> None:
    values = numbers((5, 4, 3))
    source = save(tmp_path / "a.nii", values)
    image, result = repeat(source, axes=axes)
    factors = [2 if letter in (axes or "xy") else 1 for letter in "xyz"]
    np.testing.assert_array_equal(stored(image), times(values, factors))
    np.testing.assert_allclose(corners(image.affine, image.shape), corners(AFFINE, values.shape), atol=1e-5)
    np.testing.assert_allclose(image.header.get_zooms(), np.array([1, 1.5, 3]) / factors, rtol=1e-6)
    through = ("nearest x2 through-plane",) if len(axes) in (1, 3) else ()
    assert result.networks == (("nearest x2",) if len(axes) != 1 else ()) + through


def test_isotropic(repeat: Run, tmp_path: Path) -> None:
    affine = np.diag([1, 1, 3, 1.0])
    values = numbers((5, 4, 3))
    image, result = repeat(save(tmp_path / "a.nii", values, affine), isotropic=True, scale=None)
    np.testing.assert_array_equal(stored(image), times(values, (1, 1, 3)))
    assert image.header.get_zooms() == (1, 1, 1)
    assert result.networks == ("nearest x3 through-plane",)
    assert (result.source_size, result.target_size) == ((5, 3), (5, 9))
    both, result = repeat(tmp_path / "a.nii", isotropic=True, target="b.nii")
    np.testing.assert_array_equal(stored(both), times(values, (2, 2, 6)))
    assert result.networks == ("nearest x2", "nearest x6 through-plane")


def test_other_factors_keep_the_field_of_view(enlarge: Run, tmp_path: Path) -> None:
    source = save(tmp_path / "a.nii", numbers((7, 6, 3)))
    image, _ = enlarge(source, scale=1.5, axes="xyz")
    assert image.shape == (10, 9, 4)
    np.testing.assert_allclose(corners(image.affine, image.shape), corners(AFFINE, (7, 6, 3)), atol=1e-5)


def test_twice_two_is_four(repeat: Run, tmp_path: Path) -> None:
    source = save(tmp_path / "a.nii", numbers((5, 4, 3)))
    repeat(source, axes="xyz", target="once.nii")
    twice, _ = repeat(tmp_path / "once.nii", axes="xyz", target="twice.nii")
    four, _ = repeat(source, axes="xyz", scale=4, target="four.nii")
    np.testing.assert_array_equal(stored(twice), stored(four))
    np.testing.assert_allclose(twice.affine, four.affine, atol=1e-5)
    np.testing.assert_allclose(twice.header.get_zooms(), four.header.get_zooms(), rtol=1e-6)


# --- Label maps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["xy", "xyz"])
def test_label_maps_take_the_nearest_neighbour(enlarge: Run, tmp_path: Path, axes: str) -> None:
    values = np.zeros((8, 7, 5), np.int16)
    values[2:5, 1:4, 1:3], values[5:, 3:, 2:] = 17, 1035
    seen: list[tuple[int, int]] = []
    report = lambda done, total: seen.append((done, total))  # noqa: E731
    image, result = enlarge(save(tmp_path / "a.nii.gz", values), axes=axes, report=report)
    np.testing.assert_array_equal(stored(image), times(values, [2, 2, 2 if "z" in axes else 1]))
    assert result.networks == ("nearest neighbour (label map)",) and result.precision == "exact"
    assert b"nearest neighbour (label map)" in image.header.extensions[-1].content
    assert seen[-1] == (image.shape[2], image.shape[2])


def test_a_label_map_of_floats_is_known_by_its_intent(enlarge: Run, tmp_path: Path) -> None:
    values = numbers((8, 7, 5), "float32")
    image, result = enlarge(save(tmp_path / "a.nii", values, intent_code=1002), scale=1.5)
    assert result.networks == ("nearest neighbour (label map)",)
    assert set(np.unique(stored(image))) <= set(np.unique(values))


# --- What is refused, what is left behind ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": (20, 20), "scale": None}, OptionError, "no --size"),
        ({"quality": 90}, OptionError, "quality 90"),
        ({"axes": "xq"}, OptionError, "xq"),
        ({"target": "a.png"}, OptionError, "nii"),
        ({"limits": Limits(input_pixels=839)}, LimitError, "--max-input"),
        ({"limits": Limits(output_pixels=3359)}, LimitError, "--max-output"),
        ({"target": "a.nii", "overwrite": True}, OutputError, "input itself"),
    ],
)
def test_refusals_leave_nothing(
    repeat: Run, tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    source = save(tmp_path / "a.nii", numbers((7, 6, 4, 5)))
    before = source.read_bytes()
    with pytest.raises(error, match=message):
        repeat(source, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"] and source.read_bytes() == before


def test_all_voxels_count_against_the_limits(repeat: Run, tmp_path: Path) -> None:
    source = save(tmp_path / "a.nii", numbers((7, 6, 4, 5)))
    repeat(source, limits=Limits(input_pixels=840, output_pixels=3360))


def test_a_failing_network_leaves_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    class Failing:
        precision, lanes = "fp32", 1

        def run(self, batch: Array) -> Array:
            raise InferenceError("out of order")

        def close(self) -> None:
            """Nothing to free."""

    source = save(tmp_path / "a.nii.gz", numbers((7, 6, 4)))
    with pytest.raises(InferenceError, match="out of order"):
        run_with(tiny_folder, "nearest", lambda *_, **__: Failing(), tmp_path, source, axes="xyz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


def test_a_network_that_diverges_is_an_error_not_a_result(tiny_folder: Path, tmp_path: Path) -> None:
    class Diverging(NearestBackend):
        def run(self, batch: Array) -> Array:
            return np.asarray((super().run(batch) - 0.5) * gain + 0.5)

    source = save(tmp_path / "a.nii", numbers((7, 6, 4), "float32"))

    def opener(name: str, model: bytes, **_: Any) -> Backend:
        return Diverging(model)

    gain = np.float32(9)
    with pytest.raises(InferenceError, match="another --model"):
        run_with(tiny_folder, "nearest", opener, tmp_path, source)
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]
    gain = np.float32(1.5)  # overshoots, as networks do: kept
    image, _ = run_with(tiny_folder, "nearest", opener, tmp_path, source)
    assert np.ptp(stored(image)) > 1.3 * np.ptp(stored(nib.load(source)))


def test_across_the_slices_too(repeat: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save(tmp_path / "a.nii", numbers((7, 6, 4), "float32"))
    right = RepeatedRows.run
    monkeypatch.setattr(RepeatedRows, "run", lambda self, batch: (right(self, batch) - 0.5) * np.float32(9) + 0.5)
    with pytest.raises(InferenceError, match="--through-plane cubic"):
        repeat(source, axes="z")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


def test_the_command(tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "brain.nii.gz", numbers((7, 6, 4)))
    arguments = ["upscale", str(source), "--scale", "2", "--model", f"{tiny_folder}/tiny", "--threads", "1"]
    assert main([*arguments, "--axes", "xyz"]) == 0
    assert nib.load(tmp_path / "brain_x2.nii.gz").shape == (14, 12, 8)
    assert "tiny x2 + rows x2 through-plane (fp32)" in capsys.readouterr().out
    assert main([*arguments, "--isotropic", "-o", str(tmp_path / "iso.nii")]) == 0
    assert nib.load(tmp_path / "iso.nii").shape == (14, 12, 16)


def test_an_upscaler_with_a_folder_of_its_own(tiny_folder: Path, tmp_path: Path) -> None:
    source = save(tmp_path / "a.nii", numbers((7, 6, 4)))
    with Upscaler(Options(scale=2, model="nearest"), folder=tiny_folder, opener=open_nearest) as upscaler:
        assert upscaler.file(source, tmp_path / "b.nii").networks == ("nearest x2",)


# --- What makes slices between slices ------------------------------------------------------------------------------


def test_a_network_of_its_own(repeat: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pytest.importorskip("superres.training.rows", reason="NO TORCH: pip install 'superres[train]'")
    quick = rows.RowTraining(steps=20, batch=2, rows=4, columns=12, features=4, layers=3, threads=1)
    monkeypatch.setattr("superres.workflows.self_trained._training", lambda threads, steps, shipped: quick)
    monkeypatch.setattr("superres.workflows.self_trained._start", lambda factor: None)
    x, y, z, t = np.indices((24, 26, 6, 2), np.float32)
    values = np.sin(x / 3 + t) + np.cos(y / 3) + np.sin(z / 2)
    source, told = save(tmp_path / "a.nii", values, np.diag([1, 1, 4, 1])), []
    image, result = repeat(
        source, isotropic=True, scale=None, through_plane="self", report=lambda *counts: told.append(counts)
    )
    assert image.shape == (24, 26, 24, 2)
    assert result.networks == ("self-trained x4 through-plane",)
    assert "20 steps: +" in result.note
    assert told == [(k, 20 + 2 * 50) for k in range(1, 121)]
    # Thick slices keep their values: 4 of the result are as much as one of them.
    np.testing.assert_allclose(stored(image).reshape(24, 26, 6, 4, 2).mean(3), values, atol=1e-4)
    again, _ = repeat(source, isotropic=True, scale=None, through_plane="self", target="again.nii")
    np.testing.assert_array_equal(stored(again), stored(image))


def test_interpolated_slices(repeat: Run, tmp_path: Path) -> None:
    values = numbers((7, 6, 4), "float32")
    image, result = repeat(save(tmp_path / "a.nii", values), axes="z", through_plane="cubic")
    assert result.networks == ("cubic through-plane",)
    assert result.note == ""
    np.testing.assert_allclose(stored(image), axis_resampler(4, 8).apply(values, 2), rtol=1e-4, atol=1e-4)


def test_a_choice_that_would_do_nothing(repeat: Run, tmp_path: Path) -> None:
    source = save(tmp_path / "a.nii", numbers((7, 6, 4)))
    with pytest.raises(OptionError, match="no axis grows across the slices"):
        repeat(source, through_plane="self")
    with pytest.raises(OptionError, match=r"'sel'.*expected shipped, self or cubic.*self"):
        repeat(source, through_plane="sel")
    with pytest.raises(InputError, match="--through-plane shipped"):
        repeat(source, axes="z", through_plane="self")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


# --- Real files -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def itk() -> Any:
    """SimpleITK, the second reader."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import SimpleITK
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return SimpleITK


@pytest.mark.parametrize(
    "name",
    [
        "anatomical.nii",
        "example4d.nii.gz",
        "functional.nii",
        "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
        "sct_t1w.nii.gz",
        "sct_t2.nii.gz",
        "sct_t2s.nii.gz",
    ],
)
def test_real_volumes(repeat: Run, data_root: Path, tmp_path: Path, itk: Any, name: str) -> None:
    source = data_root / "samples" / "nifti" / name
    if not source.is_file():
        pytest.skip(f"NO SAMPLE VOLUME: {source} is absent")
    if name.startswith("mni"):  # the middle of it: all of it takes long
        nib.save(nib.load(source).slicer[60:100, 80:120, 90:94], tmp_path / name)
        source = tmp_path / name
    image, result = repeat(source, target=f"made{''.join(source.suffixes)}")
    before = nib.load(source)
    assert result.networks == ("nearest x2",)
    np.testing.assert_array_equal(stored(image), times(stored(before), (2, 2)))
    for get in ("get_qform", "get_sform"):
        (old, old_code), (new, new_code) = getattr(before, get)(coded=True), getattr(image, get)(coded=True)
        assert old_code == new_code
        if old_code == 0:
            continue
        np.testing.assert_allclose(corners(new, image.shape), corners(old, before.shape), atol=1e-4)
    assert image.header.get_xyzt_units() == before.header.get_xyzt_units()
    assert image.header.get_zooms()[3:] == before.header.get_zooms()[3:]
    assert image.dataobj.slope == before.dataobj.slope and image.get_data_dtype() == before.get_data_dtype()
    first, second = (itk.ReadImage(str(path)) for path in (source, image.get_filename()))
    rest = [0.0] * (first.GetDimension() - 3)
    for ends in itertools.product(*[(-0.5, length - 0.5) for length in first.GetSize()[:3]]):
        old = first.TransformContinuousIndexToPhysicalPoint([*ends, *rest])
        grown = [2 * ends[0] + 0.5, 2 * ends[1] + 0.5, ends[2]]
        new = second.TransformContinuousIndexToPhysicalPoint([*grown, *rest])
        np.testing.assert_allclose(new, old, atol=1e-4)
