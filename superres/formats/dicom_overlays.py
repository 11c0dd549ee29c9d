"""Overlays of a DICOM picture, one bit per pixel, enlarged by nearest neighbour.  PS3.3 C.9.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from superres.geometry import nearest_indices, scaled_length

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["scale_overlays"]

_ROWS, _COLUMNS, _ORIGIN, _DATA = 0x0010, 0x0011, 0x0050, 0x3000
# Area, mean and standard deviation of the pixels that an overlay marks: no longer these pixels.
_STATISTICS = (0x1301, 0x1302, 0x1303)


def scale_overlays(dataset: Dataset, scale: tuple[float, float]) -> tuple[str, ...]:
    """Enlarge every overlay in place.

    Left out are overlays in unused bits of the pixel data and curves in pixel coordinates: both were retired from the
    standard long ago.

    Args:
        dataset: of the source.
        scale: of (rows, columns).

    Returns:
        What was done, for the description of the result.
    """
    notes: set[str] = set()
    # Of its keys: going through the dataset itself would decode every value.
    groups = sorted({tag.group for tag in dataset.keys()})  # noqa: SIM118
    for group in groups:
        if group % 2 or not (0x6000 <= group <= 0x60FF or 0x5000 <= group <= 0x50FF):
            continue
        if group < 0x6000 or (group, _DATA) not in dataset:
            notes.add("curves left out" if group < 0x6000 else "overlays within the pixel data left out")
            for tag in [tag for tag in dataset.keys() if tag.group == group]:  # noqa: SIM118
                del dataset[tag]
            continue
        _scale(dataset, group, scale)
        notes.add("overlays by nearest neighbour")
    return tuple(sorted(notes))


def _scale(dataset: Dataset, group: int, scale: tuple[float, float]) -> None:
    from pydicom.pixels.utils import pack_bits

    bits = dataset.overlay_array(group)
    rows, columns = bits.shape[-2:]
    planes = bits.reshape(-1, rows, columns)
    high, wide = scaled_length(rows, scale[0]), scaled_length(columns, scale[1])
    large = planes[:, nearest_indices(rows, high)][:, :, nearest_indices(columns, wide)]
    dataset[group, _ROWS].value, dataset[group, _COLUMNS].value = high, wide
    dataset[group, _DATA].value = pack_bits(np.ascontiguousarray(large).ravel())
    if (group, _ORIGIN) in dataset:
        # Row and column, from 1, of the picture's pixel that the first bit covers.
        first = [int(value) for value in dataset[group, _ORIGIN].value]
        dataset[group, _ORIGIN].value = [round((at - 1) * s) + 1 for at, s in zip(first, scale, strict=True)]
    for element in _STATISTICS:
        if (group, element) in dataset:
            del dataset[group, element]
