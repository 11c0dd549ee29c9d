"""What is particular to ReparamNet: merged branches and warm starts."""

from __future__ import annotations

import pytest
import torch

from superres.errors import OptionError
from superres.networks import build_network

from .support import SMALL, trained

NAME = "reparam"


@pytest.mark.parametrize("scale", [2, 3])
def test_a_warm_start_takes_the_layers_over(scale: int) -> None:
    theirs, ours = trained(NAME, 2, SMALL[NAME]), build_network(NAME, scale, SMALL[NAME])
    pairs = [(layer.weight.detach(), layer.bias.detach()) for layer in theirs.fused().convolutions]
    ours.load_fused(pairs)
    for one, other in zip(ours.fused().convolutions[:-1], theirs.fused().convolutions[:-1], strict=True):
        assert torch.allclose(one.weight, other.weight, atol=1e-6)
        assert torch.equal(one.bias, other.bias)
    if scale == 2:  # the same scale: the same function
        batch = torch.rand(1, 3, 9, 9)
        with torch.no_grad():
            assert torch.allclose(ours(batch), theirs(batch), atol=1e-5)
    ours(torch.rand(1, 3, 9, 9)).square().sum().backward()
    assert all(float(p.grad.abs().sum()) > 0 for key, p in ours.named_parameters() if not key.endswith("enter"))


@pytest.mark.parametrize("scale", [2, 3])
def test_a_grey_network_starts_as_a_colour_one_given_grey(scale: int) -> None:
    theirs = trained(NAME, 2, SMALL[NAME])
    ours = build_network(NAME, scale, {**SMALL[NAME], "channels": 1})
    ours.load_fused([(layer.weight.detach(), layer.bias.detach()) for layer in theirs.fused().convolutions])
    if scale == 2:
        batch = torch.rand(1, 1, 9, 9)
        with torch.no_grad():
            expected = theirs(batch.expand(1, 3, 9, 9)).mean(1, keepdim=True)
            assert torch.allclose(ours(batch), expected, atol=1e-5)


def test_a_warm_start_from_another_shape_is_refused() -> None:
    wide = trained(NAME, 2, {**SMALL[NAME], "features": 7}).fused().convolutions
    with pytest.raises(OptionError, match="warm start"):
        build_network(NAME, 2, SMALL[NAME]).load_fused([(c.weight, c.bias) for c in wide])


def test_fused_is_smaller() -> None:
    network = trained(NAME, 2, SMALL[NAME])
    assert sum(p.numel() for p in network.fused().parameters()) < sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    "options",
    [{"features": 0}, {"layers": 2}, {"expansion": -1}, {"channels": 0}],
    ids=lambda options: next(iter(options)),
)
def test_numbers_out_of_range_are_refused(options: dict[str, int | float | str | bool]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        build_network(NAME, 2, options)


@pytest.mark.parametrize("scale", [0, 17])
def test_scales_out_of_range_are_refused(scale: int) -> None:
    with pytest.raises(OptionError, match=f"scale={scale}"):
        build_network(NAME, scale)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channel_counts(channels: int) -> None:
    network = build_network(NAME, 2, {**SMALL[NAME], "channels": channels})
    batch = torch.rand(1, channels, 6, 7)
    with torch.no_grad():
        assert torch.allclose(network(batch), network.fused()(batch), atol=1e-5)


def test_branches_add_up_to_the_kernel() -> None:
    # The 1x1 -> 3x3 chain run as convolutions, plus the 3x3 kernel and the identity, against the merged kernel.
    network = trained(NAME, 2, SMALL[NAME])
    layer = network.body[0]
    batch = torch.rand(1, 6, 9, 9)
    with torch.no_grad():
        chain = torch.nn.functional.conv2d(batch, layer.enter[:, :, None, None])
        branches = (
            torch.nn.functional.conv2d(batch, layer.kernel, layer.bias, padding=1)
            + torch.nn.functional.conv2d(chain, layer.middle, padding=1)
            + batch
        )
        assert torch.allclose(layer(batch), branches, atol=1e-5)
