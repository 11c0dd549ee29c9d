"""What is particular to ReparamNet: merged branches and warm starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from superres.errors import OptionError
from superres.networks import build_network
from superres.resize import resize

from .support import SMALL, deployed_pairs, trained

NAME = "reparam"


@pytest.mark.parametrize("scale", [2, 3])
def test_a_warm_start_takes_the_layers_over(scale: int) -> None:
    theirs, ours = trained(NAME, 2, SMALL[NAME]), build_network(NAME, scale, SMALL[NAME])
    ours.load_fused(deployed_pairs(theirs.fused()))
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
    ours.load_fused(deployed_pairs(theirs.fused()))
    if scale == 2:
        batch = torch.rand(1, 1, 9, 9)
        with torch.no_grad():
            expected = theirs(batch.expand(1, 3, 9, 9)).mean(1, keepdim=True)
            assert torch.allclose(ours(batch), expected, atol=1e-5)


def test_a_warm_start_from_another_shape_is_refused() -> None:
    wide = trained(NAME, 2, {**SMALL[NAME], "features": 7}).fused()
    with pytest.raises(OptionError, match="warm start"):
        build_network(NAME, 2, SMALL[NAME]).load_fused(deployed_pairs(wide))


def test_another_skip_starts_with_a_new_last_layer() -> None:
    theirs = trained(NAME, 2, {**SMALL[NAME], "skip": "nearest"}).fused()
    ours = build_network(NAME, 2, SMALL[NAME])
    before = ours.tail.weight.clone()
    ours.load_fused(deployed_pairs(theirs))
    assert torch.equal(ours.tail.weight, before)
    assert torch.equal(ours.fused().convolutions[1].weight, theirs.convolutions[1].weight)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_silent_network_is_the_bicubic_enlargement(scale: int) -> None:
    network = build_network(NAME, scale, SMALL[NAME])
    with torch.no_grad():
        network.tail.weight.zero_()
    picture = np.random.default_rng(3).random((9, 12, 3), dtype=np.float32)
    result = network(torch.from_numpy(picture).permute(2, 0, 1)[None]).detach()[0].permute(1, 2, 0).numpy()
    inner = slice(2 * scale, -2 * scale)  # borders are repeated here, mirrored there
    expected = resize(picture, scale=scale)
    assert np.allclose(result[inner, inner], expected[inner, inner], atol=1e-5)
    assert np.allclose(network(torch.full((1, 3, 4, 5), 0.7)).detach().numpy(), 0.7, atol=1e-6)  # borders too


def test_the_last_layer_moves_luminance_four_times_as_far_as_colour() -> None:
    network = build_network(NAME, 2, SMALL[NAME])
    with torch.no_grad():
        network.tail.weight.zero_()
        network.tail.bias.copy_(torch.eye(3).repeat_interleave(4, 1)[1])  # 1 in the first difference: blue
        result = network(torch.full((1, 3, 4, 4), 0.5))[0, :, 2, 2] - 0.5
    assert torch.allclose(result, torch.tensor([0.0, -0.344136 / 4, 1.772 / 4]), atol=1e-5)
    assert abs(float(result @ torch.tensor([0.299, 0.587, 0.114]))) < 1e-6


def test_an_unknown_skip_is_refused() -> None:
    with pytest.raises(OptionError, match="bicubic"):
        build_network(NAME, 2, {**SMALL[NAME], "skip": "bicubik"})


def test_fused_is_smaller() -> None:
    network = trained(NAME, 2, SMALL[NAME])
    assert sum(p.numel() for p in network.fused().parameters()) < sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    "options",
    [{"features": 0}, {"layers": 2}, {"expansion": -1}, {"channels": 0}, {"dropout": 0.95}],
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


@pytest.mark.parametrize("name", ["reparam", "quality"])
def test_dropout_leaves_channels_out_in_training_alone(name: str) -> None:
    torch.manual_seed(0)
    network = trained(name, 2, {**SMALL[name], "features": 8, "dropout": 0.5})
    batch = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        still, fused = network(batch), network.fused()(batch)
        network.train()
        runs = [network(batch) for _ in range(16)]
    assert torch.allclose(still, fused, atol=1e-5)
    assert len({float(run.sum()) for run in runs}) > 4
    # What is left is scaled up: the mean over many runs is the network.
    assert (torch.stack(runs).mean(0) - still).abs().mean() < 0.5 * torch.stack(runs).sub(still).abs().mean()


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
