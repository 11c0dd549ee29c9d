"""The half-pixel rule: where samples lie after an enlargement.

With factor ``s``, output index ``u = s*i + (s - 1)/2`` for input index ``i``.  The field of view does not change,
spacing is divided by ``s``, and the centre of the first sample moves by ``-(1 - 1/s)/2`` input steps.
"""

from __future__ import annotations

__all__ = ["first_centre_shift", "scaled_index", "scaled_length"]


def scaled_index(index: float, scale: float) -> float:
    """Output index, in samples, of the point that lies at input index ``index``."""
    return scale * index + (scale - 1) / 2


def first_centre_shift(scale: float) -> float:
    """By how many *input* steps the centre of the first sample moves (negative when enlarging)."""
    return -(1 - 1 / scale) / 2


def scaled_length(length: int, scale: float) -> int:
    """Samples on an axis after scaling: ``round(length * scale)``, at least 1."""
    return max(1, round(length * scale))
