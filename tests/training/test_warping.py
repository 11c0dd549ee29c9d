from __future__ import annotations

import numpy as np
import pytest
import torch

from superres.metrics.temporal import block_motion
from superres.training.warping import block_shifts, warping


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Smooth enough for a search at half the size: float32 (height, width) in [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 1, height // 3 + 2, width // 3 + 2, generator=random)
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return fine[0, 0].clamp(0, 1)


def gliding(frames: int, step: tuple[int, int], height: int = 40, width: int = 56) -> torch.Tensor:
    """(1, T, H, W): a view that moves over a texture by whole pixels."""
    plane = texture(height + 80, width + 80)
    views = [
        plane[40 + step[0] * n : 40 + step[0] * n + height, 40 + step[1] * n : 40 + step[1] * n + width]
        for n in range(frames)
    ]
    return torch.stack(views)[None]


@pytest.mark.parametrize("step", [(0, 0), (1, 0), (-3, 2), (5, -7), (-9, 9)])
def test_whole_steps_are_found_block_by_block(step: tuple[int, int]) -> None:
    clip = gliding(2, step)
    shifts = block_shifts(clip[:, 0], clip[:, 1])
    assert shifts.shape == (1, 2, 3, 4)
    inner = shifts[0, :, 1, 1:3].reshape(2, -1)  # blocks at the edges may look for what has left the view
    assert inner.T.unique(dim=0).tolist() == [[step[0], step[1]]]


def test_motion_is_that_of_the_metric() -> None:
    clip = gliding(2, (2, -5))
    before, after = clip[0].numpy()
    rows, columns = block_motion(before, after)
    shifts = block_shifts(clip[:, 0], clip[:, 1])[0, :, 1, 1].numpy()
    np.testing.assert_array_equal([rows[20, 24] - 20, columns[20, 24] - 24], shifts)


def test_only_flicker_beyond_the_truths_own_costs() -> None:
    truth = gliding(4, (1, 2))
    assert float(warping(truth, truth)) == 0
    assert float(warping(truth * 0.5 + 0.2, truth)) == pytest.approx(0, abs=1e-3)  # faint, but steady
    flicker = torch.tensor([0.1, -0.1, 0.1, -0.1])[:, None, None]
    assert float(warping(truth + flicker, truth)) == pytest.approx(0.2, abs=2e-3)
    # What stands still on the screen before a scene that moves is no part of it.
    spot = torch.zeros_like(truth)
    spot[:, :, 16:24, 24:32] = 0.3
    assert float(warping(truth + spot, truth)) > 0.003


def test_what_the_truth_does_not_repeat_is_not_counted() -> None:
    truth = gliding(2, (0, 0)) * 0.3
    truth[:, 1] += 0.5  # lit anew everywhere
    assert float(warping(torch.rand_like(truth), truth)) == 0


def test_the_gradient_lowers_the_flicker() -> None:
    truth = gliding(3, (1, 0))
    result = (truth + 0.05 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(3))).requires_grad_()
    before = warping(result, truth)
    before.backward()
    assert result.grad is not None
    with torch.no_grad():
        after = warping(result - 20 * result.grad, truth)
    assert float(after) < 0.95 * float(before.detach())
