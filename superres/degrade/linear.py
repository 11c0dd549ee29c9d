"""Blur and resize in one pass, as small dense matrices.

A blur kernel becomes a few separable terms; a term followed by a resize is one banded matrix per axis.  It is applied
in blocks of neighbouring outputs, each of which reads a short window of the input, so that a patch costs a few small
matrix products and a large picture never meets a large matrix.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.degrade.kernels import separable_terms
from superres.degrade.pictures import Floats, Pictures, to_float
from superres.resize import AxisResampler, axis_resampler

__all__ = ["filter_and_resize"]

# Inputs per block: long enough for fast matrix products, short enough that little of a block is zeros.
_BLOCK = 128

_Matrix = npt.NDArray[np.float32]

# One block of an axis: first and last output, first and last input, matrix.
_Block = tuple[int, int, int, int, _Matrix]


def filter_and_resize(
    pictures: Pictures,
    kernel: npt.NDArray[Any] | None,
    size: tuple[int, int],
    resampling: str,
    tolerance: float,
) -> Floats:
    """Blur by ``kernel``, then resize to ``size``; borders are mirrored with the edge sample repeated.

    Args:
        pictures: (..., H, W, C), uint8 or float32 in [0, 1].
        kernel: (k, k), k odd; None for no blur.
        size: (height, width) of the result; both grids cover the same area, so nothing shifts.
        resampling: a key of :data:`superres.resize.KERNELS`, widened against aliasing when shrinking.
        tolerance: of the blur, see :func:`superres.degrade.kernels.separable_terms`.

    Returns:
        float32 (..., height, width, C), in [0, 1] but for overshoot, which is not clipped.
    """
    height, width, channels = pictures.shape[-3:]
    if kernel is None and size == (height, width):
        return to_float(pictures)
    columns, rows = (np.ones((1, 1)),) * 2 if kernel is None else separable_terms(kernel, tolerance)
    moved = np.moveaxis(pictures, -1, -3)
    factor = np.float32(1 / 255 if pictures.dtype == np.uint8 else 1)
    planes = np.multiply(moved, factor, dtype=np.float32, order="C").reshape(-1, height, width)
    result = np.empty((len(planes), *size), np.float32)
    across = _blocks(width, size[1], resampling, rows)
    for top, bottom, first, last, matrix in _blocks(height, size[0], resampling, columns):
        terms, outputs, inputs = matrix.shape
        # One product for all terms; then (planes, terms, outputs, width).
        tall = matrix.reshape(terms * outputs, inputs) @ planes[:, first:last]
        tall = tall.reshape(len(planes), terms, outputs, width)
        for left, right, start, stop, other in across:
            result[:, top:bottom, left:right] = (tall[..., start:stop] @ other.transpose(0, 2, 1)).sum(axis=1)
    shaped = result.reshape(*pictures.shape[:-3], channels, *size)
    return np.ascontiguousarray(np.moveaxis(shaped, -3, -1))


def _blocks(in_length: int, out_length: int, resampling: str, taps: npt.NDArray[np.float64]) -> list[_Block]:
    """One axis: the terms' 1-D blurs (terms, k), each followed by the resize; matrices (terms, outputs, inputs)."""
    resizing = _resizing(in_length, out_length, resampling)
    if taps.shape == (1, 1):
        return [(start, stop, low, high, matrix[None]) for start, stop, low, high, matrix in resizing]
    radius = taps.shape[1] // 2
    blurring = _toeplitz(taps.astype(np.float32), max(high - low for _, _, low, high, _ in resizing))
    blocks = []
    for start, stop, low, high, matrix in resizing:
        used = high - low
        both = matrix @ blurring[:, :used, : used + 2 * radius]
        blocks.append((start, stop, *_folded(both, low - radius, in_length)))
    return blocks


@lru_cache(maxsize=64)
def _resizing(in_length: int, out_length: int, resampling: str) -> tuple[_Block, ...]:
    """One axis of the resize alone.  Kept, because patches of a training have few different sizes."""
    resampler = axis_resampler(in_length, out_length, resampling)
    count = max(1, round(_BLOCK * out_length / in_length))
    blocks = []
    for start in range(0, out_length, count):
        stop = min(start + count, out_length)
        low, high = resampler.source_window(start, stop)
        blocks.append((start, stop, low, high, _dense(resampler, start, stop, low, high)))
    return tuple(blocks)


def _dense(resampler: AxisResampler, start: int, stop: int, low: int, high: int) -> _Matrix:
    """Outputs ``start .. stop - 1`` of a resampler as a matrix over inputs ``low .. high - 1``."""
    rows = np.arange(stop - start)[:, None] * (high - low)
    flat = (rows + resampler.indices[start:stop] - low).ravel()
    # Mirrored borders name an input twice: bincount adds what falls together.
    dense = np.bincount(flat, resampler.weights[start:stop].ravel(), (stop - start) * (high - low))
    return dense.reshape(stop - start, high - low).astype(np.float32)


def _toeplitz(taps: _Matrix, length: int) -> _Matrix:
    """(terms, length, length + k - 1): row ``i`` holds the term's taps from column ``i`` on."""
    terms, width = taps.shape
    matrix = np.zeros((terms, length, length + width - 1), np.float32)
    # A row is one sample longer than the diagonal's step: written as rows of one sample more, the taps stand in line.
    flat = np.zeros((terms, length, length + width), np.float32)
    flat[:, :, :width] = taps[:, None]
    matrix[...] = flat.reshape(terms, -1)[:, : length * (length + width - 1)].reshape(matrix.shape)
    return matrix


def _folded(matrix: _Matrix, first: int, length: int) -> tuple[int, int, _Matrix]:
    """Columns that stand for samples beyond the axis go to their mirror images; first and last input, matrix."""
    last = first + matrix.shape[2]
    if first >= 0 and last <= length:
        return first, last, matrix
    inner = matrix[:, :, max(0, -first) : matrix.shape[2] - max(0, last - length)].copy()
    low, high = max(0, first), min(length, last)
    for column in (*range(first, min(0, last)), *range(max(length, first), last)):
        position = column % (2 * length)
        mirrored = position if position < length else 2 * length - 1 - position
        if not low <= mirrored < high:  # only where the kernel is wider than the picture
            grown = np.zeros((*matrix.shape[:2], length), np.float32)
            grown[:, :, low:high] = inner
            inner, low, high = grown, 0, length
        inner[:, :, mirrored - low] += matrix[:, :, column - first]
    return low, high, inner
