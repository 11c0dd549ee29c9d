from __future__ import annotations

import copy

import pytest
import torch

from superres.training.optim import Muon, orthogonalise


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
    assert size == pytest.approx(0.2 * 0.01, rel=0.25)


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
