"""Spectral angle: how far colours, or spectra, differ whatever their brightness.

References:
    R. H. Yuhas et al., "Discrimination among semi-arid landscape endmembers using the spectral angle mapper (SAM)
    algorithm", JPL Airborne Geoscience Workshop, 1992.
    F. A. Kruse et al., "The spectral image processing system (SIPS)", Remote Sensing of Environment 44, 1993.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.metrics.psnr import check_shapes

__all__ = ["sam"]


def sam(result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0) -> float:
    """Mean angle between the spectra of corresponding pixels, in degrees, 0 when every one has the same direction.

    Pixels where either spectrum is all zero have no direction and are left out; 0 when there are no others.

    Args:
        result, reference: (H, W, C) of one shape, at least two bands.
        data_range: span of the samples; an angle does not depend on it.

    Raises:
        OptionError: different shapes, or fewer than two bands.

    >>> round(sam(np.array([[[255, 0, 0]]]), np.array([[[1, 1, 0]]])), 6)
    45.0
    """
    check_shapes(result, reference)
    if result.ndim != 3 or result.shape[2] < 2:
        raise OptionError(f"the spectral angle needs (height, width, bands) with at least 2 bands, got {result.shape}")
    x, y = result.astype(np.float64), reference.astype(np.float64)
    lengths = np.sqrt((x * x).sum(axis=2)), np.sqrt((y * y).sum(axis=2))
    usable = (lengths[0] > 0) & (lengths[1] > 0)
    if not usable.any():
        return 0.0
    unit_x, unit_y = (v[usable] / length[usable][:, None] for v, length in zip((x, y), lengths, strict=True))
    # Kahan's form: acos of a dot product loses half the digits of small angles, and equal spectra would not give 0.
    apart = np.sqrt(((unit_x - unit_y) ** 2).sum(axis=1))
    together = np.sqrt(((unit_x + unit_y) ** 2).sum(axis=1))
    return float(np.degrees(2 * np.arctan2(apart, together)).mean())
