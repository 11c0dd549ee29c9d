from __future__ import annotations

import copy

import pytest
import torch

from superres.errors import OptionError
from superres.networks import build_network
from superres.networks.base import Network
from superres.training.optim import Muon, freeze, make_optimisers, orthogonalise
from superres.training.recipe import OptimiserOptions


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 6, 54), (2, 54, 6), (1, 1, 9)])
def test_singular_values_become_about_one_and_singular_vectors_stay(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.logspace(-1.5, 0, u.shape[-1])
    matrices = 7.0 * (u * values) @ v
    result = orthogonalise(matrices)
    assert result.shape == matrices.shape
    spread = torch.linalg.svd(result).S
    assert float(spread.min()) > 0.6
    assert float(spread.max()) < 1.3
    inner = u.mT @ result @ v.mT
    assert float((inner - torch.diag_embed(inner.diagonal(dim1=1, dim2=2))).abs().max()) < 1e-3


def test_size_of_the_matrix_does_not_matter_and_zero_stays_zero() -> None:
    torch.manual_seed(1)
    matrix = torch.randn(1, 5, 20)
    assert torch.allclose(orthogonalise(matrix), orthogonalise(matrix * 1e4), atol=1e-3)
    assert torch.equal(orthogonalise(torch.zeros(2, 4, 4)), torch.zeros(2, 4, 4))


def _kernel(seed: int, *shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)))


def test_update_has_the_size_that_is_promised() -> None:
    kernel = _kernel(0, 16, 16, 3, 3)
    before = kernel.detach().clone()
    kernel.grad = torch.randn(16, 16, 3, 3) * 1e-5  # the gradient's own size does not count
    Muon([kernel], lr=0.01).step()
    size = float((kernel.detach() - before).square().mean().sqrt())
    assert size == pytest.approx(0.5 * 0.01, rel=0.25)


def test_a_step_goes_downhill() -> None:
    torch.manual_seed(2)
    target, kernel = torch.randn(6, 4, 3, 3), _kernel(3, 6, 4, 3, 3)
    optimiser = Muon([kernel], lr=0.2)
    distances = []
    for _ in range(30):
        loss = (kernel - target).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        distances.append(float(loss.detach()))
    assert distances[-1] < 0.2 * distances[0]


def test_kernels_updated_together_are_updated_as_alone() -> None:
    gradients = [torch.randn(4, 3, 3, 3), torch.randn(4, 3, 3, 3), torch.randn(2, 3, 3, 3)]
    together = [_kernel(i, *g.shape) for i, g in enumerate(gradients)]
    alone = [copy.deepcopy(kernel) for kernel in together]
    for kernels in (together, alone):
        for kernel, gradient in zip(kernels, gradients, strict=True):
            kernel.grad = gradient.clone()
    Muon(together, lr=0.1).step()
    for kernel in alone:
        Muon([kernel], lr=0.1).step()
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_parameter_without_gradient_stays() -> None:
    kernel = _kernel(0, 2, 2, 3, 3)
    before = kernel.detach().clone()
    Muon([kernel], lr=0.1).step()
    assert torch.equal(kernel.detach(), before)


def test_state_survives_saving() -> None:
    gradients = [torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(i)) for i in range(4)]
    kernel = _kernel(9, 4, 3, 3, 3)
    optimiser = Muon([kernel], lr=0.1)
    for step, gradient in enumerate(gradients):
        if step == 2:
            resumed = torch.nn.Parameter(kernel.detach().clone())
            other = Muon([resumed], lr=0.7, momentum=0.1)
            other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
        kernel.grad = gradient.clone()
        optimiser.step()
        if step >= 2:
            resumed.grad = gradient.clone()
            other.step()
    assert torch.equal(kernel, resumed)


def network() -> Network:
    torch.manual_seed(0)
    return build_network("reparam", 2, {"features": 6, "layers": 14, "expansion": 1})


