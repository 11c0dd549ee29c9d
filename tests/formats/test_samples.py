"""Real files: each opens, or is refused for a stated reason, and survives reader and writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from superres.formats import picture_suffixes, read_image, write_image
from superres.formats.animation import is_animated, open_animation, open_animation_writer
from superres.image import Image

from .support import read_png16


def enlarged(image: Image, most: int = 48) -> tuple[Image, np.ndarray[Any, Any]]:
    """The middle of a picture (real ones are large), doubled by repetition, as the pipeline would hand it on."""
    top, left = (max(0, (side - most) // 2) for side in image.samples.shape[:2])
    part = image.samples[top : top + most, left : left + most]
    cropped = Image(part, image.info.scaled(*part.shape[:2]))
    # Cropping is no scaling: the resolution is that of the source.
    cropped = Image(part, type(image.info)(**{**vars(cropped.info), "metadata": image.info.metadata}))
    return cropped.scaled(part.repeat(2, 0).repeat(2, 1)), part


def test_every_sample_survives(samples_folder: Path, tmp_path: Path) -> None:
    seen = 0
    for path in sorted(samples_folder.iterdir()):
        if path.suffix.lower() not in picture_suffixes() or path.suffix == ".heic":
            continue  # Pillow cannot read HEIC: see test_heic.py
        seen += 1
        image = read_image(path)
        with Pillow.open(path) as original:
            size = original.size[::-1] if original.getexif().get(0x0112, 1) >= 5 else original.size
            assert (image.info.width, image.info.height) == size, path.name
            icc = original.info.get("icc_profile")
        large, part = enlarged(image)
        for suffix in (".png", ".tif"):
            target = tmp_path / f"{path.stem}{suffix}"
            write_image(large, target)
            with Pillow.open(target) as result:
                assert result.info.get("icc_profile") == icc == image.info.metadata.icc, path.name
                assert result.getexif().get(0x0112, 1) == 1
                if image.info.metadata.dpi is not None:
                    wanted = 2 * image.info.metadata.dpi[0]
                    assert float(result.info["dpi"][0]) == pytest.approx(wanted, rel=1e-3), path.name
        expected = part.repeat(2, 0).repeat(2, 1)
        if image.info.dtype == np.uint16:
            found = read_png16((tmp_path / f"{path.stem}.png").read_bytes())
        else:
            with Pillow.open(tmp_path / f"{path.stem}.png") as result:
                found = np.array(result).reshape(expected.shape)
        np.testing.assert_array_equal(found, expected, err_msg=path.name)
        np.testing.assert_array_equal(read_image(tmp_path / f"{path.stem}.tif").samples, expected)
    assert seen >= 20


def test_orientation_sample(samples_folder: Path) -> None:
    image = read_image(samples_folder / "portrait-orientation-6.jpg")
    assert (image.info.width, image.info.height, image.info.colour) == (840, 700, "grey")


def test_gif_sample(samples_folder: Path, tmp_path: Path) -> None:
    source = samples_folder / "newtonscradle.gif"
    animation = open_animation(source)
    assert is_animated(source) and animation.frames == 36
    with Pillow.open(source) as original:
        durations = []
        for index in range(original.n_frames):  # type: ignore[attr-defined]
            original.seek(index)
            durations.append(original.info["duration"])
        assert animation.durations == tuple(durations)
    writer = open_animation_writer(tmp_path / "a.webp", animation.info, animation.durations[:6], animation.loop)
    for index in range(6):
        writer.write_frame(animation.read_frame(index))
    writer.commit()
    with Pillow.open(tmp_path / "a.webp") as result:
        for index in range(6):
            result.seek(index)
            np.testing.assert_array_equal(np.array(result.convert("RGB")), animation.read_frame(index)[..., :3])
            assert result.info["duration"] == animation.durations[index]
