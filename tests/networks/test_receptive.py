from __future__ import annotations

import pytest
import torch
from torch import nn

from superres.networks.layers import Bicubic
from superres.networks.receptive import Reach


def _measured(layers: nn.Module, scale: int) -> tuple[int, int]:
    """Which pixels the ``scale`` outputs of pixel 20 depend on, relative to it."""
    batch = torch.rand(1, 1, 1, 41, requires_grad=True)
    layers(batch)[..., :, 20 * scale : 21 * scale].square().sum().backward()
    assert batch.grad is not None
    reached = torch.nonzero(batch.grad[0, 0].abs().sum(dim=0))[:, 0] - 20
    return int(reached.min()), int(reached.max())


def _positive(layer: nn.Module) -> nn.Module:
    """No weight that is zero by chance."""
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.1, 1)
    return layer


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5, 8])
def test_bicubic(scale: int) -> None:
    reach = Reach.of_outputs(scale).enlarged(scale)
    assert (reach.low, reach.high) == _measured(Bicubic(scale, 1), scale)


@pytest.mark.parametrize(("size", "scale", "padding"), [(9, 2, 4), (9, 3, 3), (9, 4, 3), (4, 2, 1), (11, 5, 3)])
def test_transposed_convolutions(size: int, scale: int, padding: int) -> None:
    extra = scale - size + 2 * padding
    layer = nn.ConvTranspose2d(1, 1, (1, size), (1, scale), (0, padding), output_padding=(0, extra))
    reach = Reach.of_outputs(scale).transposed(size, scale, padding)
    assert (reach.low, reach.high) == _measured(_positive(layer), scale)


def test_a_chain_over_two_resolutions() -> None:
    layers = nn.Sequential(
        nn.Conv2d(1, 1, (1, 3), padding=(0, 2), dilation=2),
        nn.Upsample(scale_factor=(1, 2)),
        nn.Conv2d(1, 1, (1, 5), padding=(0, 2)),
        nn.Upsample(scale_factor=(1, 3)),
        nn.Conv2d(1, 1, (1, 7), padding=(0, 3)),
    )
    reach = Reach.of_outputs(6).convolved(7).shuffled(3).convolved(5).shuffled(2).convolved(3, dilation=2)
    assert (reach.low, reach.high) == _measured(_positive(layers), 6)
    assert reach.halo == max(-reach.low, reach.high)


def test_one_pixel_has_no_halo() -> None:
    assert Reach.of_outputs(1).halo == 0
