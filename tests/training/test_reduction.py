from __future__ import annotations

import numpy as np
import pytest
import torch

from superres.resize import resize
from superres.training.reduction import consistency, reduce_bicubic


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_it_is_the_resize_of_pictures(factor: int) -> None:
    picture = np.random.default_rng(factor).random((12, 24, 3), np.float32)
    batch = torch.from_numpy(picture).permute(2, 0, 1)[None]
    ours = reduce_bicubic(batch, factor)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - resize(picture, scale=1 / factor)).max() < 1e-5


def test_gradients_are_those_of_the_adjoint() -> None:
    batch = torch.rand(1, 1, 8, 8, dtype=torch.float32, requires_grad=True)
    weights = torch.rand(1, 1, 4, 4)
    (reduce_bicubic(batch, 2) * weights).sum().backward()
    one = torch.zeros(1, 1, 8, 8)
    one[0, 0, 3, 5] = 1
    assert batch.grad is not None
    assert float(batch.grad[0, 0, 3, 5]) == pytest.approx(float((reduce_bicubic(one, 2) * weights).sum()), abs=1e-6)


def test_reduced_precision_does_not_reach_it() -> None:
    batch = torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(reduce_bicubic(batch, 2), reduce_bicubic(batch, 2).float())
        inside = reduce_bicubic(batch, 2)
    assert torch.equal(inside, reduce_bicubic(batch, 2))


def test_what_reduces_to_the_input_is_consistent() -> None:
    high = torch.rand(2, 3, 8, 12)
    low = reduce_bicubic(high, 4)
    assert float(consistency(high, low, 4)) == 0
    assert float(consistency(high, low + 0.25, 4)) == pytest.approx(0.25, abs=1e-6)
