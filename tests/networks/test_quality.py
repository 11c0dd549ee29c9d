"""What is particular to QualityNet: it starts as the network that it was grown from."""

from __future__ import annotations

import pytest
import torch

from superres.errors import OptionError
from superres.networks import build_network
from superres.networks.base import Network

from .support import deployed_pairs, trained

SIZE = {"features": 6, "layers": 4}


def grown(theirs: Network, blocks: int, scale: int = 2) -> Network:
    """A network of ``blocks`` that starts from the deployed form of ``theirs``."""
    ours = build_network("quality", scale, {**SIZE, "blocks": blocks})
    ours.load_fused(deployed_pairs(theirs.fused()))
    return ours


@pytest.mark.parametrize("blocks", [1, 2])
def test_it_starts_as_the_network_without_blocks(blocks: int) -> None:
    theirs = trained("reparam", 2, {**SIZE, "expansion": 1})
    ours, batch = grown(theirs, blocks), torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        change = ours(batch) - theirs(batch)
        assert 0 < change.abs().mean() < 0.1 * theirs(batch).abs().mean()
        for unit in ours.body:
            for block in unit[1:]:
                block.second.weight.zero_()
        assert torch.allclose(ours(batch), theirs(batch), atol=1e-5)


@pytest.mark.parametrize(("before", "after"), [(1, 1), (1, 3), (2, 3)])
def test_blocks_are_taken_over_in_their_places(before: int, after: int) -> None:
    theirs = trained("quality", 2, {**SIZE, "blocks": before})
    ours, batch = grown(theirs, after), torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        for unit in ours.body:
            for block in unit[1 + before :]:
                block.second.weight.zero_()
        assert torch.allclose(ours(batch), theirs(batch), atol=1e-5)


def test_another_scale_keeps_all_but_the_last_layer() -> None:
    theirs = trained("quality", 2, SIZE)
    ours = grown(theirs, 1, scale=3)
    for one, other in zip(ours.fused().convolutions[:-1], theirs.fused().convolutions[:-1], strict=True):
        assert torch.allclose(one.weight, other.weight, atol=1e-6)
        assert torch.equal(one.bias, other.bias)


def test_more_blocks_or_other_layers_are_refused() -> None:
    with pytest.raises(OptionError, match="12 layers, expected 2 and 2 times 1 to 3"):
        grown(trained("quality", 2, {**SIZE, "blocks": 2}), 1)
    with pytest.raises(OptionError, match="5 layers, expected 2 and 2 times 1 to 3"):
        grown(trained("reparam", 2, {**SIZE, "layers": 5, "expansion": 0}), 1)
    with pytest.raises(OptionError, match="layers are"):
        grown(trained("reparam", 2, {**SIZE, "features": 5, "expansion": 0}), 1)


@pytest.mark.parametrize("blocks", [0, 65])
def test_a_number_of_blocks_out_of_range_is_refused(blocks: int) -> None:
    with pytest.raises(OptionError, match=f"blocks = {blocks}, expected 1 to 64"):
        build_network("quality", 2, {**SIZE, "blocks": blocks})
