"""Registration of people's own pairs: which low-resolution pixel lies under which pixels of the other picture.

The larger picture is reduced to the smaller one's grid, the shift between the two is estimated to a hundredth of a
pixel, and both are cut to what they share, on whole pixels: nothing is resampled, so nothing is softened.

References:
    M. Guizar-Sicairos, S. T. Thurman, J. R. Fienup, "Efficient subpixel image registration algorithms", Optics Letters
    33(2), 2008: the peak of the cross-correlation, refined by a small matrix-multiply Fourier transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from superres.degrade.pictures import Bytes, Floats, like, to_float
from superres.errors import InputError, OptionError
from superres.resize import resize

__all__ = ["Alignment", "align_pair", "estimate_shift", "pair_scale"]

# Finest step of the estimate, in low-resolution pixels: well below what noise and compression leave of it.
_UPSAMPLING = 100

# Below this many pixels per side an estimate rests on too little.
_SMALLEST = 16


@dataclass(frozen=True)
class Alignment:
    """How two pictures lie on each other.

    Attributes:
        scale: size ratio.
        shift: (rows, columns) in low-resolution pixels by which the low picture's content lies further down and
            right than the high one's.
        residual: (rows, columns), what is left of the shift after cutting at whole ground-truth pixels; at most half
            of one, so ``0.5 / scale``.
        correlation: of the fine detail of the low picture and the reduced high one where they overlap, -1 to 1.
        gain, offset: per channel, ``low = gain * high + offset`` with samples in [0, 1]; 1 and 0 unless asked for.
    """

    scale: int
    shift: tuple[float, float]
    residual: tuple[float, float]
    correlation: float
    gain: tuple[float, ...]
    offset: tuple[float, ...]


def align_pair(
    low: Bytes, high: Bytes, scale: int, *, photometric: bool = False, least: float = 0.5
) -> tuple[Bytes, Bytes, Alignment]:
    """Cut a pair of pictures of one scene to their common area.

    Only a shift is found and undone: pictures that are turned or differ in magnification correlate weakly and are
    refused.

    Args:
        low: uint8 (h, w, C).
        high: uint8 (H, W, C), of about ``scale`` times the size.
        scale: 1 to 16.
        photometric: also give ``high`` the brightness and contrast of ``low``, channel by channel.
        least: smallest correlation of fine detail that counts as the same scene.

    Returns:
        ``low`` (h', w', C) and ``high`` (scale*h', scale*w', C), both uint8, and what was found.

    Raises:
        OptionError: a scale out of range, or pictures that are not uint8 of one number of channels.
        InputError: sizes that do not fit the scale, too small a common area, or too weak a correlation.
    """
    _check(low, high, scale)
    small = resize(to_float(high[: _multiple(high, 0, scale), : _multiple(high, 1, scale)]), scale=1 / scale)
    first, second = _luma(to_float(low)), _luma(small)
    shift = np.zeros(2)
    # The first estimate sees both pictures whole; cut to what they share, the next ones are nearer to the truth.
    for _ in range(3):
        whole = np.round(shift).astype(int)
        one, other = _overlap(first, second, whole)
        if min(one.shape) < _SMALLEST:
            raise InputError(
                f"the pictures share {one.shape[1]} x {one.shape[0]} low-resolution pixels at a shift of "
                f"({shift[1]:.1f}, {shift[0]:.1f}): expected {_SMALLEST} x {_SMALLEST} at least"
            )
        shift = whole + estimate_shift(other, one, upsampling=_UPSAMPLING)
    one, other = _overlap(first, second, np.round(shift).astype(int))
    correlation = _detail_correlation(one, other)
    if correlation < least:
        raise InputError(
            f"the pictures' fine detail correlates at {correlation:.2f} after a shift of ({shift[1]:.2f}, "
            f"{shift[0]:.2f}) low-resolution pixels, expected {least:.2f} at least: they do not show the same, or one "
            "is turned or of another magnification"
        )
    low, high, residual = _cut(low, high, scale, shift)
    found = Alignment(
        scale,
        (float(shift[0]), float(shift[1])),
        residual,
        correlation,
        (1.0,) * low.shape[2],
        (0.0,) * low.shape[2],
    )
    return (low, *_matched(low, high, found)) if photometric else (low, high, found)


def pair_scale(low: Bytes, high: Bytes) -> int:
    """The whole ratio that the sizes are nearest to, the same on both axes.

    Raises:
        InputError: the ratios of height and width are near no common whole number from 1 to 16.
    """
    ratios = high.shape[0] / low.shape[0], high.shape[1] / low.shape[1]
    scale = round(math.sqrt(ratios[0] * ratios[1]))
    if not 1 <= scale <= 16 or any(abs(ratio / scale - 1) > 0.15 for ratio in ratios):
        raise InputError(
            f"{high.shape[1]} x {high.shape[0]} pixels over {low.shape[1]} x {low.shape[0]} is {ratios[1]:.2f} by "
            f"{ratios[0]:.2f}: expected about the same whole number from 1 to 16 for both; name it with --scale"
        )
    return scale


def estimate_shift(
    reference: npt.NDArray[np.floating], moved: npt.NDArray[np.floating], *, upsampling: int = 100, window: bool = True
) -> npt.NDArray[np.float64]:
    """By how much ``moved`` lies further down and right than ``reference``.

    Args:
        reference, moved: (H, W), the same shape.
        upsampling: the result is a multiple of one over this, in pixels.
        window: fade both out towards their borders, which otherwise wrap around.

    Returns:
        float64 (2,): rows, columns; between minus and plus half the size.
    """
    shape = np.array(reference.shape)
    fade = np.outer(*(_fade(int(length)) for length in shape)) if window else np.ones(reference.shape)
    one, other = ((image - image.mean()) * fade for image in (reference, moved))
    product = np.fft.fft2(other) * np.fft.fft2(one).conj()
    coarse = np.array(np.unravel_index(np.argmax(np.fft.ifft2(product).real), reference.shape), float)
    coarse = np.where(coarse > shape // 2, coarse - shape, coarse)
    # The correlation around its peak, one and a half pixels wide, as a product of two small Fourier matrices.
    count = math.ceil(1.5 * upsampling)
    grids = [start + (np.arange(count) - count // 2) / upsampling for start in coarse]
    down, across = (
        np.exp(2j * math.pi * grid[:, None] * np.fft.fftfreq(length)) for grid, length in zip(grids, shape, strict=True)
    )
    fine = (down @ product @ across.T).real
    row, column = np.unravel_index(np.argmax(fine), fine.shape)
    return np.array([grids[0][row], grids[1][column]])


def _fade(length: int) -> npt.NDArray[np.float64]:
    """A window that is 1 but for an eighth at either end, where it falls to 0 (Tukey)."""
    inwards = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    return np.asarray(np.sin(np.clip(inwards / (length / 8), 0, 1) * (math.pi / 2)) ** 2)


def _check(low: Bytes, high: Bytes, scale: int) -> None:
    if not 1 <= scale <= 16:
        raise OptionError(f"scale {scale}: expected a whole number from 1 to 16")
    if low.dtype != np.uint8 or high.dtype != np.uint8 or low.ndim != 3 or low.shape[2:] != high.shape[2:]:
        raise OptionError(
            f"cannot align {low.dtype} {low.shape} with {high.dtype} {high.shape}: expected uint8 (H, W, C) with the "
            "same channels"
        )
    if pair_scale(low, high) != scale:
        raise InputError(
            f"{high.shape[1]} x {high.shape[0]} pixels are not about {scale} times {low.shape[1]} x {low.shape[0]}"
        )


def _multiple(picture: Bytes, axis: int, scale: int) -> int:
    return int(picture.shape[axis]) // scale * scale


def _luma(picture: Floats) -> Floats:
    return np.asarray(picture.mean(axis=2))


def _overlap(one: Floats, other: Floats, shift: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The parts of both that show the same when ``one`` lies ``shift`` further down and right."""
    starts = np.maximum(shift, 0), np.maximum(-shift, 0)
    size = np.maximum(np.minimum(one.shape - starts[0], other.shape - starts[1]), 0)
    first, second = (tuple(slice(a, a + n) for a, n in zip(start, size, strict=True)) for start in starts)
    return one[first], other[second]


