"""A recurrent network for video: plain 3x3 convolutions over three frames and what the frame before left behind.

(previous, present, next frame; state) -> head -> features -> a body of 3x3 convolutions with leaky ReLU -> tail, whose
result is added to the present frame's pixels, repeated, before the sub-pixel shuffle.  The state is the body's features
and the last result's difference from its frame, folded to low resolution: what earlier frames showed is at hand without
any motion being estimated, so small motion is what it serves.  The state is limited to +-:data:`LIMIT`, so that no
clip, however long, can drive it away.

References:
    M. S. M. Sajjadi, R. Vemulapalli, M. Brown, "Frame-Recurrent Video Super-Resolution" (FRVSR), CVPR 2018: the last
    result, folded by space-to-depth, beside the present frame.
    T. Isobe, X. Jia, S. Gu, S. Li, S. Wang, Q. Tian, "Video Super-Resolution with Recurrent Structure-Detail Network"
    and "Revisiting Temporal Modeling for Video Super-Resolution" (RRN), ECCV and BMVC 2020: a hidden state instead of
    motion.
    X. Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", CVPR 2021: layers that start as the identity.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.errors import OptionError
from superres.networks.base import check_range, in_float32
from superres.networks.layers import start_near_zero
from superres.networks.reparam import ReparamConv, Skip, as_grey
from superres.networks.temporal import NEIGHBOURS, TemporalNetwork

__all__ = ["LIMIT", "RecurrentVideo"]

#: Largest magnitude in the state; what training makes of it stays well within.
LIMIT = 4.0


class _Step(nn.Module):
    """The deployed form: plain convolutions; see :class:`superres.networks.temporal.TemporalNetwork`."""

    def __init__(self, scale: int, features: int, layers: int, slope: float, skip: str) -> None:
        super().__init__()
        self.scale, self.features, self.slope = scale, features, slope
        widths = [NEIGHBOURS + features + scale * scale] + [features] * (layers - 1)
        self.body = nn.ModuleList(nn.Conv2d(a, features, 3, padding=1) for a in widths[:-1])
        self.tail = nn.Conv2d(features, scale * scale, 3, padding=1)
        self.skip = Skip(scale, 1, skip)

    def forward(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.cat([frames, state], dim=1)
        for convolution in self.body:
            hidden = functional.leaky_relu(convolution(hidden), self.slope)
        residual = self.tail(hidden)
        large = functional.pixel_shuffle(residual + self.skip(frames[:, 1:2]), self.scale)
        return large, torch.cat([hidden, residual], dim=1).clamp(-LIMIT, LIMIT)


class RecurrentVideo(TemporalNetwork):
    """The network of ``video``; 233,380 parameters at scale 2 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16.
        features: channels of the hidden layers.
        layers: 3x3 convolutions of a step, first and last included.
        slope: of the leaky ReLU.
        skip: what the convolutions' answer is added to, one of :data:`superres.networks.reparam.SKIPS`.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self, scale: int, features: int = 48, layers: int = 12, slope: float = 0.1, skip: str = "bicubic"
    ) -> None:
        super().__init__()
        self.check_scale(scale)
        check_range("RecurrentVideo", "features", features, 1, 1024)
        check_range("RecurrentVideo", "layers", layers, 3, 256)
        check_range("RecurrentVideo", "slope", slope, 0, 1)
        self.scale, self.features, self.layers, self.slope = scale, features, layers, slope
        self.halo, self.state_channels = layers, features + scale * scale
        self.head = nn.Conv2d(NEIGHBOURS + self.state_channels, features, 3, padding=1)
        self.body = nn.ModuleList(ReparamConv(features, 0) for _ in range(layers - 2))
        self.tail = nn.Conv2d(features, scale * scale, 3, padding=1)
        start_near_zero(self.tail)
        self.skip = Skip(scale, 1, skip)

    def step(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`superres.networks.temporal.TemporalNetwork.step`; the tail and the skip run in float32."""
        hidden = functional.leaky_relu(self.head(torch.cat([frames, state], dim=1)), self.slope)
        for convolution in self.body:
            hidden = functional.leaky_relu(convolution(hidden), self.slope)
        with in_float32(frames):
            hidden = hidden.float()
            residual = self.tail(hidden)
            large = functional.pixel_shuffle(residual + self.skip(frames[:, 1:2].float()), self.scale)
            return large, torch.cat([hidden, residual], dim=1).clamp(-LIMIT, LIMIT)

    @torch.no_grad()
    def fused(self) -> nn.Module:
        """One step of plain convolutions with the same function; kernels are merged in float64."""
        plain = _Step(self.scale, self.features, self.layers, self.slope, self.skip.kind)
        plain.body[0].load_state_dict(self.head.state_dict())
        plain.tail.load_state_dict(self.tail.state_dict())
        for target, layer in zip(plain.body[1:], self.body, strict=True):
            source = cast(ReparamConv, layer)
            kernel = copy.deepcopy(source).double().merged_kernel()
            target.load_state_dict({"weight": kernel, "bias": source.bias})
        return plain.eval()

    @torch.no_grad()
    def load_fused(self, convolutions: list[tuple[Tensor, Tensor]]) -> None:
        """Start from a deployed step of any scale, or from a plain stack for pictures of as many layers.

        Hidden layers are taken over, the tail where its shape and the kind of skip fit.  The head of a step of another
        scale has other channels for the last result alone: the others are taken over.  A network of pictures becomes
        one of video that looks at the present frame alone, and learns from there.

        Args:
            convolutions: (kernel, bias) of the deployed convolutions, in order; the one that is not 3x3 is its skip.

        Raises:
            OptionError: another number of layers, or other features.
        """
        skips = [kernel.shape[-1] for kernel, _ in convolutions if kernel.shape[-1] != 3]
        convolutions = [(kernel, bias) for kernel, bias in convolutions if kernel.shape[-1] == 3]
        theirs = [(len(kernel), kernel.shape[1]) for kernel, _ in convolutions]
        inner = [(self.features, self.features)] * (self.layers - 2)
        if len(theirs) != self.layers or theirs[1:-1] != inner:
            raise OptionError(f"warm start: the other network's layers are {theirs}, expected {inner} between two")
        if theirs[0][1] == 3:
            convolutions = as_grey(convolutions)
        kernel, bias = convolutions[0]
        if kernel.shape[1] == 1:
            self.head.weight.zero_()
            self.head.weight[:, 1:2].copy_(kernel)
        else:
            shared = kernel.shape[1] if kernel.shape == self.head.weight.shape else NEIGHBOURS + self.features
            self.head.weight[:, :shared].copy_(kernel[:, :shared])
        _copy(self.head.bias, bias)
        for layer, (kernel, bias) in zip(self.body, convolutions[1:-1], strict=True):
            target = cast(ReparamConv, layer)
            target.kernel.copy_(kernel - target.identity)
            target.bias.copy_(bias)
        kernel, bias = convolutions[-1]
        if kernel.shape == self.tail.weight.shape and skips == [self.skip.kernel.shape[-1]]:
            self.tail.weight.copy_(kernel)
            _copy(self.tail.bias, bias)


def _copy(target: Tensor | None, source: Tensor) -> None:
    if target is None:
        raise OptionError("this convolution has no bias; every convolution here is made with one")
    target.copy_(source)
