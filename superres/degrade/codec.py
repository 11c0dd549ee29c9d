"""Lossy compression in memory: JPEG and WebP, there and back, through libvips."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from superres.degrade.pictures import Bytes, Pictures, check_pictures
from superres.errors import InputError, OptionError

__all__ = ["decode", "jpeg", "jpeg_bytes", "webp", "webp_bytes"]


def jpeg(pictures: Pictures, quality: int, *, subsampled: bool = True) -> Pictures:
    """Compress as JPEG and decode again.

    Args:
        pictures: (H, W, C) or (N, H, W, C), C 1 or 3, uint8 or float32 in [0, 1] (compressed as 8 bits).
        quality: 1 to 100, as libjpeg counts.
        subsampled: colour at half resolution (4:2:0), otherwise at full (4:4:4).

    Returns:
        The same shape and dtype.

    Raises:
        OptionError: another quality, number of channels or form of picture.
        InputError: the encoder refuses the picture, such as one with a side above 65535.
    """
    return _through(pictures, lambda picture: jpeg_bytes(picture, quality, subsampled=subsampled))


def webp(pictures: Pictures, quality: int) -> Pictures:
    """Compress as lossy WebP and decode again; colour is always at half resolution.

    Arguments, result and errors as :func:`jpeg`, with a largest side of 16383.
    """
    return _through(pictures, lambda picture: webp_bytes(picture, quality))


def jpeg_bytes(picture: Bytes, quality: int, *, subsampled: bool = True) -> bytes:
    """One uint8 (H, W, C) picture as a baseline JPEG file without metadata.  Errors as :func:`jpeg`."""
    options = {"Q": _checked(quality), "subsample_mode": "on" if subsampled else "off", "keep": "none"}
    return _encoded(picture, "jpegsave_buffer", options)


def webp_bytes(picture: Bytes, quality: int) -> bytes:
    """One uint8 (H, W, C) picture as a lossy WebP file without metadata.  Errors as :func:`webp`."""
    # Effort 0 of 6 looks for smaller files less long; what is lost hardly differs, and training waits for it.
    return _encoded(picture, "webpsave_buffer", {"Q": _checked(quality), "effort": 0, "keep": "none"})


def decode(data: bytes) -> Bytes:
    """uint8 (H, W, C) of a JPEG or WebP file that this module made."""
    vips = _vips()
    load = vips.Image.jpegload_buffer if data.startswith(b"\xff\xd8") else vips.Image.webpload_buffer
    image = load(data, access="sequential")
    # A region is filled by this thread alone; writing the image to memory would wake libvips' workers for a patch.
    samples = vips.Region.new(image).fetch(0, 0, image.width, image.height)
    return np.frombuffer(samples, np.uint8).reshape(image.height, image.width, image.bands)


def _through(pictures: Pictures, encode: Callable[[Bytes], bytes]) -> Pictures:
    """Every picture of a batch through an encoder and back."""
    check_pictures(pictures)
    whole = pictures if pictures.dtype == np.uint8 else (np.clip(pictures, 0, 1) * 255 + 0.5).astype(np.uint8)
    stack = whole.reshape(-1, *whole.shape[-3:])
    # WebP decodes grey as three equal channels.
    decoded = np.stack([decode(encode(picture))[..., : stack.shape[-1]] for picture in stack]).reshape(whole.shape)
    return decoded if pictures.dtype == np.uint8 else decoded * np.float32(1 / 255)


def _encoded(picture: Bytes, operation: str, options: dict[str, Any]) -> bytes:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise OptionError(
            f"cannot compress an array {picture.dtype} {picture.shape}: expected uint8 (H, W, 1) or (H, W, 3)"
        )
    vips = _vips()
    height, width, channels = picture.shape
    try:
        image = vips.Image.new_from_memory(picture.tobytes(), width, height, channels, "uchar")
        return bytes(getattr(image, operation)(**options))
    except vips.Error as error:
        raise InputError(f"a picture of {width} x {height} pixels cannot be compressed ({error})") from error


def _checked(quality: int) -> int:
    if not 1 <= quality <= 100:
        raise OptionError(f"quality {quality}: expected 1 to 100")
    return int(quality)


def _vips() -> Any:
    """The ``pyvips`` module, loaded when first used; its chatter about odd files stays off the terminal."""
    import pyvips

    logger = logging.getLogger("pyvips")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return pyvips
