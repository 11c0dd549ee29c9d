"""Flicker of enlarged video against its original: how differently the two change from frame to frame.

Both take clips of luma planes (T, H, W) and give the mean over frames in steps of the sample range's 1/255.

- Temporal difference error: mean absolute difference between the result's change from one frame to the next and the
  original's, pixel by pixel.  What moves in the original may move in the result; what flickers in one alone counts,
  and so does what moves and is blurred.
- Warping error: each frame of the result is compared with the one before it, moved along the motion that the
  original shows.  What is left is the original's own change (light, noise, what was hidden) and the result's flicker;
  where the original itself does not fit its motion (occlusion) nothing is counted.  Motion is that of blocks by whole
  pixels, found by full search in the original: coarser than the optical flow of the references, and free of a network.

References:
    M. Chu, Y. Xie, J. Mayer, L. Leal-Taixe, N. Thuerey, "Learning Temporal Coherence via Self-Supervision for GAN-based
    Video Generation" (TecoGAN), ACM TOG 39(4), 2020: changes compared with those of the original.
    W.-S. Lai, J.-B. Huang, O. Wang, E. Shechtman, E. Yumer, M.-H. Yang, "Learning Blind Video Temporal Consistency",
    ECCV 2018: the warping error.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.metrics.psnr import check_shapes

__all__ = ["BLOCK", "FITS", "Motion", "block_motion", "clip_motion", "temporal_difference", "warping_error"]

Clip = npt.NDArray[Any]

#: Rows and columns in the frame before, int64 (H, W), of every pixel of a frame.
Motion = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

#: Pixels a side of what moves as one.
BLOCK = 16
_REACH = 7
#: Of the sample range: where the original differs by more from its own moved frame, it was hidden or lit anew.
FITS = 0.04


def temporal_difference(result: Clip, reference: Clip, data_range: float = 255.0) -> float:
    """Mean absolute difference of the changes from frame to frame, in 1/255 of the range; 0 is best.

    Args:
        result, reference: (T, H, W), T at least 2, any real dtype.
        data_range: span of the samples, 255 for 8 bit.

    Raises:
        OptionError: different shapes, or no two frames.

    >>> clip = np.zeros((3, 4, 4)); flicker = clip.copy(); flicker[1] = 2
    >>> temporal_difference(clip + 9, clip), temporal_difference(flicker, clip)
    (0.0, 2.0)
    """
    _check(result, reference)
    errors = []
    for number in range(1, len(result)):  # frame by frame: clips are large
        ours, theirs = (_change(clip, number) for clip in (result, reference))
        errors.append(float(np.abs(ours - theirs).mean()))
    return float(np.mean(errors)) * 255 / data_range


def clip_motion(reference: Clip) -> list[Motion]:
    """What :func:`block_motion` finds from each frame of a clip (T, H, W) to the next: T - 1 pairs."""
    frames = [frame.astype(np.float32) for frame in reference]
    return [block_motion(before, after) for before, after in itertools.pairwise(frames)]


def warping_error(
    result: Clip, reference: Clip, data_range: float = 255.0, *, motion: Sequence[Motion] | None = None
) -> float:
    """Mean absolute difference of frames and those before them, moved as the reference moves; in 1/255 of the range.

    Arguments and errors as :func:`temporal_difference`.  0 is best; the reference itself has an error above 0, which
    is what its motion does not explain.

    Args:
        motion: what :func:`clip_motion` told of the reference, for several results of one; None to look for it.

    Raises:
        OptionError: also frames smaller than a block of 16 pixels.
    """
    _check(result, reference)
    if min(result.shape[1:]) < BLOCK:
        raise OptionError(f"frames of {result.shape[2]} x {result.shape[1]}: expected at least {BLOCK} pixels a side")
    errors = []
    for number, (rows, columns) in enumerate(clip_motion(reference) if motion is None else motion, 1):
        before, after = (reference[n].astype(np.float32) for n in (number - 1, number))
        fits = np.abs(before[rows, columns] - after) <= FITS * data_range
        ours = result[number - 1].astype(np.float32)[rows, columns] - result[number].astype(np.float32)
        errors.append(float(np.abs(ours)[fits].mean()) if fits.any() else 0.0)
    return float(np.mean(errors)) * 255 / data_range


def block_motion(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> Motion:
    """Where each pixel of a frame was in the one before, by whole blocks and pixels.

    Each block of 16 pixels takes the displacement of up to 7 pixels either way whose mean absolute difference is
    smallest, the shortest of equals.

    Args:
        before, after: float32 (H, W).

    Returns:
        Rows and columns in ``before``, int64 (H, W), within the frame.
    """
    height, width = after.shape
    edges = [np.arange(0, length, BLOCK) for length in (height, width)]
    padded = np.pad(before, _REACH, mode="edge")
    shifts = [(y, x) for y in range(-_REACH, _REACH + 1) for x in range(-_REACH, _REACH + 1)]
    shifts.sort(key=lambda shift: shift[0] ** 2 + shift[1] ** 2)
    costs = []
    for y, x in shifts:
        moved = padded[_REACH + y : _REACH + y + height, _REACH + x : _REACH + x + width]
        sums = np.add.reduceat(np.abs(moved - after), edges[0], axis=0)
        costs.append(np.add.reduceat(sums, edges[1], axis=1))
    best = np.array(shifts)[np.argmin(np.stack(costs), axis=0)]  # blocks down, blocks across, 2
    spread = best.repeat(BLOCK, axis=0)[:height].repeat(BLOCK, axis=1)[:, :width]
    rows = np.clip(np.arange(height)[:, None] + spread[:, :, 0], 0, height - 1)
    columns = np.clip(np.arange(width)[None, :] + spread[:, :, 1], 0, width - 1)
    return rows, columns


def _change(clip: Clip, number: int) -> npt.NDArray[np.float32]:
    change: npt.NDArray[np.float32] = clip[number].astype(np.float32) - clip[number - 1].astype(np.float32)
    return change


def _check(result: Clip, reference: Clip) -> None:
    check_shapes(result, reference)
    if result.ndim != 3 or len(result) < 2:
        raise OptionError(f"a clip of shape {result.shape}: expected (T, H, W) with at least 2 frames")
