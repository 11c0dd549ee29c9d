from __future__ import annotations

import pytest
import torch

from superres.networks import build_network
from superres.networks.edsr import Edsr, ResidualBlock


@pytest.mark.parametrize(("scale", "published"), [(2, 1_369_859), (3, 1_554_499), (4, 1_517_571)])
def test_the_baseline_has_the_published_size(scale: int, published: int) -> None:
    assert sum(p.numel() for p in build_network("edsr", scale).parameters()) == published


def test_srresnet_is_the_same_class_with_other_kernels_and_activation() -> None:
    network = build_network("srresnet", 2, {"features": 4, "blocks": 1})
    assert isinstance(network, Edsr)
    kinds = [type(module).__name__ for module in network.modules()]
    assert "PReLU" in kinds
    assert "ReLU" not in kinds
    assert "BatchNorm2d" not in kinds
    assert (network.head[0].kernel_size, network.tail.kernel_size) == ((9, 9), (9, 9))


def test_normalise_puts_two_norms_into_each_block_and_one_after_them() -> None:
    network = build_network("srresnet", 2, {"features": 4, "blocks": 3, "normalise": True})
    assert sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()) == 2 * 3 + 1


def test_the_branch_is_weighed() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(3, torch.nn.ReLU(), weight=0.25)
    batch = torch.rand(1, 3, 5, 5)
    assert torch.allclose(block(batch), batch + 0.25 * block.layers(batch))


@pytest.mark.parametrize(("scale", "stages"), [(1, []), (3, [3]), (8, [2, 2, 2]), (12, [2, 2, 3])])
def test_stages_are_the_prime_factors(scale: int, stages: list[int]) -> None:
    assert build_network("edsr", scale, {"features": 2, "blocks": 1}).factors == stages
