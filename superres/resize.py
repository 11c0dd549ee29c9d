"""Antialiased resizing as separable matrices: bicubic (MATLAB-exact), area, Lanczos and bilinear.

Every resize here is a matrix per axis.  :class:`AxisResampler` holds that matrix in compressed form (which
input samples, with which weights, make each output sample), applies it, applies its transpose, and can apply just
a window of it, so that a picture larger than memory is resized strip by strip.

The bicubic kernel is Keys' (a = -0.5) and the arithmetic is that of MATLAB ``imresize``: widened for antialiasing
when shrinking, borders mirrored with the edge sample repeated, rows before columns, and for integer input rounded
with ``floor(x + 0.5)`` after *each* axis.

References:
    R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29(6), 1981.
    MATLAB ``imresize``, https://www.mathworks.com/help/images/ref/imresize.html
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError, near_match

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

__all__ = ["KERNELS", "AxisResampler", "axis_resampler", "resize"]


def _cubic(x: Floats) -> Floats:
    a = np.abs(x)
    a2, a3 = a * a, a * a * a
    near = (1.5 * a3 - 2.5 * a2 + 1.0) * (a <= 1)
    far = (-0.5 * a3 + 2.5 * a2 - 4.0 * a + 2.0) * ((a > 1) & (a <= 2))
    return np.asarray(near + far)


def _linear(x: Floats) -> Floats:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _box(x: Floats) -> Floats:
    return np.asarray((x >= -0.5) & (x < 0.5), dtype=np.float64)


def _lanczos3(x: Floats) -> Floats:
    return np.asarray(np.sinc(x) * np.sinc(x / 3.0) * (np.abs(x) < 3))


# Samples that are summed at once: they and their products stay in a core's cache.
_BLOCK = 1 << 15

#: Kernel name -> (function, support in input samples at scale 1).  ``area`` is handled apart: exact overlaps.
KERNELS: dict[str, tuple[Callable[[Floats], Floats], float]] = {
    "bicubic": (_cubic, 4.0),
    "bilinear": (_linear, 2.0),
    "lanczos3": (_lanczos3, 6.0),
    "area": (_box, 1.0),
}


@dataclass(frozen=True)
class AxisResampler:
    """One axis of a resize: output sample ``i`` is ``sum_k weights[i, k] * input[indices[i, k]]``.

    Attributes:
        indices: int64 (out_length, taps), input positions in ``0 .. in_length - 1`` after mirroring.
        weights: float64 (out_length, taps), each row sums to 1.
        in_length: number of input samples on the axis.
    """

    indices: npt.NDArray[np.int64]
    weights: Floats
    in_length: int

    @property
    def out_length(self) -> int:
        """Number of output samples on the axis."""
        return int(self.indices.shape[0])

    def source_window(self, start: int, stop: int) -> tuple[int, int]:
        """The half-open range of input samples that outputs ``start .. stop - 1`` read."""
        used = self.indices[start:stop]
        return int(used.min()), int(used.max()) + 1

    def apply(self, array: Array, axis: int, *, start: int = 0, stop: int | None = None, offset: int = 0) -> Array:
        """Resample ``array`` along ``axis`` and return floating point samples.

        Args:
            array: samples of any shape and real dtype; ``array.shape[axis]`` covers the inputs from ``offset``.
            axis: the axis to resample.
            start: first output sample wanted.
            stop: one past the last output sample wanted (all of them when None).
            offset: position of ``array``'s first sample in the whole axis.

        Returns:
            float32 when ``array`` is float32, otherwise float64; ``stop - start`` long on ``axis``.
        """
        stop = self.out_length if stop is None else stop
        dtype = np.float32 if array.dtype == np.float32 else np.float64
        moved = np.ascontiguousarray(np.moveaxis(array, axis, 0))
        indices = self.indices[start:stop] - offset
        weights = self.weights[start:stop].astype(dtype).reshape(*indices.shape, *(1,) * (moved.ndim - 1))
        result = np.zeros((stop - start, *moved.shape[1:]), dtype)
        step = max(1, _BLOCK // max(1, math.prod(moved.shape[1:])))
        products = np.empty((min(step, stop - start), *moved.shape[1:]), dtype)
        for first in range(0, stop - start, step):
            rows = slice(first, first + step)
            sums = result[rows]
            for tap in range(indices.shape[1]):
                sums += np.multiply(moved[indices[rows, tap]], weights[rows, tap], out=products[: len(sums)])
        return np.moveaxis(result, 0, axis)

    def adjoint(self, array: Array, axis: int) -> Array:
        """Apply the transposed matrix: ``out_length`` samples on ``axis`` in, ``in_length`` out, floating point."""
        dtype = np.float32 if array.dtype == np.float32 else np.float64
        moved = np.moveaxis(array, axis, 0)
        shape = (-1,) + (1,) * (moved.ndim - 1)
        result = np.zeros((self.in_length, *moved.shape[1:]), dtype)
        for tap in range(self.indices.shape[1]):
            weighted = self.weights[:, tap].astype(dtype).reshape(shape) * moved
            np.add.at(result, self.indices[:, tap], weighted)
        return np.moveaxis(result, 0, axis)

    def matrix(self) -> Floats:
        """The dense matrix, float64 (out_length, in_length): for tests and small pictures."""
        dense = np.zeros((self.out_length, self.in_length))
        rows = np.repeat(np.arange(self.out_length), self.indices.shape[1])
        np.add.at(dense, (rows, self.indices.ravel()), self.weights.ravel())
        return dense


def axis_resampler(
    in_length: int, out_length: int, kernel: str = "bicubic", *, scale: float | None = None, antialias: bool = True
) -> AxisResampler:
    """Build the resampling matrix of one axis, with half-pixel centres.

    Args:
        in_length: input samples, >= 1.
        out_length: output samples, >= 1.
        kernel: a key of :data:`KERNELS`.
        scale: output over input sampling rate; ``out_length / in_length`` when None.
        antialias: widen the kernel by ``1 / scale`` when shrinking.

    Raises:
        OptionError: a length below 1 or an unknown kernel.
    """
    if kernel not in KERNELS:
        hint = near_match(kernel, KERNELS)
        raise OptionError(f"kernel {kernel!r} is unknown: expected one of {sorted(KERNELS)}{hint}")
    if in_length < 1 or out_length < 1:
        raise OptionError(f"resize from {in_length} to {out_length} samples: both must be at least 1")
    factor = out_length / in_length if scale is None else scale
    if kernel == "area":
        return _area_resampler(in_length, out_length, factor)
    function, support = KERNELS[kernel]
    stretch = factor if antialias and factor < 1 else 1.0
    width = support / stretch
    centre = np.arange(1, out_length + 1) / factor + 0.5 * (1 - 1 / factor)
    left = np.floor(centre - width / 2)
    positions = left[:, None] + np.arange(math.ceil(width) + 2)
    weights = stretch * function(stretch * (centre[:, None] - positions))
    weights = weights / weights.sum(axis=1, keepdims=True)
    return _trimmed(positions.astype(np.int64) - 1, weights, in_length)


def _area_resampler(in_length: int, out_length: int, factor: float) -> AxisResampler:
    """Each output sample is the mean of the input interval that it covers (exact fractional overlaps)."""
    low = np.arange(out_length) / factor
    high = (np.arange(out_length) + 1) / factor
    positions = np.floor(low).astype(np.int64)[:, None] + np.arange(math.ceil(1 / factor) + 1)
    overlap = np.minimum(high[:, None], positions + 1) - np.maximum(low[:, None], positions)
    weights = np.where((positions >= 0) & (positions < in_length), np.maximum(overlap, 0.0), 0.0)
    # ceil(0.68 * 75) is 52 in floating point, as in MATLAB: the 52nd sample covers nothing, it repeats the edge.
    weights[:, 0] = np.where(weights.sum(axis=1) > 0, weights[:, 0], 1.0)
    weights = weights / weights.sum(axis=1, keepdims=True)
    return _trimmed(np.clip(positions, 0, in_length - 1), weights, in_length)


def _trimmed(positions: npt.NDArray[np.int64], weights: Floats, in_length: int) -> AxisResampler:
    """Mirror positions into the axis (edge sample repeated) and drop taps that no output uses."""
    folded = np.mod(positions, 2 * in_length)
    mirrored = np.where(folded < in_length, folded, 2 * in_length - 1 - folded)
    used = np.any(weights != 0, axis=0)
    return AxisResampler(mirrored[:, used], weights[:, used], in_length)


def resize(
    samples: Array,
    size: tuple[int, int] | None = None,
    *,
    scale: float | None = None,
    kernel: str = "bicubic",
    antialias: bool = True,
) -> Array:
    """Resize a picture; with ``kernel="bicubic"`` equal to MATLAB ``imresize`` bit for bit.

    Args:
        samples: (H, W) or (H, W, C), integer or float.
        size: (height, width) of the result; or
        scale: factor for both axes, the size is then ``ceil(scale * length)`` as in MATLAB.  Exactly one of the two.
        kernel: ``bicubic``, ``bilinear``, ``lanczos3`` or ``area``.
        antialias: widen the kernel when shrinking.

    Returns:
        The same dtype as ``samples``.  Integers are rounded with ``floor(x + 0.5)`` and clipped to the dtype's
        range after each axis; floats are left alone.

    Raises:
        OptionError: both or neither of ``size`` and ``scale``, a size below 1, an unknown kernel.
    """
    if (size is None) == (scale is None):
        raise OptionError(f"resize needs exactly one of size and scale, got size={size} and scale={scale}")
    height, width = samples.shape[:2]
    if min(height, width) < 1:
        raise OptionError(f"cannot resize {width} x {height} pixels: both must be at least 1")
    if size is None:
        factor = float(scale or 0)
        if not factor > 0 or not math.isfinite(factor):
            raise OptionError(f"scale {scale} is not a positive number")
        size = (math.ceil(height * factor), math.ceil(width * factor))
    # MATLAB treats the axis with the smaller factor first, rows first when they are equal.
    axes = sorted((0, 1), key=lambda a: (size[a] / samples.shape[a] if scale is None else 0.0, a))
    result = samples
    for axis in axes:
        resampler = axis_resampler(samples.shape[axis], size[axis], kernel, scale=scale, antialias=antialias)
        result = _as_dtype(resampler.apply(result, axis), samples.dtype)
    return result


def _as_dtype(values: Array, dtype: np.dtype[Any]) -> Array:
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(np.floor(values + 0.5), limits.min, limits.max).astype(dtype)
