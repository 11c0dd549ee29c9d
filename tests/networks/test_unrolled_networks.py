"""The recurrent and the progressive network: what their steps and levels share, and what is supervised."""

from __future__ import annotations

import torch

from superres.networks import build_network

from .support import trained

RECURRENT = {"features": 6, "units": 1}
PROGRESSIVE = {"features": 6, "layers": 2}


def test_steps_share_their_weights() -> None:
    sizes = {
        sum(p.numel() for p in build_network("recurrent", 2, {**RECURRENT, "steps": steps}).parameters())
        for steps in (1, 3)
    }
    assert len(sizes) == 1


def test_the_first_steps_of_a_longer_run_are_those_of_a_shorter() -> None:
    short = trained("recurrent", 2, {**RECURRENT, "steps": 2})
    long = build_network("recurrent", 2, {**RECURRENT, "steps": 4}).eval()
    long.load_state_dict(short.state_dict())
    batch = torch.rand(1, 3, 7, 7)
    with torch.no_grad():
        outputs, expected = long.supervised(batch), short.supervised(batch)
    assert [scale for scale, _ in outputs] == [2] * 4
    for (_, one), (_, other) in zip(outputs[:2], expected, strict=True):
        assert torch.equal(one, other)
    assert not torch.allclose(outputs[2][1], outputs[1][1], atol=1e-4)  # the state moves on


def test_every_step_of_the_loss_reaches_the_shared_block() -> None:
    network = build_network("recurrent", 2, {**RECURRENT, "steps": 3})
    for step in range(3):
        network.zero_grad()
        network.supervised(torch.rand(1, 3, 6, 6))[step][1].square().sum().backward()
        assert all(float(p.grad.abs().sum()) > 0 for p in network.body.parameters())


def test_levels_double() -> None:
    network = trained("progressive", 16, PROGRESSIVE)
    with torch.no_grad():
        outputs = network.supervised(torch.rand(1, 3, 2, 3))
    assert [(scale, tuple(output.shape[2:])) for scale, output in outputs] == [
        (2, (4, 6)),
        (4, (8, 12)),
        (8, (16, 24)),
        (16, (32, 48)),
    ]


def test_a_trained_x2_is_the_first_level_of_an_x4() -> None:
    small = trained("progressive", 2, PROGRESSIVE)
    large = build_network("progressive", 4, PROGRESSIVE).eval()
    missing, unexpected = large.load_state_dict(small.state_dict(), strict=False)
    assert missing
    assert not unexpected
    batch = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        assert torch.equal(large.supervised(batch)[0][1], small(batch))


def test_shared_levels_are_of_one_size_at_every_scale() -> None:
    two, eight = (build_network("progressive", scale, {**PROGRESSIVE, "shared": True}) for scale in (2, 8))
    eight.load_state_dict(two.state_dict())
