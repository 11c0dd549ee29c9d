"""ReparamNet: trained wide, deployed as a plain stack of 3x3 convolutions.

Each hidden layer is trained as a sum of a 3x3 convolution, a 1x1 -> 3x3 -> 1x1 chain that is ``expansion`` times
wider, and the identity.  All three are linear, so they are summed *as kernels* before the convolution runs: a
training step costs one 3x3 convolution per layer, and the deployed network is exactly the trained one.  Leaky ReLU
fuses into int8 convolutions; the nearest-neighbour skip is added before the sub-pixel shuffle.

References:
    X. Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", CVPR 2021.
    K. Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution", MLSys 2022.
    X. Zhang et al., "Edge-oriented Convolution Block for Real-time Super Resolution", ACM MM 2021.
    W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", CVPR 2016.
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.errors import OptionError
from superres.networks.base import Network

__all__ = ["PlainStack", "ReparamConv", "ReparamNet", "as_grey"]


class ReparamConv(nn.Module):
    """A 3x3 convolution (features -> features) whose kernel is a sum of linear branches.

    Args:
        features: channels in and out.
        expansion: width of the 1x1 -> 3x3 -> 1x1 chain over ``features``; 0 leaves the chain out.
    """

    identity: Tensor

    def __init__(self, features: int, expansion: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(features, features, 3, 3))
        self.bias = nn.Parameter(torch.zeros(features))
        nn.init.normal_(self.kernel, std=0.1 / (3 * features**0.5))
        self.register_buffer("identity", torch.zeros(features, features, 3, 3), persistent=False)
        nn.init.dirac_(self.identity)
        self.wide = expansion > 0
        if self.wide:
            width = features * expansion
            self.enter = nn.Parameter(torch.empty(width, features))
            self.middle = nn.Parameter(torch.empty(features, width, 3, 3))
            nn.init.normal_(self.enter, std=1 / features**0.5)
            nn.init.normal_(self.middle, std=0.1 / (3 * width**0.5))

    def merged_kernel(self) -> Tensor:
        """The kernel (features, features, 3, 3) that equals all branches together."""
        kernel = self.kernel + self.identity
        if self.wide:
            kernel = kernel + torch.einsum("omhw,mi->oihw", self.middle, self.enter)
        return kernel

    def forward(self, batch: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape, zero padded."""
        return functional.conv2d(batch, self.merged_kernel(), self.bias, padding=1)


def _bias(convolution: nn.Conv2d) -> Tensor:
    """The bias of a convolution that was made with one."""
    if convolution.bias is None:
        raise OptionError("this convolution has no bias; every convolution here is made with one")
    return convolution.bias


