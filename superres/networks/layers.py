"""Layers that several architectures share: the fixed bicubic enlargement, and how convolutions start.

A network that starts near the bicubic enlargement learns what that lacks from the first step on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.networks.base import in_float32
from superres.resize import axis_resampler

__all__ = [
    "Bicubic",
    "bilinear_kernel",
    "carry_first_channel",
    "convolution",
    "convolved",
    "start_identity",
    "start_near_zero",
    "subpixel_kernel",
]

#: Low-resolution pixels on each side that Keys' bicubic kernel reads.
_REACH = 2


class Bicubic(nn.Module):
    """MATLAB's bicubic enlargement as a fixed layer: (N, C, H, W) -> float32 (N, C, scale*H, scale*W).

    A depthwise 5x5 convolution gives the scale^2 sub-pixels of each pixel, a pixel shuffle puts them in place.  The
    borders are mirrored with the edge sample repeated.  Equal to :func:`superres.resize.resize` in float32.

    Args:
        scale: enlargement factor, at least 1.
        channels: C.
    """

    kernel: Tensor

    def __init__(self, scale: int, channels: int) -> None:
        super().__init__()
        self.scale, self.channels = scale, channels
        kernel = subpixel_kernel(scale, "bicubic")[:, None].repeat(channels, 1, 1, 1)
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, batch: Tensor) -> Tensor:
        """Enlarge a batch; runs in float32 always."""
        if self.scale == 1:
            return batch.float()
        with in_float32(batch):
            padded = _mirrored(_mirrored(batch.float(), 2), 3)
            return functional.pixel_shuffle(functional.conv2d(padded, self.kernel, groups=self.channels), self.scale)


def _mirrored(batch: Tensor, axis: int) -> Tensor:
    """Pad an axis of any length by :data:`_REACH` on both sides, edge sample repeated (torch has no such padding)."""
    length = batch.shape[axis]
    index = torch.arange(-_REACH, length + _REACH, device=batch.device)
    index = torch.maximum(index, -1 - index)  # -1 is 0, -2 is 1
    index = torch.minimum(index, 2 * length - 1 - index).clamp(min=0)  # an axis of one sample repeats it
    return torch.index_select(batch, axis, index)


def subpixel_kernel(scale: int, kernel: str) -> Tensor:
    """(scale^2, 5, 5): the weights of the 5x5 pixels around a pixel for each of its sub-pixels, row by row."""
    middle, length = 2 * _REACH, 4 * _REACH + 1  # far enough from the mirrored borders
    matrix = torch.from_numpy(axis_resampler(length, length * scale, kernel).matrix())
    phases = matrix[middle * scale : (middle + 1) * scale, middle - _REACH : middle + _REACH + 1]
    return torch.einsum("ai,bj->abij", phases, phases).flatten(0, 1).float()


def bilinear_kernel(scale: int) -> Tensor:
    """(scale^2, 3, 3): a bilinear enlargement as a 3x3 convolution before a pixel shuffle."""
    return subpixel_kernel(scale, "bilinear")[:, 1:-1, 1:-1]


def convolved(batch: Tensor, kernel: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """A convolution that keeps height and width.

    A dilated one runs in float32: in bfloat16 its kernel's gradient is at times not finite on processors.
    """
    padding = dilation * (kernel.shape[-1] // 2)
    if dilation == 1:
        return functional.conv2d(batch, kernel, bias, padding=padding)
    with in_float32(batch):
        return functional.conv2d(batch.float(), kernel, bias, padding=padding, dilation=dilation)


class _Dilated(nn.Conv2d):
    """A dilated convolution that runs as :func:`convolved` says."""

    def forward(self, batch: Tensor) -> Tensor:
        return convolved(batch, self.weight, self.bias, self.dilation[0])


def convolution(inputs: int, outputs: int, size: int = 3, *, dilation: int = 1, bias: bool = True) -> nn.Conv2d:
    """A convolution of odd ``size`` that keeps height and width; He's start for ReLU, biases 0."""
    kind = _Dilated if dilation > 1 else nn.Conv2d
    layer = kind(inputs, outputs, size, padding=dilation * (size // 2), dilation=dilation, bias=bias)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def start_near_zero(layer: nn.Conv2d | nn.ConvTranspose2d, gain: float = 0.01) -> None:
    """Kernel of noise whose outputs are about ``gain`` times as large as the inputs; bias 0."""
    fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    nn.init.normal_(layer.weight, std=gain / fan_in**0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


@torch.no_grad()
def start_identity(layer: nn.Conv2d, noise: float = 0.1) -> None:
    """Kernel that hands on each channel (those that exist on both sides), plus noise; bias 0."""
    start_near_zero(layer, noise)
    layer.weight.add_(nn.init.dirac_(torch.empty_like(layer.weight)))


@torch.no_grad()
def carry_first_channel(layer: nn.Conv2d, gain: float = 1.0) -> None:
    """Let output channel 0 be ``gain`` times input channel 0; the other channels stay as they are."""
    layer.weight[0].zero_()
    layer.weight[0, 0, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = gain
