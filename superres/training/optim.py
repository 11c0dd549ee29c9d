"""Optimisers: AdamW, and Muon for the kernels of convolutions.

Reference:
    K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Muon", "orthogonalise"]

# Quintic Newton-Schulz coefficients of the reference: steepest at zero, singular values end within 0.7 .. 1.2.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Replace the singular values of each matrix by about 1 (Newton-Schulz iteration).

    Args:
        matrices: float32 (K, rows, columns).
        steps: iterations; 5 brings singular values above 0.01 of the largest to between 0.7 and 1.2.

    Returns:
        float32, the same shape.
    """
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    x: Tensor = wide / (torch.linalg.vector_norm(wide, dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    result: Tensor = x if matrices.shape[1] <= matrices.shape[2] else x.mT
    return result


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised per kernel.

    A kernel (out, in, kh, kw) is treated as the matrix (out, in*kh*kw).  Each update has a root mean square of
    about ``0.2 * lr`` per weight, so a learning rate for AdamW is of the right size here too.

    Args:
        params: kernels with at least 2 dimensions.
        lr: learning rate.
        momentum: of the gradient's moving average (Nesterov).
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(list(params), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update.  ``closure`` is not used."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(tuple(parameter.shape), []).append(parameter)
            for parameters in by_shape.values():
                self._update(parameters, group)

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update parameters of one shape together: one batched iteration."""
        momentum = group["momentum"]
        gradients = torch.stack([p.grad for p in parameters])  # type: ignore[misc]
        for parameter in parameters:
            if "average" not in self.state[parameter]:
                self.state[parameter]["average"] = torch.zeros_like(parameter)
        averages = [self.state[p]["average"] for p in parameters]
        torch._foreach_lerp_(averages, list(gradients.unbind()), 1 - momentum)
        direction = gradients.lerp(torch.stack(averages), momentum).flatten(2)
        update = orthogonalise(direction)
        rows, columns = update.shape[1:]
        scale = 0.2 * max(rows, columns) ** 0.5
        torch._foreach_add_(parameters, list((update * (-group["lr"] * scale)).reshape(gradients.shape).unbind()))
