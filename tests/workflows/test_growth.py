from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import OptionError
from superres.options import VolumeOptions
from superres.workflows.growth import Growth, plan_growth

Three = tuple[float, float, float]


def plan(
    grid: tuple[int, int, int] = (10, 20, 30),
    spacing: Three = (1, 1, 1),
    scale: float | None = 2,
    axes: str = "",
    isotropic: bool = False,
) -> Growth:
    return plan_growth(grid, spacing, scale, VolumeOptions(axes, isotropic), "a.nii")


@pytest.mark.parametrize(
    ("spacing", "in_plane"),
    [((1, 1, 1), (0, 1)), ((1, 1, 5), (0, 1)), ((5, 1, 1), (1, 2)), ((1, 5, 1), (0, 2)), ((0.5, 0.6, 0.4), (0, 2))],
)
def test_in_plane_axes_have_the_smallest_spacing(spacing: Three, in_plane: tuple[int, int]) -> None:
    growth = plan(spacing=spacing)
    assert growth.in_plane == in_plane and growth.through is None
    assert [after / before for before, after in zip(growth.before, growth.after, strict=True)] == [
        2 if axis in in_plane else 1 for axis in range(3)
    ]
    assert growth.pictures == growth.before[3 - sum(in_plane)]


def test_a_single_slice_is_in_plane_last() -> None:
    assert plan(grid=(10, 1, 30)).in_plane == (0, 2)


@pytest.mark.parametrize(
    ("axes", "spacing", "after", "in_plane", "through"),
    [
        ("xy", (1, 1, 5), (20, 40, 30), (0, 1), None),
        ("ZX", (1, 1, 5), (20, 20, 60), (0, 2), None),
        ("z", (1, 1, 5), (10, 20, 60), None, 2),
        ("x", (1, 1, 5), (20, 20, 30), None, 0),
        ("xyz", (1, 1, 5), (20, 40, 60), (0, 1), 2),
        ("xyz", (1, 3, 1), (20, 40, 60), (0, 2), 1),
        ("xyz", (1, 1, 1), (20, 40, 60), (0, 1), 2),
    ],
)
def test_named_axes_grow(
    axes: str, spacing: Three, after: tuple[int, int, int], in_plane: tuple[int, int] | None, through: int | None
) -> None:
    growth = plan(spacing=spacing, axes=axes)
    assert (growth.after, growth.in_plane, growth.through) == (after, in_plane, through)


def test_without_a_scale_axes_grow_four_times() -> None:
    assert plan(scale=None).after == (40, 80, 30)


def test_isotropic_brings_thick_slices_to_the_spacing_of_the_others() -> None:
    growth = plan((320, 320, 11), (0.5, 0.5, 7.5), None, isotropic=True)
    assert (growth.after, growth.in_plane, growth.through) == ((320, 320, 165), None, 2)
    assert growth.pictures == 640
    growth = plan((11, 320, 320), (7.5, 0.5, 0.6), None, isotropic=True)
    assert growth.after == (138, 320, 320)  # 11 * 7.5 / 0.6 is 137.5
    assert growth.through == 0


def test_isotropic_with_a_scale_reaches_the_new_spacing() -> None:
    growth = plan((32, 32, 5), (1, 1, 3), 2, isotropic=True)
    assert (growth.after, growth.in_plane, growth.through) == ((64, 64, 30), (0, 1), 2)
    assert growth.between == (64, 64, 5)
    assert growth.pictures == 5 + 64 + 64


def test_isotropic_of_an_isotropic_volume_needs_a_scale() -> None:
    with pytest.raises(OptionError, match="same along all axes"):
        plan(scale=None, isotropic=True)
    assert plan(scale=2, isotropic=True).after == (20, 40, 60)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axes": "xw"}, "expected some of x, y and z"),
        ({"axes": "xx"}, "each once"),
        ({"axes": "xy", "isotropic": True}, "give one"),
        ({"grid": (10, 20, 1), "isotropic": True}, "single slice"),
        ({"scale": 1.0}, "more than 1"),
        ({"scale": 17.0}, "at most 16"),
        ({"scale": float("nan")}, "more than 1"),
        ({"scale": 1.001}, "larger --scale"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        plan(**options)  # type: ignore[arg-type]


def test_the_two_axes_that_are_shown() -> None:
    assert plan().shown == (0, 1)
    assert plan(axes="z").shown == (0, 2)
    assert plan(axes="x").shown == (0, 1)
    assert plan(axes="yz").shown == (1, 2)


@given(
    st.tuples(*[st.integers(1, 40)] * 3),
    st.tuples(*[st.floats(0.1, 8)] * 3),
    st.one_of(st.none(), st.floats(1.01, 16)),
    st.sampled_from(["", "x", "y", "z", "xy", "yz", "xz", "xyz", "iso"]),
)
def test_what_grows_is_what_is_planned(
    grid: tuple[int, int, int], spacing: Three, scale: float | None, axes: str
) -> None:
    try:
        growth = plan(grid, spacing, scale, "" if axes == "iso" else axes, axes == "iso")
    except OptionError:
        return
    grown = {axis for axis in range(3) if growth.after[axis] != grid[axis]}
    named = set(growth.in_plane or ()) | ({growth.through} - {None})
    assert grown == named and grown
    assert all(after >= before for before, after in zip(grid, growth.after, strict=True))
    if growth.in_plane is not None and growth.through is not None:
        assert max(spacing[axis] for axis in growth.in_plane) <= spacing[growth.through] or 1 in grid
