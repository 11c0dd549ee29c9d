"""Every sample goes to its place, whatever the picture, the tile and the enlargement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import open_nearest, picture

from superres.image import Image
from superres.pipeline import Options, Upscaler
from superres.resize import resize

LENGTHS = st.integers(1, 60)
CHANNELS = st.integers(1, 4)
TILES = st.integers(8, 70)


def enlarge(folder: Path, image: Image, **options: object) -> Image:
    chosen = Options(model="nearest", **options)  # type: ignore[arg-type]
    with Upscaler(chosen, folder=folder, opener=open_nearest) as upscaler:
        return upscaler.image(image)


def opaque(image: Image) -> Image:
    if image.info.alpha:
        image.samples[:, :, -1] = np.asarray(image.info.sample_range, image.info.dtype)
    return image


@given(LENGTHS, LENGTHS, CHANNELS, TILES, st.sampled_from([2, 3, 4, 6, 8, 9, 12, 16]))
def test_whole_factors(tiny_folder: Path, height: int, width: int, channels: int, tile: int, scale: int) -> None:
    image = opaque(picture(height, width, channels))
    large = enlarge(tiny_folder, image, scale=scale, tile=tile)
    assert np.array_equal(large.samples, image.samples.repeat(scale, axis=0).repeat(scale, axis=1))


@given(LENGTHS, LENGTHS, CHANNELS, TILES, st.floats(1.05, 4))
def test_any_factor(tiny_folder: Path, height: int, width: int, channels: int, tile: int, scale: float) -> None:
    image = opaque(picture(height, width, channels, "float32"))
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    if (high, wide) == (height, width):
        return
    large = enlarge(tiny_folder, image, scale=scale, tile=tile)
    needed = max(high / height, wide / width) * 0.999
    network = next(s for s in (2, 3, 4) if s >= needed)
    repeated = image.samples.repeat(network, axis=0).repeat(network, axis=1)
    np.testing.assert_allclose(large.samples, resize(repeated, (high, wide)), atol=3e-6)


@given(LENGTHS, LENGTHS, CHANNELS, TILES, st.integers(0, 2**32 - 1), st.sampled_from([2, 3]))
def test_gaps_stay_where_they_are(
    tiny_folder: Path, height: int, width: int, channels: int, tile: int, seed: int, scale: int
) -> None:
    image = opaque(picture(height, width, channels, "float32"))
    clean = image.samples.repeat(scale, axis=0).repeat(scale, axis=1)
    holes = np.random.default_rng(seed).random(image.samples.shape) < 0.1
    if image.info.alpha:
        holes[:, :, -1] = False
    image.samples[holes] = np.nan
    large = enlarge(tiny_folder, image, scale=scale, tile=tile).samples
    expected = np.where(holes.repeat(scale, axis=0).repeat(scale, axis=1), np.nan, clean)
    np.testing.assert_allclose(large, expected, rtol=1e-6)


@given(LENGTHS, LENGTHS, st.sampled_from([2, 2.5, 3.7]))
def test_commutes_with_a_flip(tiny_folder: Path, height: int, width: int, scale: float) -> None:
    image = picture(height, width, 3, "float32")
    turned = Image.from_array(np.ascontiguousarray(image.samples[::-1, ::-1]))
    first = enlarge(tiny_folder, image, scale=scale, tile=16).samples
    second = enlarge(tiny_folder, turned, scale=scale, tile=16).samples
    np.testing.assert_allclose(second[::-1, ::-1], first, atol=3e-6)
