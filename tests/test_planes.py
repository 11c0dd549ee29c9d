from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tiny_models import NearestBackend, make_model

from superres.chain import NetworkChain
from superres.enlarging import enlarged
from superres.image import Image
from superres.planes import FILL_DEPTH, carried_planes, filled, finished, prepared, without_gaps

Floats = npt.NDArray[np.float32]


def samples_of(dtype: str, channels: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(3)
    top = {"uint8": 256, "uint16": 65536, "float32": 1}[dtype]
    values = random.random((5, 7, channels)) * top
    if channels in (2, 4):
        values[:, :, -1] = np.maximum(values[:, :, -1], top * 0.01)  # below 1/512 colours are given up
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_there_and_back(dtype: str, channels: int) -> None:
    samples = samples_of(dtype, channels)
    info = Image.from_array(samples).info
    planes = prepared(samples, info)
    assert planes.dtype == np.float32
    assert planes.shape == (5, 7, channels + carried_planes(info))
    back = finished(planes, info)
    assert back.dtype == samples.dtype
    np.testing.assert_allclose(back.astype(float), samples.astype(float), atol={"float32": 1e-6}.get(dtype, 0))


def test_colours_are_multiplied_by_alpha() -> None:
    samples = np.array([[[200, 100, 50, 0], [200, 100, 50, 255]]], np.uint8)
    planes = prepared(samples, Image.from_array(samples).info)
    assert np.all(planes[0, 0] == 0)
    np.testing.assert_allclose(planes[0, 1] * 255, [200, 100, 50, 255], rtol=1e-6)


def test_integers_are_rounded_and_clipped() -> None:
    info = Image.from_array(np.zeros((1, 1, 1), np.uint8)).info
    values = np.array([-0.1, 0.4999 / 255, 0.5001 / 255, 254.6 / 255, 1.7], np.float32)
    assert [int(finished(v.reshape(1, 1, 1), info)[0, 0, 0]) for v in values] == [0, 0, 1, 255, 255]


def test_floats_are_not_clipped() -> None:
    samples = np.array([[[-0.5], [3.0]]], np.float32)
    info = Image.from_array(samples).info
    np.testing.assert_array_equal(finished(prepared(samples, info), info), samples)


def test_gaps_return_as_they_were() -> None:
    samples = np.array([[[np.nan], [np.inf], [-np.inf], [0.5]]], np.float32)
    info = Image.from_array(samples).info
    planes = prepared(samples, info)
    assert np.isnan(planes[0, :3, 0]).all()
    np.testing.assert_array_equal(finished(planes, info), samples)


def test_filled_takes_the_mean_of_known_neighbours_and_leaves_the_rest() -> None:
    values = np.full((3, 3, 1), 2.0, np.float32)
    values[1, 1] = np.nan
    values[0, 0] = 4.0
    result = filled(values)
    assert result[1, 1, 0] == pytest.approx((7 * 2 + 4) / 8)
    known = ~np.isnan(values)
    np.testing.assert_array_equal(result[known], values[known])


def test_filled_reaches_its_depth_and_no_further() -> None:
    values = np.full((1, FILL_DEPTH + 4, 1), np.nan, np.float32)
    values[0, 0] = 5.0
    np.testing.assert_array_equal(filled(values)[0, :, 0], [5.0] * (FILL_DEPTH + 1) + [0.0] * 3)


def test_gaps_of_one_plane_are_filled() -> None:
    plane = np.full((5, 6), 2, np.float32)
    assert without_gaps(plane) is plane
    plane[1, 2], plane[3, 3] = np.nan, np.inf
    np.testing.assert_array_equal(without_gaps(plane), 2)


def test_filled_reaches_as_deep_as_it_is_told() -> None:
    values = np.full((1, 9, 1), np.nan, np.float32)
    values[0, 0] = 5.0
    np.testing.assert_array_equal(filled(values, 3)[0, :, 0], [5.0] * 4 + [0.0] * 5)


@pytest.mark.parametrize("halo", [3, 20])
def test_no_network_sees_what_lies_deep_in_a_gap(halo: int) -> None:
    class Smallest(NearestBackend):
        """The smallest value within its reach."""

        def run(self, batch: Floats) -> Floats:
            padded = np.pad(batch, ((0, 0), (0, 0), (halo, halo), (halo, halo)), mode="edge")
            side = 2 * halo + 1
            around = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (2, 3))
            return super().run(around.min(axis=(4, 5)))

    samples = np.full((8, 90, 1), 0.5, np.float32)
    samples[:, 10:80] = np.nan
    info = Image.from_array(samples).info
    model = make_model(b"nearest:2", 2, halo=halo)
    chain = NetworkChain([model], opener=lambda _, contents, **__: Smallest(contents))
    strips = list(enlarged(iter([prepared(samples, info)]), info, chain, 64, 64, lambda part: part, None))
    made = finished(np.concatenate(strips), info)
    np.testing.assert_array_equal(made, samples.repeat(2, 0).repeat(2, 1))
