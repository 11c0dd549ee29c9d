from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from superres.networks import build_network
from superres.networks.encoder_decoder import NormalisedConv


def _layer(dilation: int = 1) -> NormalisedConv:
    torch.manual_seed(0)
    layer = NormalisedConv(3, 4, dilation)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return layer


@pytest.mark.parametrize("dilation", [1, 2])
def test_training_is_batch_norm_and_convolution(dilation: int) -> None:
    layer, twin = _layer(dilation), nn.BatchNorm2d(3)
    twin.load_state_dict(layer.norm.state_dict())
    batch = torch.randn(2, 3, 9, 8) * 2 + 1
    for _ in range(3):
        ours = layer(batch)
        theirs = functional.conv2d(twin(batch), layer.conv.weight, layer.conv.bias, dilation=dilation)
        assert torch.allclose(ours[:, :, dilation:-dilation, dilation:-dilation], theirs, atol=1e-5)
    for name in ("running_mean", "running_var"):
        assert torch.allclose(getattr(layer.norm, name), getattr(twin, name), atol=1e-6)


def test_gradients_are_those_of_batch_norm_and_convolution() -> None:
    layer = _layer()
    twin_norm, twin_conv = nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)
    twin_norm.load_state_dict(layer.norm.state_dict())
    twin_conv.load_state_dict(layer.conv.state_dict())
    batch = torch.randn(2, 3, 9, 8)
    layer(batch)[:, :, 1:-1, 1:-1].square().sum().backward()
    twin_conv(twin_norm(batch)).square().sum().backward()
    for ours, theirs in zip(layer.parameters(), [*twin_norm.parameters(), *twin_conv.parameters()], strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-3)


def test_evaluation_uses_and_keeps_the_statistics() -> None:
    layer = _layer()
    layer(torch.randn(2, 3, 9, 8) + 3)
    layer.eval()
    kept = layer.norm.running_mean.clone()
    batch = torch.randn(1, 3, 6, 6)
    alone, together = layer(batch), layer(torch.cat([batch, batch + 9]))[:1]
    assert torch.allclose(alone, together, atol=1e-5)
    assert torch.equal(layer.norm.running_mean, kept)
    assert torch.allclose(layer.folded()(batch), alone, atol=1e-5)


def test_one_pixel_can_be_trained_on() -> None:
    layer = _layer()
    assert bool(torch.isfinite(layer(torch.randn(1, 3, 1, 1))).all())
    assert bool(torch.isfinite(layer.norm.running_var).all())


def test_the_plain_variant_is_the_stated_chain() -> None:
    network = build_network("encoder_decoder", 2, {"plain": True}).eval()
    batch = torch.rand(1, 3, 6, 5)
    hidden = functional.leaky_relu(network.head(batch), 0.2)
    twin = nn.BatchNorm2d(64).eval()
    large = twin(hidden).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    expected = functional.conv2d(large, network.tail.conv.weight, network.tail.conv.bias, padding=1)
    assert torch.allclose(network(batch), expected, atol=1e-5)


def test_levels_and_down_do_not_change_the_plain_variant() -> None:
    one = build_network("encoder_decoder", 2, {"plain": True})
    other = build_network("encoder_decoder", 2, {"plain": True, "levels": 4, "down": "maximum"})
    assert one.halo == other.halo
    assert sum(p.numel() for p in one.parameters()) == sum(p.numel() for p in other.parameters())
