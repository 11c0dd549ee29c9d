"""The bicubic reduction as a fixed linear operation on tensors: smaller truths, and consistency with the input."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from superres.resize import axis_resampler

__all__ = ["consistency", "reduce_bicubic"]


def reduce_bicubic(batch: Tensor, factor: int) -> Tensor:
    """MATLAB's antialiased bicubic reduction, in floating point and not rounded.

    Args:
        batch: float32 (N, C, H, W), H and W multiples of ``factor``.
        factor: 1 or more.

    Returns:
        float32 (N, C, H / factor, W / factor); gradients flow through.
    """
    if factor == 1:
        return batch
    # A reduced precision would be coarser than the 8 bits that are compared.
    with torch.autocast(batch.device.type, enabled=False):
        rows = _matrix(batch.shape[2], factor, batch.device)
        columns = _matrix(batch.shape[3], factor, batch.device)
        return rows @ batch.float() @ columns.mT


def consistency(result: Tensor, low: Tensor, scale: int) -> Tensor:
    """Mean absolute error between the result, reduced, and the input that it was made from.

    Args:
        result: float32 (N, C, scale*H, scale*W).
        low: float32 (N, C, H, W).
        scale: enlargement factor.
    """
    return functional.l1_loss(reduce_bicubic(result, scale), low)


@lru_cache(maxsize=16)
def _matrix(length: int, factor: int, device: torch.device) -> Tensor:
    """float32 (length / factor, length)."""
    return torch.from_numpy(axis_resampler(length, length // factor).matrix()).float().to(device)
