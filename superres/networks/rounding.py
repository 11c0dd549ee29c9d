"""Rounding a convolution's weights so that its sums change least, not the weights themselves.

Each weight that is rounded leaves an error in the sums, which those not yet rounded can mostly take back, since
neighbouring inputs are alike.  One pass over the weights of a layer, in closed form; no training.

References:
    E. Frantar and D. Alistarh, "Optimal Brain Compression", NeurIPS 2022.
    E. Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", ICLR 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["columns_of", "rounded"]

# Of the mean square of an input: what the sample never shows may not be used to take errors back.
_RIDGE = 1e-3


def columns_of(batch: Tensor) -> Tensor:
    """What a 3x3 kernel sees inside the pictures (N, C, H, W): (N * (H - 2) * (W - 2), 9 * C)."""
    columns = functional.unfold(batch, 3)
    return columns.transpose(1, 2).reshape(-1, columns.shape[1])


def rounded(kernel: Tensor, steps: Tensor, largest: int, columns: Tensor) -> Tensor:
    """A kernel whose weights are whole multiples of their channel's step, chosen for the sums' sake.

    Args:
        kernel: (out, in, 3, 3).
        steps: (out,), above 0.
        largest: multiples are -largest .. largest.
        columns: inputs, see :func:`columns_of`.
    """
    squares = _squares(columns)
    # Inputs that count most are rounded first: the others take back what those leave.
    order = squares.diagonal().argsort(descending=True)
    spread = torch.linalg.cholesky(torch.linalg.inv(squares[order][:, order]), upper=True)
    weights, units = kernel.flatten(1)[:, order].double(), steps.double()
    for at in range(weights.shape[1]):
        exact = weights[:, at].clone()
        weights[:, at] = (exact / units).round().clamp(-largest, largest) * units
        weights[:, at + 1 :] -= ((exact - weights[:, at]) / spread[at, at])[:, None] * spread[at, at + 1 :]
    result = torch.empty_like(weights)
    result[:, order] = weights
    return result.float().reshape(kernel.shape)


def _squares(columns: Tensor) -> Tensor:
    """Mean products of the inputs of a sum, (inputs, inputs) float64, with a ridge."""
    squares = (columns.T @ columns).double() / len(columns)
    squares.diagonal().add_(_RIDGE * squares.diagonal().mean() + 1e-12)
    return squares
