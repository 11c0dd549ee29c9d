"""How low-resolution video comes about: reduced frame by frame, sometimes noisy, mostly compressed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from superres.degrade.compression import compress
from superres.degrade.noise import gaussian_noise
from superres.degrade.resampling import resample
from superres.errors import OptionError

__all__ = ["degrade_clip"]

Bytes = npt.NDArray[np.uint8]

# Shares of the clips that stay as they were reduced, that get noise first, and that HEVC compresses.
_CLEAN, _NOISY, _HEVC = 0.12, 0.3, 0.3
_KERNELS = ("area", "bicubic", "bicubic", "bilinear", "lanczos3")
_SIGMA = 6.0
_CRF = (18, 36)
_PRESETS = ("ultrafast", "veryfast", "veryfast", "medium")
_INTERVALS = (4, 12, 250)


def degrade_clip(clip: Bytes, scale: int, random: np.random.Generator) -> Bytes:
    """One random chain for a whole clip: a kernel, noise of its own in every frame, an encoder and its quality.

    Args:
        clip: ground truth, uint8 (T, H, W), H and W multiples of ``2 * scale``, and at least ``64 * scale``.
        scale: 1 or more.
        random: decides.

    Returns:
        uint8 (T, H / scale, W / scale).

    Raises:
        OptionError: a clip of another form.
        MissingExtraError: PyAV is not installed.
    """
    _, height, width = clip.shape
    if height % (2 * scale) or width % (2 * scale):
        raise OptionError(f"a clip of {width} x {height} at x{scale}: expected multiples of {2 * scale}")
    kernel = _KERNELS[int(random.integers(len(_KERNELS)))]
    low = resample(clip[..., None], (height // scale, width // scale), kernel)
    if random.random() < _NOISY:
        low = gaussian_noise(low, random.uniform(0, _SIGMA), random)
    small = np.asarray(low[..., 0], np.uint8)
    if random.random() < _CLEAN:
        return small
    encoder = "hevc" if random.random() < _HEVC else "h264"
    crf = int(random.integers(_CRF[0], _CRF[1] + 1))
    preset = _PRESETS[int(random.integers(len(_PRESETS)))]
    return compress(small, encoder, crf, preset=preset, interval=_INTERVALS[int(random.integers(len(_INTERVALS)))])
