from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from superres.networks.quantised import weight_scales
from superres.networks.rounding import columns_of, rounded


def nearest(kernel: Tensor, steps: Tensor, largest: int) -> Tensor:
    return (kernel / steps[:, None, None, None]).round().clamp(-largest, largest) * steps[:, None, None, None]


def test_columns_are_what_a_convolution_sums() -> None:
    torch.manual_seed(0)
    batch, kernel = torch.randn(2, 4, 7, 9), torch.randn(5, 4, 3, 3)
    sums = functional.conv2d(batch, kernel).permute(0, 2, 3, 1).flatten(0, 2)
    torch.testing.assert_close(columns_of(batch) @ kernel.flatten(1).T, sums)


@pytest.mark.parametrize("largest", [4, 64])
def test_weights_are_multiples_of_their_step_within_bounds(largest: int) -> None:
    torch.manual_seed(largest)
    kernel = torch.randn(6, 3, 3, 3)
    steps = 0.8 * kernel.abs().amax((1, 2, 3)) / largest
    multiples = rounded(kernel, steps, largest, columns_of(torch.rand(2, 3, 12, 12))) / steps[:, None, None, None]
    torch.testing.assert_close(multiples, multiples.round())
    assert multiples.abs().max() <= largest + 1e-4
    # Nothing was changed beyond what a few steps make.
    assert (multiples - (kernel / steps[:, None, None, None]).clamp(-largest, largest)).abs().max() < largest


def test_inputs_that_have_nothing_in_common_leave_the_nearest_multiples() -> None:
    torch.manual_seed(1)
    kernel = torch.randn(5, 2, 3, 3)
    steps = weight_scales(kernel)
    alone = 3 * torch.eye(18)
    torch.testing.assert_close(rounded(kernel, steps, 64, alone), nearest(kernel, steps, 64))


def test_sums_over_smooth_inputs_change_less_than_by_nearest_multiples() -> None:
    torch.manual_seed(2)
    kernel = torch.randn(8, 4, 3, 3)
    steps = kernel.abs().amax((1, 2, 3)) / 8
    smooth = functional.avg_pool2d(torch.rand(4, 4, 34, 34), 5, 1)
    columns = columns_of(smooth)

    def error(made: Tensor) -> float:
        return float((columns @ (made - kernel).flatten(1).T).square().mean())

    assert error(rounded(kernel, steps, 8, columns)) < 0.1 * error(nearest(kernel, steps, 8))
