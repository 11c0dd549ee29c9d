"""Losses that compare a result with the truth, one function each: (N, C, H, W) twice -> a scalar.

Reference:
    H. Zhao, O. Gallo, I. Frosio, J. Kautz, "Loss Functions for Image Restoration with Neural Networks", IEEE TCI 3(1),
    2017: L1 against L2.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from superres.errors import OptionError, near_match

__all__ = ["LOSSES", "PixelLoss", "charbonnier", "fourier", "l1", "l2", "load_loss", "temporal"]

#: (result, truth), both float32 (N, C, H, W) about [0, 1] -> scalar.
PixelLoss = Callable[[Tensor, Tensor], Tensor]

#: Name in a recipe's ``[loss]`` -> "module:function", imported only when asked for.
LOSSES: dict[str, str] = {
    "charbonnier": "superres.training.losses:charbonnier",
    "fourier": "superres.training.losses:fourier",
    "l1": "superres.training.losses:l1",
    "l2": "superres.training.losses:l2",
}


def load_loss(name: str) -> PixelLoss:
    """The loss called ``name``.  Raises OptionError with the nearest known name."""
    if name not in LOSSES:
        raise OptionError(f"loss {name!r} is unknown: expected one of {sorted(LOSSES)}{near_match(name, LOSSES)}")
    module, _, attribute = LOSSES[name].partition(":")
    loss: PixelLoss = getattr(importlib.import_module(module), attribute)
    return loss


def l1(result: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error."""
    return functional.l1_loss(result, truth)


def l2(result: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error: what PSNR counts."""
    return functional.mse_loss(result, truth)


def charbonnier(result: Tensor, truth: Tensor) -> Tensor:
    """Mean of ``sqrt(d^2 + 1e-6)``: L1, smooth at zero.

    Reference:
        W.-S. Lai, J.-B. Huang, N. Ahuja, M.-H. Yang, "Deep Laplacian Pyramid Networks for Fast and Accurate
        Super-Resolution", CVPR 2017.
    """
    return torch.sqrt((result - truth) ** 2 + 1e-6).mean()


def fourier(result: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the real and imaginary parts of the Fourier coefficients.

    Reference:
        S.-J. Cho et al., "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", ICCV 2021; used for
        super-resolution by L. Sun et al., "Spatially-Adaptive Feature Modulation for Efficient Image
        Super-Resolution" (SAFMN), ICCV 2023, with weight 0.05.
    """
    # The transform is linear: one of the difference says the same as the difference of two.
    difference: Tensor = torch.fft.rfft2((result - truth).float())
    return torch.view_as_real(difference).abs().mean()


def temporal(result: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the changes from frame to frame; channels are consecutive frames, at least two.

    What flickers in the result and not in the truth costs, where it may cost little in each frame alone.
    """
    return functional.l1_loss(result.diff(dim=1), truth.diff(dim=1))