class PlainStack(nn.Module):
    """The deployed form: 3x3 convolutions with leaky ReLU between, a skip, and the sub-pixel shuffle."""

    copies: Tensor

    def __init__(self, scale: int, channels: int, features: int, layers: int, slope: float) -> None:
        super().__init__()
        widths = [channels] + [features] * (layers - 1) + [channels * scale * scale]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(widths))
        self.scale = scale
        self.slope = slope
        # The nearest-neighbour skip as a 1x1 convolution: every runtime has one, and it stays out of the way of int8.
        copies = torch.eye(channels).repeat_interleave(scale * scale, dim=0)[:, :, None, None]
        self.register_buffer("copies", copies, persistent=False)

    def hidden(self) -> list[nn.Conv2d]:
        """Every convolution but the last."""
        return [layer for layer in self.convolutions if isinstance(layer, nn.Conv2d)][:-1]

    def last(self) -> nn.Conv2d:
        """The convolution before the sub-pixel shuffle."""
        return [layer for layer in self.convolutions if isinstance(layer, nn.Conv2d)][-1]

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W)."""
        hidden = batch
        for convolution in self.hidden():
            hidden = functional.leaky_relu(convolution(hidden), self.slope)
        residual = self.last()(hidden)
        return functional.pixel_shuffle(residual + functional.conv2d(batch, self.copies), self.scale)


class ReparamNet(Network):
    """The network of ``standard`` and ``realtime``.

    Args:
        scale: enlargement factor, 1 to 16.
        features: hidden channels.
        layers: 3x3 convolutions in the deployed network, first and last included, at least 3.
        expansion: width of the training-time chain over ``features``; 0 trains the plain stack.
        channels: channels of the picture.
        slope: of the leaky ReLU.

    Raises:
        OptionError: a number out of its range.
    """

    def __init__(
        self,
        scale: int,
        features: int = 48,
        layers: int = 12,
        expansion: int = 2,
        channels: int = 3,
        slope: float = 0.1,
    ) -> None:
        super().__init__()
        if not 1 <= scale <= 16 or features < 1 or layers < 3 or expansion < 0 or channels < 1:
            raise OptionError(
                f"ReparamNet(scale={scale}, features={features}, layers={layers}, expansion={expansion}, "
                f"channels={channels}): expected scale 1-16, features >= 1, layers >= 3, expansion >= 0, channels >= 1"
            )
        self.scale, self.channels, self.halo = scale, channels, layers
        self.features, self.layers, self.slope = features, layers, slope
        self.head = nn.Conv2d(channels, features, 3, padding=1)
        self.body = nn.ModuleList(ReparamConv(features, expansion) for _ in range(layers - 2))
        self.tail = nn.Conv2d(features, channels * scale * scale, 3, padding=1)
        nn.init.normal_(self.tail.weight, std=0.01 / (3 * features**0.5))
        _bias(self.tail).detach().zero_()

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W); the last convolution and the skip run in float32."""
        hidden = functional.leaky_relu(self.head(batch), self.slope)
        for convolution in self.body:
            hidden = functional.leaky_relu(convolution(hidden), self.slope)
        # A bfloat16 output is coarser than 8 bits: the last convolution leaves autocast.
        with torch.autocast(batch.device.type, enabled=False):
            residual = self.tail(hidden.float())
            skip = torch.repeat_interleave(batch.float(), self.scale * self.scale, dim=1)
            return functional.pixel_shuffle(residual + skip, self.scale)

    @torch.no_grad()
    def fused(self) -> PlainStack:
        """The plain stack with the same function; kernels are merged in float64."""
        plain = PlainStack(self.scale, self.channels, self.features, self.layers, self.slope)
        plain.convolutions[0].load_state_dict(self.head.state_dict())
        plain.convolutions[-1].load_state_dict(self.tail.state_dict())
        for target, source in zip(plain.convolutions[1:-1], self._hidden(), strict=True):
            target.load_state_dict({"weight": copy.deepcopy(source).double().merged_kernel(), "bias": source.bias})
        return plain.eval()

    @torch.no_grad()
    def load_fused(self, convolutions: list[tuple[Tensor, Tensor]]) -> None:
        """Start from a deployed network of any scale: the inverse of :meth:`fused`.

        Hidden layers are taken over; the last convolution only when its shape fits.  A network of one channel takes one
        of colours as it answers to three equal channels: the mean of its results.

        Args:
            convolutions: (kernel, bias) of the deployed network's 3x3 convolutions, in order.

        Raises:
            OptionError: another number of layers, or other features.
        """
        if self.channels == 1 and convolutions and convolutions[0][0].shape[1] == 3:
            convolutions = as_grey(convolutions)
        theirs = [tuple(kernel.shape) for kernel, _ in convolutions[:-1]]
        ours = [tuple(self.head.weight.shape)] + [tuple(c.kernel.shape) for c in self._hidden()]
        if theirs != ours:
            raise OptionError(f"warm start: the other network's layers are {theirs}, expected {ours}")
        self.head.weight.copy_(convolutions[0][0])
        _bias(self.head).copy_(convolutions[0][1])
        for target, (kernel, bias) in zip(self._hidden(), convolutions[1:-1], strict=True):
            target.kernel.copy_(kernel - target.identity)
            target.bias.copy_(bias)
            if target.wide:
                target.middle.zero_()  # the chain starts silent; its entrance is random, so it learns at once
        if convolutions[-1][0].shape == self.tail.weight.shape:
            self.tail.weight.copy_(convolutions[-1][0])
            _bias(self.tail).copy_(convolutions[-1][1])

    def _hidden(self) -> list[ReparamConv]:
        return [layer for layer in self.body if isinstance(layer, ReparamConv)]


def as_grey(convolutions: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """A network of three colours as one of a single channel: it is given three times, the results are averaged."""
    (head, offsets), *hidden, (tail, biases) = convolutions
    # Of the last convolution's outputs those of one colour lie together.
    folded = tail.reshape(3, -1, *tail.shape[1:]).mean(0), biases.reshape(3, -1).mean(0)
    return [(head.sum(1, keepdim=True), offsets), *hidden, folded]
