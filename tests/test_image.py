from __future__ import annotations

import numpy as np
import pytest

from superres.errors import OptionError
from superres.image import Image, Metadata, PictureInfo


@pytest.mark.parametrize(
    ("shape", "colour", "alpha"),
    [
        ((4, 5), "grey", False),
        ((4, 5, 1), "grey", False),
        ((4, 5, 2), "grey", True),
        ((4, 5, 3), "rgb", False),
        ((4, 5, 4), "rgb", True),
    ],
)
@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_from_array(shape: tuple[int, ...], colour: str, alpha: bool, dtype: str, top: float) -> None:
    image = Image.from_array(np.zeros(shape, dtype))
    assert (image.info.colour, image.info.alpha, image.info.sample_range) == (colour, alpha, top)
    assert image.samples.shape == (4, 5, image.info.channels)
    assert image.samples.dtype == dtype


def test_doubles_become_float32_and_foreign_byte_order_native() -> None:
    assert Image.from_array(np.zeros((2, 2))).info.dtype == np.float32
    swapped = np.array([[1, 258]], dtype=">u2")
    image = Image.from_array(swapped)
    assert image.info.dtype == np.uint16
    assert image.info.dtype.isnative
    assert image.samples[:, :, 0].tolist() == [[1, 258]]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 5), np.uint8),
        np.zeros((4, 5), np.int32),
        np.zeros((4, 5), np.bool_),
        np.zeros((4, 5), np.complex64),
        np.zeros((1, 4, 5, 3), np.uint8),
        np.zeros((), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(array: np.ndarray) -> None:
    with pytest.raises(OptionError, match="expected"):
        Image.from_array(array)


def info(**changes: object) -> PictureInfo:
    values: dict[str, object] = {
        "height": 4,
        "width": 5,
        "colour": "rgb",
        "dtype": np.dtype("uint8"),
        "sample_range": 255.0,
        "alpha": False,
        "format": "png",
        "lossy": False,
    }
    return PictureInfo(**(values | changes))  # type: ignore[arg-type]


def test_samples_must_fit_their_description() -> None:
    with pytest.raises(OptionError, match="described as"):
        Image(np.zeros((4, 5, 3), np.uint16), info())
    with pytest.raises(OptionError, match="described as"):
        Image(np.zeros((5, 4, 3), np.uint8), info())


def test_scaled_moves_the_meaning_along() -> None:
    metadata = Metadata(icc=b"icc", exif=b"exif", xmp=b"xmp", dpi=(72, 96))
    image = Image(np.zeros((4, 5, 3), np.uint8), info(metadata=metadata, lossy=True))
    large = image.scaled(np.zeros((12, 10, 3), np.uint8))
    assert (large.info.height, large.info.width) == (12, 10)
    assert large.info.metadata == Metadata(icc=b"icc", exif=b"exif", xmp=b"xmp", dpi=(144, 288))
    assert large.info.lossy
    assert large.info.format == "png"
    assert image.scaled(np.zeros((4, 5, 3), np.uint8)).info == image.info


def test_no_resolution_stays_none() -> None:
    assert info().scaled(8, 10).metadata.dpi is None
