"""What flickers along the motion of a clip: a loss whose motion is found in the truth itself, block by block.

The motion is that of :func:`superres.metrics.temporal.warping_error`: whole pixels, blocks of 16.  It is looked for at
half the size first, which costs little beside a step of training.

Reference:
    W.-S. Lai, J.-B. Huang, O. Wang, E. Shechtman, E. Yumer, M.-H. Yang, "Learning Blind Video Temporal Consistency",
    ECCV 2018: the short-term temporal loss.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from superres.metrics.temporal import BLOCK, FITS

__all__ = ["block_shifts", "warping"]

# Pixels of half the size that the first search goes either way; the second goes one more of the whole.
_REACH = 4


def warping(result: Tensor, truth: Tensor) -> Tensor:
    """By how much more the result changes along the truth's motion than the truth itself does, on average.

    A frame is compared with the one before it, moved as the truth moves.  What the truth does not repeat there is not
    counted, and a result that is calmer than the truth gains nothing: blur is not asked for.

    Args:
        result, truth: float32 (N, T, H, W) about [0, 1]; channels are consecutive frames, at least two.
    """
    before, after = (_flat(truth[:, :-1]), _flat(truth[:, 1:]))
    places = _places(block_shifts(before, after), *truth.shape[2:])
    theirs = (_moved(before, places) - after).abs()
    ours = (_moved(_flat(result[:, :-1]), places) - _flat(result[:, 1:])).abs()
    fits = theirs <= FITS
    return ((ours - theirs).clamp(min=0) * fits).sum() / fits.sum().clamp(min=1)


@torch.no_grad()
def block_shifts(before: Tensor, after: Tensor) -> Tensor:
    """Where each block of 16 pixels was in the frame before: (M, H, W) twice -> int64 (M, 2, ceil(H/16), ceil(W/16)).

    Displacements down and across are those of the smallest mean absolute difference, up to 9 pixels; of equals the
    shortest of the first search, which goes by two pixels, is taken.
    """
    shifts = [(y, x) for y in range(-_REACH, _REACH + 1) for x in range(-_REACH, _REACH + 1)]
    shifts.sort(key=lambda shift: shift[0] ** 2 + shift[1] ** 2)
    halves = [functional.avg_pool2d(frames[:, None], 2, ceil_mode=True) for frames in (before, after)]
    height, width = halves[1].shape[2:]
    padded = functional.pad(halves[0], [_REACH] * 4, mode="replicate")
    costs = []
    for y, x in shifts:
        moved = padded[:, :, _REACH + y : _REACH + y + height, _REACH + x : _REACH + x + width]
        costs.append(functional.avg_pool2d((moved - halves[1]).abs(), BLOCK // 2, ceil_mode=True))
    best = torch.tensor(shifts)[torch.cat(costs, dim=1).argmin(dim=1)].permute(0, 3, 1, 2).to(before.device) * 2
    near = [(0, 0), *((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x)]
    tried = [best + torch.tensor(step, device=best.device)[:, None, None] for step in near]
    costs = []
    for shift in tried:
        difference = (_moved(before, _places(shift, *before.shape[1:])) - after).abs()
        costs.append(functional.avg_pool2d(difference[:, None], BLOCK, ceil_mode=True))
    chosen = torch.cat(costs, dim=1).argmin(dim=1)
    return torch.stack(tried, dim=1).gather(1, chosen[:, None, None].expand(-1, -1, 2, -1, -1))[:, 0]


def _flat(clips: Tensor) -> Tensor:
    return clips.reshape(-1, *clips.shape[2:])


def _places(shifts: Tensor, height: int, width: int) -> Tensor:
    """Shifts of blocks -> positions in the flattened frame before, (M, height * width), kept within the frame."""
    spread = shifts.repeat_interleave(BLOCK, dim=2)[:, :, :height].repeat_interleave(BLOCK, dim=3)[:, :, :, :width]
    rows = (spread[:, 0] + torch.arange(height, device=shifts.device)[:, None]).clamp(0, height - 1)
    columns = (spread[:, 1] + torch.arange(width, device=shifts.device)).clamp(0, width - 1)
    return (rows * width + columns).flatten(1)


def _moved(frames: Tensor, places: Tensor) -> Tensor:
    return frames.flatten(1).gather(1, places).view_as(frames)
