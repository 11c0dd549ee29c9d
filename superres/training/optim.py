"""Optimisers: Muon for the kernels of convolutions, AdamW, Adam and SGD.

Reference:
    K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from superres.errors import OptionError, near_match
from superres.networks.base import Network
from superres.training.recipe import OptimiserOptions

__all__ = ["Muon", "freeze", "make_optimisers", "orthogonalise"]

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
    about ``size * lr`` per weight, so a learning rate for AdamW is of the right size here too.

    Args:
        params: kernels with at least 2 dimensions.
        lr: learning rate.
        momentum: of the gradient's moving average (Nesterov).
        weight_decay: share of each weight, times ``lr``, that is taken off it at each step.
        size: of an update, per unit of ``lr``.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        size: float = 0.5,
    ) -> None:
        super().__init__(list(params), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "size": size})

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
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        rows, columns = update.shape[1:]
        scale = group["size"] * max(rows, columns) ** 0.5
        torch._foreach_add_(parameters, list((update * (-group["lr"] * scale)).reshape(gradients.shape).unbind()))


def freeze(network: Network, prefixes: Sequence[str]) -> None:
    """Make parameters stay as they are, and keep their layers in evaluation mode.

    Args:
        network: changed in place.
        prefixes: beginnings of parameter names, whole parts of them: ``body.1`` is not ``body.10``.

    Raises:
        OptionError: a prefix that no parameter has (the nearest is named), or nothing left to train.
    """
    parts = {name.rsplit(".", cut)[0] for name, _ in network.named_parameters() for cut in range(name.count(".") + 1)}
    for prefix in prefixes:
        if prefix not in parts:
            raise OptionError(f"freeze: no parameter begins with {prefix!r}{near_match(prefix, parts)}")
    for name, parameter in network.named_parameters():
        if any(_begins(name, prefix) for prefix in prefixes):
            parameter.requires_grad_(False)
    for name, module in network.named_modules():
        if any(_begins(name, prefix) for prefix in prefixes):
            module.eval()  # BatchNorm keeps its statistics
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise OptionError(f"freeze = {list(prefixes)}: nothing is left to train")


def make_optimisers(network: Network, options: OptimiserOptions) -> list[torch.optim.Optimizer]:
    """The optimisers of a recipe: Muon and AdamW for ``muon``, otherwise one; frozen parameters are left out.

    Muon takes the hidden kernels, those of the network's ``body``.  Weight decay is for kernels alone: offsets and
    slopes have no reason to be small.
    """
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    hidden = [p for name, p in named if name.startswith("body") and p.ndim >= 2]
    rest = [p for name, p in named if not (name.startswith("body") and p.ndim >= 2)]
    rate, decay = options.rate, options.weight_decay
    if options.name == "muon":
        muon = [Muon(hidden, rate, weight_decay=decay, size=options.hidden)] if hidden else []
        return [*muon, torch.optim.AdamW(_groups(rest, decay), rate)] if rest else [*muon]
    groups = _groups([*hidden, *rest], decay)
    if options.name == "adamw":
        return [torch.optim.AdamW(groups, rate)]
    if options.name == "adam":
        return [torch.optim.Adam(groups, rate)]
    return [torch.optim.SGD(groups, rate, momentum=0.9, nesterov=True)]


def _groups(parameters: list[torch.nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """One group when nothing decays, else kernels and the rest."""
    if not decay:
        return [{"params": parameters, "weight_decay": 0.0}]
    kernels, others = ([p for p in parameters if (p.ndim >= 2) == kernel] for kernel in (True, False))
    groups = [{"params": kernels, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _begins(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")
