from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from superres.degrade.kernels import (
    Kernel,
    gaussian_kernel,
    generalised_gaussian_kernel,
    plateau_kernel,
    separable_terms,
    sinc_kernel,
)
from superres.errors import OptionError

sigmas = st.floats(0.2, 5)
angles = st.floats(-math.pi, math.pi)


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    kind = draw(st.sampled_from(["gaussian", "generalised", "plateau", "sinc"]))
    if kind == "sinc":
        return sinc_kernel(draw(st.floats(0.3, math.pi)), draw(st.integers(1, 12)))
    if kind == "gaussian":
        return gaussian_kernel(draw(sigmas), draw(sigmas), draw(angles))
    make = generalised_gaussian_kernel if kind == "generalised" else plateau_kernel
    return make(draw(sigmas), draw(sigmas), draw(angles), shape=draw(st.floats(0.3, 4)))


@given(kernels())
def test_every_kernel_is_odd_sums_to_one_and_is_symmetric_about_its_centre(kernel: Kernel) -> None:
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-15)


@given(kernels(), st.sampled_from([1e-3, 0.02, 0.2]))
def test_separable_terms_are_near_keep_the_sum_and_the_symmetry(kernel: Kernel, tolerance: float) -> None:
    columns, rows = separable_terms(kernel, tolerance)
    rebuilt = columns.T @ rows
    # Setting the sum back to 1 may double what the tolerance allows.
    assert np.abs(rebuilt - kernel).sum() <= 2.5 * tolerance
    assert rebuilt.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(rebuilt, rebuilt[::-1, ::-1], atol=1e-9)


def test_separable_kernels_have_one_term() -> None:
    assert len(separable_terms(gaussian_kernel(2.5, 1.0), 1e-9)[0]) == 1
    assert len(separable_terms(gaussian_kernel(2.5, 1.0, 0.6), 1e-3)[0]) > 1


def moments(kernel: Kernel) -> tuple[float, float, float]:
    """Variance along x, along y, and covariance."""
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(offsets, offsets)
    return float((kernel * x * x).sum()), float((kernel * y * y).sum()), float((kernel * x * y).sum())


@given(st.floats(0.8, 4), st.floats(0.8, 4), angles)
def test_gaussian_has_the_moments_it_was_asked_for(sigma_u: float, sigma_v: float, angle: float) -> None:
    cosine, sine = math.cos(angle), math.sin(angle)
    expected = (
        (sigma_u * cosine) ** 2 + (sigma_v * sine) ** 2,
        (sigma_u * sine) ** 2 + (sigma_v * cosine) ** 2,
        (sigma_u**2 - sigma_v**2) * cosine * sine,
    )
    # The kernel ends at three sigmas of the wider axis: a few per cent of the variance lie beyond.
    np.testing.assert_allclose(moments(gaussian_kernel(sigma_u, sigma_v, angle)), expected, atol=0.04 * max(expected))


def test_angle_turns_the_long_axis_from_x_downwards() -> None:
    along_x, along_y, crossed = moments(gaussian_kernel(3, 1, math.pi / 4))
    assert crossed > 0, "x and y grow together: the axis points right and down"
    assert along_x == pytest.approx(along_y)
    along_x, along_y, _ = moments(gaussian_kernel(3, 1, 0))
    assert along_x > 4 * along_y


def test_shapes_order_the_flatness_of_the_top() -> None:
    def peak(kernel: Kernel) -> float:
        centre = len(kernel) // 2
        return float(kernel[centre, centre] / kernel[centre, centre + 1])

    peaks = [peak(generalised_gaussian_kernel(2, shape=shape)) for shape in (0.5, 1.0, 2.0, 4.0)]
    assert peaks == sorted(peaks, reverse=True)
    assert peak(plateau_kernel(2, shape=2)) < peak(plateau_kernel(2, shape=1))
    np.testing.assert_array_equal(generalised_gaussian_kernel(2, 1, 0.3, shape=1), gaussian_kernel(2, 1, 0.3))


@pytest.mark.parametrize(("cutoff", "radius"), [(math.pi, 5), (1.5, 10), (0.8, 21)])
def test_sinc_equals_its_definition(cutoff: float, radius: int) -> None:
    offsets = np.arange(-radius, radius + 1)
    distance = np.hypot(*np.meshgrid(offsets, offsets))
    distance[radius, radius] = 1
    expected = cutoff * special.j1(cutoff * distance) / (2 * math.pi * distance)
    expected[radius, radius] = cutoff**2 / (4 * math.pi)
    np.testing.assert_allclose(sinc_kernel(cutoff, radius), expected / expected.sum(), atol=1e-12)


def test_sinc_passes_low_frequencies_and_stops_high_ones() -> None:
    response = np.abs(np.fft.fft2(sinc_kernel(1.2, 40), (256, 256)))[0, :129]
    frequency = np.linspace(0, math.pi, 129)
    assert np.all(np.abs(response[frequency < 0.9] - 1) < 0.1)
    assert np.all(response[frequency > 1.5] < 0.1)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 101.0])
def test_a_sigma_out_of_range_is_refused(sigma: float) -> None:
    for arguments in ((sigma,), (1.0, sigma)):
        with pytest.raises(OptionError, match="expected sigmas"):
            gaussian_kernel(*arguments)


def test_other_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="shape"):
        plateau_kernel(1.0, shape=0)
    for cutoff, radius in ((0.0, 3), (3.2, 3), (1.0, 0), (1.0, 65), (math.nan, 3)):
        with pytest.raises(OptionError, match="sinc"):
            sinc_kernel(cutoff, radius)