def one_step(net: Network, options: OptimiserOptions) -> list[torch.optim.Optimizer]:
    optimisers = make_optimisers(net, options)
    net(torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(1))).square().mean().backward()
    for optimiser in optimisers:
        optimiser.step()
    return optimisers


@pytest.mark.parametrize("name", ["muon", "adamw", "adam", "sgd"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_every_optimiser_moves_every_parameter_once(name: str, decay: float) -> None:
    net = network()
    before = {key: value.detach().clone() for key, value in net.named_parameters()}
    optimisers = one_step(net, OptimiserOptions(name=name, rate=1e-2, weight_decay=decay))
    held = [p for o in optimisers for group in o.param_groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held}) == len(before)
    assert all(not torch.equal(value, before[key]) for key, value in net.named_parameters())


def test_muon_takes_the_hidden_kernels() -> None:
    net = network()
    muon, adamw = make_optimisers(net, OptimiserOptions())
    names = {id(p): name for name, p in net.named_parameters()}
    hidden = {names[id(p)] for p in muon.param_groups[0]["params"]}
    assert all(name.startswith("body.") and not name.endswith("bias") for name in hidden)
    rest = {names[id(p)] for p in adamw.param_groups[0]["params"]}
    assert {"head.weight", "tail.weight", "body.0.bias"} <= rest


@pytest.mark.parametrize("name", ["muon", "adamw", "adam", "sgd"])
def test_weight_decay_shrinks_kernels_alone(name: str) -> None:
    steps = {}
    for decay in (0.0, 0.5):
        net = network()
        one_step(net, OptimiserOptions(name=name, rate=1e-2, weight_decay=decay))
        steps[decay] = dict(net.named_parameters())
    for key, plain in steps[0.0].items():
        same = torch.equal(plain, steps[0.5][key])
        assert same == (plain.ndim < 2), key


def test_decoupled_decay_of_muon_is_a_share_of_the_weight() -> None:
    kernel = _kernel(0, 4, 3, 3, 3)
    before = kernel.detach().clone()
    kernel.grad = torch.zeros_like(kernel)
    Muon([kernel], lr=0.1, weight_decay=0.5).step()
    assert torch.allclose(kernel, before * 0.95)


def test_frozen_parts_stay_and_are_in_no_optimiser() -> None:
    net = network()
    freeze(net, ["head", "body.1"])
    before = {key: value.detach().clone() for key, value in net.named_parameters()}
    one_step(net, OptimiserOptions(rate=1e-2))
    for key, value in net.named_parameters():
        frozen = key.startswith(("head.", "body.1."))  # body.10 and body.11 are others
        assert torch.equal(value, before[key]) == frozen, key
    assert not net.head.training and not net.body[1].training and net.body[10].training


def test_frozen_batchnorm_keeps_its_statistics() -> None:
    net = build_network("edsr", 2, {"features": 4, "blocks": 2, "normalise": True})
    freeze(net, ["body.0"])
    before = {key: value.clone() for key, value in net.named_buffers() if "running_mean" in key}
    net(torch.rand(2, 3, 6, 6))
    after = {key: value for key, value in net.named_buffers() if "running_mean" in key}
    assert before
    for key, value in after.items():
        assert torch.equal(value, before[key]) == key.startswith("body.0."), key


@pytest.mark.parametrize(
    ("prefixes", "message"),
    [
        (["haed"], r"no parameter begins with 'haed'; did you mean 'head'\?"),
        (["body.99"], "no parameter begins with 'body.99'"),
        (["head", "body", "tail"], "nothing is left to train"),
    ],
)
def test_what_cannot_be_frozen_is_told(prefixes: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        freeze(network(), prefixes)


def test_everything_frozen_but_the_hidden_layers_or_but_the_rest() -> None:
    for prefixes, kind in ((["head", "tail"], Muon), (["body"], torch.optim.AdamW)):
        net = network()
        freeze(net, prefixes)
        kinds = [type(optimiser) for optimiser in make_optimisers(net, OptimiserOptions())]
        assert kind in kinds
