from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from superres.networks import build_network
from superres.networks.layers import Bicubic, bilinear_kernel, carry_first_channel, convolution, start_identity
from superres.resize import resize


@given(st.integers(1, 16), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))
def test_bicubic_is_the_resize_everywhere(scale: int, height: int, width: int, channels: int) -> None:
    samples = np.random.default_rng(height * 10 + width).random((height, width, channels), np.float32)
    expected = resize(samples, scale=scale)
    batch = torch.from_numpy(samples.transpose(2, 0, 1)[None].copy())
    result = Bicubic(scale, channels)(batch)[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_bicubic_stays_float32_under_autocast_and_is_not_trained() -> None:
    layer = Bicubic(2, 1)
    batch = torch.rand(1, 1, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(batch), layer(batch.clone()))
        assert layer(batch).dtype == torch.float32
        reduced = layer(batch)
    assert torch.equal(reduced, layer(batch))
    assert not list(layer.parameters())
    assert not layer.state_dict()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bilinear_kernel_is_the_resize_inside(scale: int) -> None:
    samples = np.random.default_rng(scale).random((6, 7), np.float32)
    kernel = bilinear_kernel(scale)[:, None]
    large = functional.pixel_shuffle(functional.conv2d(torch.from_numpy(samples)[None, None], kernel, padding=1), scale)
    inside = slice(scale, -scale)
    expected = resize(samples, scale=scale, kernel="bilinear")[inside, inside]
    np.testing.assert_allclose(large[0, 0, inside, inside].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("size", "dilation"), [(1, 1), (3, 1), (3, 4), (9, 1)])
def test_convolutions_keep_the_size(size: int, dilation: int) -> None:
    assert convolution(2, 5, size, dilation=dilation)(torch.rand(1, 2, 7, 4)).shape == (1, 5, 7, 4)


def test_starts() -> None:
    batch = torch.rand(2, 4, 6, 6)
    layer = convolution(4, 4)
    start_identity(layer, noise=0)
    assert torch.equal(layer(batch), batch)
    layer = convolution(4, 3, 5)
    carry_first_channel(layer, 0.5)
    assert torch.allclose(layer(batch)[:, 0], 0.5 * batch[:, 0])
    assert isinstance(layer, nn.Conv2d)
    assert float(layer.weight[1:].abs().min().detach()) > 0


def test_a_dilated_convolution_computes_in_float32() -> None:
    """In bfloat16 the gradient of its kernel is at times not finite on processors."""
    layer = convolution(40, 40, dilation=2)
    batch = torch.randn(4, 40, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = layer(batch)
    assert result.dtype == torch.float32
    assert torch.equal(result, torch.nn.functional.conv2d(batch, layer.weight, layer.bias, padding=2, dilation=2))
    network = build_network("encoder_decoder", 4, {"features": 40, "levels": 2, "normalise": False})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (network(torch.rand(4, 3, 32, 32)) - torch.rand(4, 3, 128, 128)).abs().mean().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)
