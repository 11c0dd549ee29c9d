"""Overlays grow with their picture."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_support import Samples, make, smooth
from pydicom import Dataset

from superres.formats.dicom_overlays import scale_overlays

GREY = smooth(6, 8, 0, 4000).astype(np.uint16)
BITS = (smooth(5, 7, 0, 9, frames=2) % 2).astype(np.uint8)


def with_overlay(bits: Samples, group: int = 0x6000, **more: object) -> Dataset:
    dataset = make(GREY)
    rows, columns = bits.shape[-2:]
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    for element, vr, value in (
        (0x0010, "US", rows),
        (0x0011, "US", columns),
        (0x0040, "CS", "R"),
        (0x0050, "SS", [1, 3]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x1301, "IS", 12),
        (0x1302, "DS", "3.5"),
        (0x3000, "OW", packed + b"\0" * (len(packed) % 2)),
    ):
        dataset.add_new((group, element), vr, value)
    if bits.ndim == 3:
        dataset.add_new((group, 0x0015), "IS", len(bits))
    return dataset


@pytest.mark.parametrize("bits", [BITS[0], BITS])
def test_overlays_take_the_nearest_bit(bits: Samples) -> None:
    dataset = with_overlay(bits, 0x6002)
    assert scale_overlays(dataset, (2.0, 3.0)) == ("overlays by nearest neighbour",)
    large = bits.repeat(2, axis=-2).repeat(3, axis=-1)
    np.testing.assert_array_equal(dataset.overlay_array(0x6002), large)
    assert (dataset[0x6002, 0x0010].value, dataset[0x6002, 0x0011].value) == (10, 21)
    # The third column from 1 begins where column 7 begins now.
    assert dataset[0x6002, 0x0050].value == [1, 7]
    assert (0x6002, 0x1301) not in dataset and (0x6002, 0x1302) not in dataset
    assert dataset[0x6002, 0x0040].value == "R"


def test_overlays_within_the_pixels_and_curves_are_left_out() -> None:
    dataset = with_overlay(BITS[0])
    del dataset[0x6000, 0x3000]
    dataset.add_new(0x50003000, "OW", b"\0\1")
    assert scale_overlays(dataset, (2.0, 2.0)) == ("curves left out", "overlays within the pixel data left out")
    assert not [element for element in dataset if element.tag.group in (0x5000, 0x6000)]


def test_private_groups_are_no_overlays() -> None:
    dataset = make(GREY)
    dataset.add_new(0x60010010, "LO", "SOMEONE")
    assert scale_overlays(dataset, (2.0, 2.0)) == ()
    assert (0x6001, 0x0010) in dataset
