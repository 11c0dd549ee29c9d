"""Two pictures beside each other: as numbers (:func:`compare`) and as one picture to look at (:func:`side_by_side`)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from superres.errors import InputError, OptionError
from superres.formats import read_image
from superres.image import Image, Metadata
from superres.metrics.protocol import Score
from superres.metrics.psnr import psnr
from superres.metrics.ssim import ssim
from superres.resize import resize

__all__ = ["compare", "compare_images", "detailed_window", "side_by_side"]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_WINDOW = 11
# BT.601 studio luma of RGB in [0, 1], as in the published protocol.
_LUMA = np.array([65.481, 128.553, 24.966])
# Dark enough to part two photographs, light enough to part two night scenes.
_SEPARATOR, _PAPER, _FRAME = 48, 255, (255, 196, 0)


def compare(a: Path, b: Path) -> Score:
    """How far two picture files differ: PSNR over all samples of RGB, SSIM on luma, nothing cut off the border.

    Samples are divided by their range first, so 8-bit and 16-bit files may be compared with each other; grey ones
    count as three equal channels.  Where a file has transparent pixels, colours are taken times alpha and alpha counts
    as a fourth channel.  The figures are symmetric in ``a`` and ``b``.

    Returns:
        PSNR in dB (infinite for equal pictures) and SSIM.

    Raises:
        InputError: an unreadable file, sizes that differ, floating point samples, or less than 11 x 11 pixels.
    """
    return compare_images(read_image(a), read_image(b), a, b)


def compare_images(first: Image, second: Image, a: Path, b: Path) -> Score:
    """:func:`compare` for pictures that have been read already; ``a`` and ``b`` are what errors call them."""
    x_size, y_size = ((image.info.width, image.info.height) for image in (first, second))
    if x_size != y_size:
        raise InputError(
            f"{a} is {x_size[0]} x {x_size[1]} and {b} is {y_size[0]} x {y_size[1]} pixels: comparing needs one size"
        )
    if min(x_size) < _WINDOW:
        raise InputError(f"{a}: {x_size[0]} x {x_size[1]} pixels; SSIM needs at least {_WINDOW} x {_WINDOW}")
    x, y = _unit_samples(first, a), _unit_samples(second, b)
    if np.all(x[:, :, 3] == 1) and np.all(y[:, :, 3] == 1):
        x, y = x[:, :, :3], y[:, :, :3]
    return Score(psnr(x, y, data_range=1.0), ssim(x[:, :, :3] @ _LUMA + 16, y[:, :, :3] @ _LUMA + 16))


def _unit_samples(image: Image, path: Path) -> Floats:
    """float64 (H, W, 4) in [0, 1]: RGB times alpha, alpha."""
    info = image.info
    if not np.issubdtype(info.dtype, np.integer):
        raise InputError(f"{path}: floating point samples have no fixed range; compare 8-bit or 16-bit pictures")
    values = image.samples / info.sample_range
    alpha = values[:, :, -1:] if info.alpha else np.ones((info.height, info.width, 1))
    colours = values[:, :, :3] if info.colour == "rgb" else values[:, :, :1].repeat(3, axis=2)
    return np.concatenate([colours * alpha, alpha], axis=2)


def detailed_window(picture: npt.NDArray[Any], height: int, width: int) -> tuple[int, int]:
    """Where a picture has most detail: the window with the largest sum of gradient magnitudes.

    Magnitudes, not their squares: one hard edge must not outweigh a region full of texture.

    Args:
        picture: (H, W) or (H, W, C) of any real dtype.
        height, width: of the window, at most the picture's.

    Returns:
        (top, left) of the window.

    Raises:
        OptionError: a window that is empty or larger than the picture.
    """
    if not (0 < height <= picture.shape[0] and 0 < width <= picture.shape[1]):
        raise OptionError(f"a window of {width} x {height} does not lie in a picture of shape {picture.shape}")
    grey = picture.astype(np.float64) if picture.ndim == 2 else picture.astype(np.float64).mean(axis=2)
    down, across = np.zeros_like(grey), np.zeros_like(grey)
    down[:-1], across[:, :-1] = np.diff(grey, axis=0), np.diff(grey, axis=1)
    total = np.zeros((grey.shape[0] + 1, grey.shape[1] + 1))
    total[1:, 1:] = np.hypot(down, across).cumsum(axis=0).cumsum(axis=1)
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    top, left = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return int(top), int(left)


def side_by_side(
    before: Image,
    after: Image,
    *,
    kernel: Literal["bicubic", "nearest"] = "bicubic",
    labels: tuple[str, str] | None = None,
    panel: int = 640,
    zoom: int = 2,
) -> Image:
    """One picture to judge an enlargement by: whole views above, a magnified detail of each below.

    Left is ``before`` enlarged by ``kernel``, right is ``after``.  The detail is the most detailed region of
    ``before`` (the result's own inventions do not choose it), framed in both views; its pixels are repeated ``zoom``
    times, never smoothed.

    Args:
        before: the picture that was enlarged.
        after: the result, larger on both axes.
        kernel: how ``before`` is brought to the size of ``after``.
        labels: text over the left and the right half, None for none; drawn with the system's sans-serif font.
        panel: largest width and height of one view in pixels, at least 64.
        zoom: magnification of the detail, at least 1; more for a small result, whose views are enlarged too.

    Returns:
        An 8-bit RGB picture; transparency is laid on white; a colour profile of RGB pictures moves along.

    Raises:
        OptionError: an ``after`` that is smaller than ``before`` or of another shape, or a number out of range.
    """
    if panel < 64 or zoom < 1:
        raise OptionError(f"panel {panel}, zoom {zoom}: expected a panel of at least 64 and a zoom of at least 1")
    if kernel not in ("bicubic", "nearest"):
        raise OptionError(f"kernel {kernel!r}: expected bicubic or nearest")
    factor = after.info.width / before.info.width, after.info.height / before.info.height
    if min(factor) < 1 or abs(math.log(factor[0] / factor[1])) > 0.1:
        raise OptionError(
            f"before is {before.info.width} x {before.info.height} and after is {after.info.width} x "
            f"{after.info.height}: expected the same picture, enlarged"
        )
    small, right = _on_white(before), _on_white(after)
    # "area" while enlarging repeats samples, and mixes two of them only where a factor is not whole.
    left = resize(small, right.shape[:2], kernel="bicubic" if kernel == "bicubic" else "area")
    view = _view_size(right, panel)
    zoom = max(zoom, 2 * (view[1] // right.shape[1]))
    top, wide = _detail(small, right, view, zoom)
    rule = max(2, panel // 160)
    columns = []
    for index, large in enumerate((left, right)):
        framed = _framed(large, top, wide, view)
        detail = large[top[0] : top[0] + wide[0], top[1] : top[1] + wide[1]]
        # The detail is repeated to at least the view's width and then cut to it.
        magnified = detail.repeat(zoom, axis=0).repeat(zoom, axis=1)[:, : view[1]]
        parts = [framed, magnified] if labels is None else [_label(labels[index], view[1]), framed, magnified]
        columns.append(_stacked(parts, rule))
    gap = np.full((columns[0].shape[0], rule, 3), _SEPARATOR, np.uint8)
    together = np.concatenate([columns[0], gap, columns[1]], axis=1)
    picture = Image.from_array(np.ascontiguousarray(together))
    icc = after.info.metadata.icc if after.info.colour == "rgb" else None
    return replace(picture, info=replace(picture.info, metadata=Metadata(icc=icc)))


def _view_size(large: Bytes, panel: int) -> tuple[int, int]:
    """(rows, columns) of a view: at most ``panel``; small results a whole number of times enlarged, never stamps."""
    high, wide = large.shape[:2]
    factor = panel / max(high, wide)
    factor = min(1.0, factor) if factor < 2 else float(math.floor(factor))
    return max(1, round(high * factor)), max(1, round(wide * factor))


def _detail(small: Bytes, large: Bytes, view: tuple[int, int], zoom: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Top-left and size of the detail in the large picture, as (rows, columns).

    Magnified, it is as wide as the view, and a third to two thirds as high as it is wide.
    """
    high, wide = large.shape[:2]
    shown = min(max(view[0], view[1] // 3), view[1] * 2 // 3)
    size = min(high, -(-shown // zoom)), min(wide, -(-view[1] // zoom))
    ratio = small.shape[0] / high, small.shape[1] / wide
    rows, columns = (max(1, min(n, round(s * r))) for n, s, r in zip(small.shape, size, ratio, strict=False))
    top, left = detailed_window(small, rows, columns)
    return (min(round(top / ratio[0]), high - size[0]), min(round(left / ratio[1]), wide - size[1])), size


def _framed(large: Bytes, top: tuple[int, int], wide: tuple[int, int], view: tuple[int, int]) -> Bytes:
    """The view of a large picture, with a thin frame around the detail."""
    factor = view[0] / large.shape[0], view[1] / large.shape[1]
    if factor[0] >= 1:
        times = view[0] // large.shape[0], view[1] // large.shape[1]
        shown = large.repeat(times[0], axis=0).repeat(times[1], axis=1)
    else:
        shown = resize(large, view)
    y0, x0 = round(top[0] * factor[0]), round(top[1] * factor[1])
    y1 = min(round((top[0] + wide[0]) * factor[0]), view[0])
    x1 = min(round((top[1] + wide[1]) * factor[1]), view[1])
    framed = shown.copy()
    for thickness, colour in ((3, (0, 0, 0)), (2, _FRAME)):
        framed[y0:y1, x0 : x0 + thickness] = framed[y0:y1, max(x0, x1 - thickness) : x1] = colour
        framed[y0 : y0 + thickness, x0:x1] = framed[max(y0, y1 - thickness) : y1, x0:x1] = colour
    return framed


def _stacked(parts: list[Bytes], rule: int) -> Bytes:
    """Parts of one width below each other, a thin rule between."""
    line = np.full((rule, parts[0].shape[1], 3), _SEPARATOR, np.uint8)
    return np.concatenate([row for part in parts for row in (line, part)][1:])


def _label(text: str, width: int) -> Bytes:
    """Dark text on white, uint8 (rows, width, 3); cut when it is too long."""
    from superres.formats.vips import vips

    escaped = text.encode("utf-8", "replace").decode().replace("&", "&amp;").replace("<", "&lt;") or " "
    drawn = vips().Image.text(escaped, font="sans 13", dpi=96)
    ink = np.asarray(drawn.numpy(), np.float64).reshape(drawn.height, drawn.width)[:, : max(1, width - 12)]
    strip = np.full((max(32, ink.shape[0] + 12), width, 3), _PAPER, np.uint8)
    row, column = (strip.shape[0] - ink.shape[0]) // 2, max(0, (width - ink.shape[1]) // 2)
    shade = _PAPER - ink * ((_PAPER - 32) / 255)
    strip[row : row + ink.shape[0], column : column + ink.shape[1]] = np.round(shade)[:, :, None].astype(np.uint8)
    return strip


def _on_white(image: Image) -> Bytes:
    """uint8 (H, W, 3) for looking at: grey tripled, deeper samples rounded to 8 bits, transparency laid on white."""
    info = image.info
    if info.dtype == np.uint8 and info.colour == "rgb" and not info.alpha:
        return image.samples
    values = np.clip(np.nan_to_num(image.samples.astype(np.float64) / info.sample_range), 0, 1)
    colours = values[:, :, :3] if info.colour == "rgb" else values[:, :, :1].repeat(3, axis=2)
    if info.alpha:
        colours = colours * values[:, :, -1:] + (1 - values[:, :, -1:])
    return np.floor(colours * 255 + 0.5).astype(np.uint8)
