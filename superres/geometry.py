"""The half-pixel rule: where samples lie after an enlargement.

With factor ``s``, output index ``u = s*i + (s - 1)/2`` for input index ``i``.  The field of view does not change,
spacing is divided by ``s``, and the centre of the first sample moves by ``-(1 - 1/s)/2`` input steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = [
    "enlargement",
    "first_centre_shift",
    "nearest_indices",
    "scaled_affine",
    "scaled_bounds",
    "scaled_edge",
    "scaled_index",
    "scaled_length",
    "scaled_position",
    "scaled_rpc",
    "scaled_spacing",
    "scaled_transform",
]


def scaled_index(index: float, scale: float) -> float:
    """Output index, in samples, of the point that lies at input index ``index``."""
    return scale * index + (scale - 1) / 2


def first_centre_shift(scale: float) -> float:
    """By how many *input* steps the centre of the first sample moves (negative when enlarging)."""
    return -(1 - 1 / scale) / 2


def enlargement(before: tuple[int, int], after: tuple[int, int]) -> float:
    """The factor that networks must reach: of the axis that grows most.

    Args:
        before, after: (width, height).
    """
    return max(after[0] / before[0], after[1] / before[1])


def scaled_length(length: int, scale: float) -> int:
    """Samples on an axis after scaling: ``round(length * scale)``, at least 1."""
    return max(1, round(length * scale))


def scaled_affine(affine: npt.NDArray[np.float64], scales: Sequence[float]) -> npt.NDArray[np.float64]:
    """The affine from array index to world position after axis ``k`` has been enlarged by ``scales[k]``.

    Column ``k`` is divided by ``scales[k]``; the first voxel's centre moves by ``-(1 - 1/s)/2`` of each old column.
    (Not the rule of ``nibabel.affines.rescale_affine``, which keeps the centre of the middle voxel.)

    Args:
        affine: (n + 1, n + 1), last row 0 ... 0 1; (4, 4) for a volume.
        scales: n factors, 1 for an axis that stays.
    """
    factors = np.asarray(scales, np.float64)
    result = np.array(affine, np.float64)
    result[:-1, :-1] /= factors
    result[:-1, -1] += affine[:-1, :-1] @ np.array([first_centre_shift(scale) for scale in scales])
    return result


def scaled_edge(position: float, scale: float) -> float:
    """A position counted in samples from the *outer edge* of the first one, as ground control points are."""
    return scale * position


def scaled_rpc(offset: float, scale: float, factor: float) -> tuple[float, float]:
    """LINE or SAMP offset and scale of rational polynomial coefficients after an enlargement by ``factor``.

    Their positions count from the *centre* of the first pixel (RFC 22 of GDAL), so the offset moves by the half-pixel
    rule; a scale is a length.
    """
    return scaled_index(offset, factor), factor * scale


def scaled_transform(
    transform: tuple[float, float, float, float, float, float], across: float, down: float
) -> tuple[float, float, float, float, float, float]:
    """A raster's transform after an enlargement; also of rotated and sheared rasters.

    Args:
        transform: (a, b, c, d, e, f): column and row, counted from the outer corner of the first pixel, lie at
            x = a * column + b * row + c, y = d * column + e * row + f.
        across, down: factors of width and height.
    """
    a, b, c, d, e, f = transform
    return a / across, b / down, c, d / across, e / down, f


def scaled_spacing(spacing: Sequence[float], scale: Sequence[float]) -> tuple[float, ...]:
    """Distances between the centres of samples after each axis has been enlarged by its factor of ``scale``."""
    return tuple(step / factor for step, factor in zip(spacing, scale, strict=True))


def scaled_position(
    position: Sequence[float],
    along_row: Sequence[float],
    along_column: Sequence[float],
    spacing: tuple[float, float],
    scale: tuple[float, float],
) -> tuple[float, ...]:
    """Where the centre of the first sample of a picture in space lies after the picture has been enlarged.

    Args:
        position: of the first sample's centre, n coordinates.
        along_row: unit vector in which column indices grow; along_column: in which row indices grow.
        spacing: (between rows, between columns), in the coordinates' unit, before.
        scale: (of rows, of columns).
    """
    down = first_centre_shift(scale[0]) * spacing[0]
    across = first_centre_shift(scale[1]) * spacing[1]
    return tuple(p + across * r + down * c for p, r, c in zip(position, along_row, along_column, strict=True))


def scaled_bounds(first: int, last: int, scale: float) -> tuple[int, int]:
    """First and last output sample of the run that the input samples ``first`` to ``last`` become; indices from 0."""
    start = round(first * scale)
    return start, max(start, round((last + 1) * scale) - 1)


def nearest_indices(length: int, out_length: int) -> npt.NDArray[np.int64]:
    """For each of ``out_length`` output samples the one of ``length`` input samples in which its centre lies."""
    places = (np.arange(out_length) + 0.5) * length / out_length
    return np.minimum(places.astype(np.int64), length - 1)