def _detail_correlation(one: Floats, other: Floats) -> float:
    """Of what is left without brightness that changes slowly, which any two skies have in common."""
    details = []
    for image in (one, other):
        size = tuple(max(1, length // 8) for length in image.shape)
        details.append(image - resize(resize(image, size, kernel="area"), image.shape, kernel="bicubic"))
    norms = [float(np.linalg.norm(detail)) for detail in details]
    # A quarter of an 8-bit step on average is rounding, not detail.
    if min(norms) < 1e-3 * math.sqrt(one.size):
        return 0.0
    return float((details[0] * details[1]).sum() / (norms[0] * norms[1]))


def _cut(
    low: Bytes, high: Bytes, scale: int, shift: npt.NDArray[np.float64]
) -> tuple[Bytes, Bytes, tuple[float, float]]:
    """The common area on whole pixels, and the shift that remains, in low-resolution pixels."""
    fine = np.round(shift * scale).astype(int)
    # Low sample a stands on high samples from a * scale - fine on.
    first = np.maximum(0, -(-fine // scale))
    start = first * scale - fine
    sizes = np.array(low.shape[:2]), np.array(high.shape[:2])
    size = np.minimum(sizes[0] - first, (sizes[1] - start) // scale)
    last, stop = first + size, start + size * scale
    residual = shift - fine / scale
    return (
        np.ascontiguousarray(low[first[0] : last[0], first[1] : last[1]]),
        np.ascontiguousarray(high[start[0] : stop[0], start[1] : stop[1]]),
        (float(residual[0]), float(residual[1])),
    )


def _matched(low: Bytes, high: Bytes, found: Alignment) -> tuple[Bytes, Alignment]:
    """``high`` with the brightness and contrast of ``low``: least squares over the common area, per channel."""
    values = to_float(high)
    small = resize(values, scale=1 / found.scale).astype(np.float64)
    target = to_float(low).astype(np.float64)
    gains, offsets = [], []
    for channel in range(low.shape[2]):
        x, y = small[..., channel], target[..., channel]
        spread = float(x.var())
        gain = float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else 1.0
        gains.append(gain)
        offsets.append(float(y.mean() - gain * x.mean()))
    changed = values * np.array(gains, np.float32) + np.array(offsets, np.float32)
    return like(changed, high), replace(found, gain=tuple(gains), offset=tuple(offsets))
