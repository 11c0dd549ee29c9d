from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from superres.degrade.codec import decode, jpeg, jpeg_bytes, webp, webp_bytes
from superres.errors import InputError, OptionError
from superres.metrics.psnr import psnr

from .support import textured


def by_pillow(data: bytes) -> np.ndarray:
    with Pillow.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


@given(st.integers(1, 100), st.booleans(), st.integers(1, 40), st.integers(1, 40))
def test_jpeg_is_what_pillow_decodes_from_the_same_bytes(
    quality: int, subsampled: bool, height: int, width: int
) -> None:
    picture = textured(height + 8, width + 8)[:height, :width]
    expected = by_pillow(jpeg_bytes(picture, quality, subsampled=subsampled))
    assert np.array_equal(jpeg(picture, quality, subsampled=subsampled), expected)


@pytest.mark.parametrize("quality", [1, 30, 80, 100])
def test_webp_is_what_pillow_decodes_from_the_same_bytes(quality: int) -> None:
    picture = textured(33, 50)
    assert np.array_equal(webp(picture, quality), by_pillow(webp_bytes(picture, quality)))


def test_the_file_is_a_jpeg_of_the_quality_and_sampling_asked_for() -> None:
    picture = textured(64, 64)
    sampling = {}
    for subsampled in (True, False):
        with Pillow.open(io.BytesIO(jpeg_bytes(picture, 50, subsampled=subsampled))) as opened:
            assert opened.format == "JPEG"
            # At quality 50 libjpeg uses the tables of the standard's annex K as they are: the first step is 16.
            assert opened.quantization[0][0] == 16
            assert "exif" not in opened.info
            sampling[subsampled] = opened.layer[0][1:3]
    assert sampling == {True: (2, 2), False: (1, 1)}


@pytest.mark.parametrize("codec", [jpeg, webp])
def test_higher_quality_is_nearer(codec: object) -> None:
    picture = textured(64, 64)
    scores = [psnr(codec(picture, quality), picture) for quality in (10, 40, 70, 95)]  # type: ignore[operator]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 5


@pytest.mark.parametrize("codec", [jpeg, webp])
def test_grey_floats_and_batches(codec: object) -> None:
    stack = np.stack([textured(20, 28, seed, channels=1) for seed in range(2)])
    made = codec(stack, 60)  # type: ignore[operator]
    assert made.shape == stack.shape
    assert made.dtype == np.uint8
    assert np.array_equal(codec(stack[1], 60), made[1])  # type: ignore[operator]
    as_float = codec((stack / 255).astype(np.float32), 60)  # type: ignore[operator]
    assert as_float.dtype == np.float32
    np.testing.assert_allclose(as_float * 255, made, atol=1e-4)


@pytest.mark.parametrize("encode", [jpeg_bytes, webp_bytes])
def test_a_large_picture_is_decoded_whole(encode: object) -> None:
    data = encode(textured(300, 700), 70)  # type: ignore[operator]
    assert np.array_equal(decode(data), by_pillow(data))


def test_colour_does_not_shift_when_it_is_subsampled() -> None:
    # A red disc on green of about equal luma: nearly all of the edge is in the subsampled channels.
    y, x = np.mgrid[0:64, 0:64]
    inside = (y - 31.5) ** 2 + (x - 31.5) ** 2 < 15**2
    picture = np.where(inside[..., None], np.array([200, 60, 60]), np.array([60, 120, 60])).astype(np.uint8)
    red = jpeg(picture, 90)[..., 0].astype(float) - 60
    assert (red * y).sum() / red.sum() == pytest.approx(31.5, abs=0.05)
    assert (red * x).sum() / red.sum() == pytest.approx(31.5, abs=0.05)


def test_what_cannot_be_compressed_is_refused() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    for quality in (0, 101, -5):
        with pytest.raises(OptionError, match=f"quality {quality}"):
            jpeg(picture, quality)
        with pytest.raises(OptionError, match=f"quality {quality}"):
            webp(picture, quality)
    for channels in (2, 4):
        with pytest.raises(OptionError, match="cannot compress"):
            jpeg(np.zeros((8, 8, channels), np.uint8), 50)
    with pytest.raises(InputError, match="20000 x 1"):
        webp(np.zeros((1, 20000, 3), np.uint8), 50)
