from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from superres.errors import OptionError
from superres.training.losses import LOSSES, charbonnier, fourier, l1, l2, load_loss, temporal


def pictures(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 7, 10, generator=generator), torch.rand(2, 3, 7, 10, generator=generator)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_is_a_scalar_that_falls_to_its_floor_at_the_truth(name: str) -> None:
    loss, (result, truth) = load_loss(name), pictures()
    floor = float(loss(truth, truth))
    assert 0 <= floor <= 1e-3 + 1e-9
    result.requires_grad_()
    value = loss(result, truth)
    assert value.shape == () and value.item() > floor
    value.backward()
    assert result.grad is not None and torch.isfinite(result.grad).all()
    nearer = float(loss(truth + (result.detach() - truth) * 0.5, truth))
    assert floor < nearer < value.item()


def test_values_by_hand() -> None:
    result, truth = (torch.tensor(values).reshape(1, 1, 1, 2) for values in ([0.0, 0.5], [0.0, 0.1]))
    assert float(l1(result, truth)) == pytest.approx(0.2)
    assert float(l2(result, truth)) == pytest.approx(0.08)
    assert float(charbonnier(result, truth)) == pytest.approx((1e-3 + math.sqrt(0.16 + 1e-6)) / 2)


def test_fourier_is_the_difference_of_two_transforms() -> None:
    result, truth = pictures()
    ours = float(fourier(result, truth))
    difference = np.fft.rfft2(result.numpy().astype(float)) - np.fft.rfft2(truth.numpy().astype(float))
    expected = np.mean([np.abs(difference.real), np.abs(difference.imag)])
    assert ours == pytest.approx(float(expected), rel=1e-5)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(OptionError, match="loss 'forier' is unknown.*did you mean 'fourier'"):
        load_loss("forier")


def test_temporal_sees_changes_alone() -> None:
    truth = torch.rand(2, 3, 4, 5)
    assert float(temporal(truth + 0.25, truth)) == pytest.approx(0, abs=1e-6)
    flickering = truth + torch.tensor([0.1, -0.1, 0.1])[:, None, None]
    assert float(temporal(flickering, truth)) == pytest.approx(0.2, abs=1e-6)
