from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import OptionError
from superres.networks.quantised import (
    LARGEST_CODE,
    LEVELS,
    QuantisedStack,
    best_range,
    equalised,
    step_and_zero,
    weight_scales,
)
from superres.networks.reparam import SKIPS, ConvolutionStack


def stack(scale: int = 2, seed: int = 0, blocks: int = 0) -> tuple[ConvolutionStack, torch.Tensor]:
    """A small stack with weights that do something, and 8-bit input for it."""
    torch.manual_seed(seed)
    plain = ConvolutionStack(scale, 3, 8, 4, 0.1, SKIPS[seed % 2], blocks)
    return plain.eval(), torch.randint(0, 256, (2, 3, 12, 10)).float() / 255


@given(st.floats(-50, 0), st.floats(1e-3, 50))
def test_zero_is_a_code_of_its_own(low: float, high: float) -> None:
    step, zero = step_and_zero(low, high)
    assert 0 <= zero <= LEVELS
    values = torch.tensor([0.0, low, high])
    rounded = torch.fake_quantize_per_tensor_affine(values, step, zero, 0, LEVELS)
    assert rounded[0] == 0
    # Zero point and value may each be rounded by half a step.
    assert (rounded - values).abs().max() <= 1.01 * step


def test_the_best_range_gives_up_far_values() -> None:
    values = torch.randn(200_000, generator=torch.Generator().manual_seed(0)).abs() ** 2  # a long tail
    low, high = best_range(values)
    assert low == 0
    assert 0.2 * values.max() < high < 0.95 * values.max()

    def error(top: float) -> float:
        step, zero = step_and_zero(0.0, top)
        return float((torch.fake_quantize_per_tensor_affine(values, step, zero, 0, LEVELS) - values).square().mean())

    assert error(high) < error(float(values.max()))


def test_weights_use_all_their_codes() -> None:
    kernel = torch.randn(5, 3, 3, 3)
    codes = kernel / weight_scales(kernel)[:, None, None, None]
    np.testing.assert_allclose(codes.abs().amax((1, 2, 3)).numpy(), LARGEST_CODE, rtol=1e-5)


@pytest.mark.parametrize("blocks", [0, 1, 2])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_quantised_is_near_the_float_network(scale: int, blocks: int) -> None:
    plain, small = stack(scale, blocks=blocks)
    quantised = QuantisedStack(plain, small)
    with torch.no_grad():
        exact, rounded = plain(small), quantised(small)
    assert rounded.shape == exact.shape == (2, 3, 12 * scale, 10 * scale)
    error = (rounded - exact).abs().mean().item()
    assert 0 < error < 0.02 * (exact - torch.nn.functional.interpolate(small, scale_factor=scale)).abs().mean().item()


@pytest.mark.parametrize("seed", [0, 1])
def test_equalised_is_the_same_function_with_channels_of_similar_range(seed: int) -> None:
    plain, small = stack(seed=seed)
    with torch.no_grad():
        for layer, following in zip(plain.convolutions, plain.convolutions[1:], strict=False):
            factors = torch.logspace(-2, 2, 8)  # channels that lie far apart, as training leaves them
            layer.weight.mul_(factors[:, None, None, None])
            layer.bias.mul_(factors)
            following.weight.div_(factors[None, :, None, None])
        even = equalised(plain, small)
        assert torch.allclose(even(small), plain(small), atol=1e-4)

        def spread(network: ConvolutionStack) -> float:
            hidden = torch.nn.functional.leaky_relu(network.hidden()[0].convolution(small), network.slope)
            reach = hidden.abs().amax((0, 2, 3))
            return float(reach.max() / reach.min())

        assert spread(even) < spread(plain) / 10
        exact = plain(small)
        errors = [float((rounded_to_8_bits(network, small) - exact).abs().mean()) for network in (even, plain)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("blocks", [1, 2])
def test_features_that_are_added_are_equalised_alike(blocks: int) -> None:
    plain, small = stack(blocks=blocks)
    with torch.no_grad():
        even = equalised(plain, small)
        assert torch.allclose(even(small), plain(small), atol=1e-5)
        ours, theirs = ([one.abs().mean((0, 2, 3)) for one in network.features(small)] for network in (even, plain))
    factors = [new / old for new, old in zip(ours, theirs, strict=True)]
    ends = [index for index, link in enumerate(plain.hidden()) if link.closes]
    assert len(ends) == 2 * blocks
    for index in ends:
        assert torch.allclose(factors[index], factors[index - 2], rtol=1e-4)
    assert not torch.allclose(factors[0], factors[1], rtol=0.05)


def rounded_to_8_bits(plain: ConvolutionStack, batch: torch.Tensor) -> torch.Tensor:
    """The hidden activations through 8-bit codes, nothing else."""
    hidden = batch
    for link in plain.hidden():
        hidden = torch.nn.functional.leaky_relu(link.convolution(hidden), plain.slope)
        hidden = torch.fake_quantize_per_tensor_affine(hidden, *step_and_zero(*best_range(hidden)), 0, LEVELS)
    return torch.nn.functional.pixel_shuffle(plain.last()(hidden) + plain.skip(batch), plain.scale)


def test_a_silent_channel_stays_silent() -> None:
    plain, small = stack()
    with torch.no_grad():
        plain.convolutions[0].weight[2].zero_()
        plain.convolutions[0].bias[2] = 0
        even = equalised(plain, small)
        assert torch.allclose(even(small), plain(small), atol=1e-5)
    assert all(bool(torch.isfinite(p).all()) for p in even.parameters())


@pytest.mark.parametrize("blocks", [0, 1])
def test_it_works_on_a_copy_and_its_gradients_reach_every_weight(blocks: int) -> None:
    plain, small = stack(blocks=blocks)
    before = [p.detach().clone() for p in plain.parameters()]
    quantised = QuantisedStack(plain, small)
    quantised(small).square().mean().backward()
    for parameter in quantised.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
    with torch.no_grad():
        for parameter in quantised.parameters():
            parameter.add_(1)
    for kept, parameter in zip(before, plain.parameters(), strict=True):
        assert torch.equal(kept, parameter)


def test_a_sample_of_other_channels_is_refused() -> None:
    plain, small = stack()
    with pytest.raises(OptionError, match=r"\(2, 1, 12, 10\), expected \(N, 3, H, W\)"):
        QuantisedStack(plain, small[:, :1])
