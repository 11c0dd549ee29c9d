from __future__ import annotations

import copy

import pytest
import torch

from superres.training.adversarial import Adversary, UNetDiscriminator, judge_loss, mislead_loss
from superres.training.device import make_fabric
from superres.training.recipe import AdversarialOptions


@pytest.mark.parametrize("size", [(16, 24), (17, 23), (8, 8)])
def test_every_pixel_is_judged_at_any_size(size: tuple[int, int]) -> None:
    judgement, levels = UNetDiscriminator(3, 4)(torch.rand(2, 3, *size))
    assert judgement.shape == (2, 1, *size)
    assert [level.shape[1] for level in levels] == [4, 8, 16, 32]


def test_hidden_kernels_have_norm_one() -> None:
    torch.manual_seed(0)
    network = UNetDiscriminator(3, 4)
    for _ in range(60):  # each pass is a power iteration
        network(torch.rand(1, 3, 16, 16))
    for layer in [*network.down, *network.up, *network.last]:
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("kind", ["hinge", "bce"])
def test_losses_pull_the_right_way(kind: str) -> None:
    high, low = torch.full((1, 1, 2, 2), 3.0), torch.full((1, 1, 2, 2), -3.0)
    assert float(judge_loss(high, low, kind)) < 0.2 < float(judge_loss(low, high, kind))
    assert float(mislead_loss(high, kind)) < float(mislead_loss(low, kind))
    if kind == "bce":
        loss = torch.nn.BCEWithLogitsLoss()
        expected = loss(high, torch.ones_like(high)) + loss(low, torch.zeros_like(low))
        assert float(judge_loss(high, low, kind)) == pytest.approx(float(expected))


def adversary(**options: object) -> Adversary:
    torch.manual_seed(0)
    return Adversary(AdversarialOptions(features=4, **options), 3, make_fabric("fp32"))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["hinge", "bce"])
def test_it_learns_to_tell_the_two_apart(kind: str) -> None:
    judge = adversary(kind=kind, rate=4e-3)
    torch.manual_seed(1)
    truth, made = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16) * 0.2
    losses = [float(judge.step(made, truth, 1.0)) for _ in range(20)]
    assert losses[-1] < 0.6 * losses[0]


def test_the_network_pays_through_its_result_and_the_judge_stays() -> None:
    judge = adversary(matching=2.0)
    before = [p.detach().clone() for p in judge.network.parameters()]
    made, truth = torch.rand(1, 3, 16, 16, requires_grad=True), torch.rand(1, 3, 16, 16)
    judge.loss(made, truth).backward()
    assert made.grad is not None and float(made.grad.abs().max()) > 0
    assert all(p.grad is None for p in judge.network.parameters())
    assert all(p.requires_grad for p in judge.network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, judge.network.parameters(), strict=True))


def test_matching_vanishes_at_the_truth() -> None:
    truth = torch.rand(1, 3, 16, 16)
    with_matching, without = adversary(matching=5.0), adversary()
    for judge in (with_matching, without):
        judge.network.eval()  # no power iteration between the two passes
    assert with_matching.loss(truth, truth).item() == pytest.approx(without.loss(truth, truth).item(), abs=1e-6)
    other = torch.rand(1, 3, 16, 16)
    assert with_matching.loss(other, truth).item() > without.loss(other, truth).item()


def test_teaching_leaves_the_network_alone_and_state_comes_back() -> None:
    judge, made, truth = adversary(), torch.rand(1, 3, 16, 16, requires_grad=True), torch.rand(1, 3, 16, 16)
    judge.step(made, truth, 0.5)
    assert made.grad is None
    other = adversary()
    other.restore(copy.deepcopy(judge.state()))
    assert float(judge.step(made, truth, 1.0)) == float(other.step(made, truth, 1.0))
    for a, b in zip(judge.network.state_dict().values(), other.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)
