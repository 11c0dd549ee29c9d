"""ReparamNet: trained wide, deployed as a plain stack of 3x3 convolutions.

Each hidden layer is trained as a sum of a 3x3 convolution, a 1x1 -> 3x3 -> 1x1 chain that is ``expansion`` times
wider, and the identity.  All three are linear, so they are summed *as kernels* before the convolution runs: a
training step costs one 3x3 convolution per layer, and the deployed network is exactly the trained one.  Leaky ReLU
fuses into int8 convolutions; the skip, a fixed bicubic enlargement, is added before the sub-pixel shuffle.

References:
    X. Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", CVPR 2021.
    K. Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution", MLSys 2022.
    X. Zhang et al., "Edge-oriented Convolution Block for Real-time Super Resolution", ACM MM 2021.
    W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", CVPR 2016.
"""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.errors import OptionError
from superres.networks.base import Network, check_choice, check_range, in_float32
from superres.networks.layers import subpixel_kernel

__all__ = ["SKIPS", "ConvolutionStack", "Link", "ReparamConv", "ReparamNet", "Skip", "as_grey", "bias_of"]

#: What the network's answer is added to: each pixel repeated, or MATLAB's bicubic enlargement.
SKIPS = ("bicubic", "nearest")

#: How far a unit of each colour difference moves the result, beside a unit of luminance.  Photographs teach little
#: about colour at the scale of a pixel: at full strength what these outputs learn is mostly noise.
_COLOUR = 0.25


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


def bias_of(convolution: nn.Conv2d) -> Tensor:
    """The bias of a convolution that was made with one."""
    if convolution.bias is None:
        raise OptionError("this convolution has no bias; every convolution here is made with one")
    return convolution.bias


class Skip(nn.Module):
    """A fixed enlargement before the sub-pixel shuffle: (N, C, H, W) -> (N, scale^2*C, H, W); borders are repeated.

    Args:
        scale: enlargement factor.
        channels: C.
        kind: one of :data:`SKIPS`.

    Raises:
        OptionError: another kind.
    """

    kernel: Tensor

    def __init__(self, scale: int, channels: int, kind: str) -> None:
        super().__init__()
        check_choice("ReparamNet", "skip", kind, SKIPS)
        bicubic = kind == "bicubic" and scale > 1
        kernel = subpixel_kernel(scale, kind) if bicubic else torch.ones(scale * scale, 1, 1)
        self.kind, self.channels, self.reach = kind, channels, kernel.shape[-1] // 2
        self.register_buffer("kernel", kernel[:, None].repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, batch: Tensor) -> Tensor:
        """The sub-pixels of each pixel, channel by channel, row by row."""
        if self.reach:
            batch = functional.pad(batch, [self.reach] * 4, mode="replicate")
        return functional.conv2d(batch, self.kernel, groups=self.channels)


class Link(NamedTuple):
    """One hidden layer of a :class:`ConvolutionStack`.

    Attributes:
        convolution: 3x3.
        closes: it ends a residual block: the features of two layers before are added to what it gives.  A leaky ReLU
            follows any other.
    """

    convolution: nn.Conv2d
    closes: bool

    def handed_on(self, sums: Tensor, before: Tensor, slope: float) -> Tensor:
        """What becomes of the convolution's sums; ``before`` are the features of two layers before."""
        return sums + before if self.closes else functional.leaky_relu(sums, slope)


class ConvolutionStack(nn.Module):
    """The deployed form: 3x3 convolutions with leaky ReLU between, a skip, and the sub-pixel shuffle.

    Args:
        scale: enlargement factor.
        channels: of the picture.
        features: hidden channels.
        layers: convolutions outside of residual blocks, first and last included.
        slope: of the leaky ReLU.
        skip: one of :data:`SKIPS`.
        blocks: residual blocks, of two convolutions each, after each of these layers but the first and the last.
    """

    def __init__(
        self, scale: int, channels: int, features: int, layers: int, slope: float, skip: str, blocks: int = 0
    ) -> None:
        super().__init__()
        hidden = 1 + (layers - 2) * (1 + 2 * blocks)
        widths = [channels] + [features] * hidden + [channels * scale * scale]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(widths))
        self.scale = scale
        self.slope = slope
        self.blocks = blocks
        self.skip = Skip(scale, channels, skip)

    def hidden(self) -> list[Link]:
        """Every layer but the last."""
        links = []
        for index, layer in enumerate(self.convolutions[:-1]):
            place = (index - 1) % (1 + 2 * self.blocks)  # 0 outside of blocks, then 1 and 2, 3 and 4 ...
            if isinstance(layer, nn.Conv2d):
                links.append(Link(layer, index > 0 and place > 0 and place % 2 == 0))
        return links

    def last(self) -> nn.Conv2d:
        """The convolution before the sub-pixel shuffle."""
        return [layer for layer in self.convolutions if isinstance(layer, nn.Conv2d)][-1]

    def features(self, batch: Tensor) -> Iterator[Tensor]:
        """What each hidden layer hands on, one after the other."""
        before, given = batch, batch
        for link in self.hidden():
            before, given = given, link.handed_on(link.convolution(given), before, self.slope)
            yield given

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W)."""
        hidden = deque(self.features(batch), maxlen=1).pop()
        return functional.pixel_shuffle(self.last()(hidden) + self.skip(batch), self.scale)


class ReparamNet(Network):
    """The network of ``standard``, ``realtime`` and ``restore``.

    Args:
        scale: enlargement factor, 1 to 16.
        features: hidden channels.
        layers: 3x3 convolutions in the deployed network, first and last included, at least 3.
        expansion: width of the training-time chain over ``features``; 0 for none.
        channels: channels of the picture.
        slope: of the leaky ReLU.
        skip: what the convolutions' answer is added to, one of :data:`SKIPS`.
        dropout: share of the channels before the last convolution that are left out in training, 0 to 0.9 (Kong et al.,
            "Reflash Dropout in Image Super-Resolution", CVPR 2022).

    Raises:
        OptionError: a number out of its range, or an unknown skip.
    """

    #: Residual blocks after each of the layers, in the deployed form.
    blocks = 0

    colours: Tensor

    def __init__(
        self,
        scale: int,
        features: int = 48,
        layers: int = 12,
        expansion: int = 2,
        channels: int = 3,
        slope: float = 0.1,
        skip: str = "bicubic",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_range(type(self).__name__, "dropout", dropout, 0, 0.9)
        if not 1 <= scale <= 16 or features < 1 or layers < 3 or expansion < 0 or channels < 1:
            raise OptionError(
                f"ReparamNet(scale={scale}, features={features}, layers={layers}, expansion={expansion}, "
                f"channels={channels}): expected scale 1-16, features >= 1, layers >= 3, expansion >= 0, channels >= 1"
            )
        self.scale, self.channels, self.halo = scale, channels, layers
        self.features, self.layers, self.slope, self.dropout = features, layers, slope, dropout
        self.head = nn.Conv2d(channels, features, 3, padding=1)
        self.body = nn.ModuleList(ReparamConv(features, expansion) for _ in range(layers - 2))
        self.tail = nn.Conv2d(features, channels * scale * scale, 3, padding=1)
        nn.init.normal_(self.tail.weight, std=0.01 / (3 * features**0.5))
        bias_of(self.tail).detach().zero_()
        self.skip = Skip(scale, channels, skip)
        self.register_buffer("colours", _colours(channels), persistent=False)

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W); the last convolution and the skip run in float32."""
        hidden = functional.leaky_relu(self.head(batch), self.slope)
        for convolution in self.body:
            hidden = functional.leaky_relu(convolution(hidden), self.slope)
        return self._answer(hidden, batch)

    def _answer(self, hidden: Tensor, batch: Tensor) -> Tensor:
        """The last convolution and the skip, from the last features and the input."""
        hidden = functional.dropout2d(hidden, self.dropout, self.training)
        # A bfloat16 output is coarser than 8 bits: the last convolution leaves autocast.
        with in_float32(batch):
            residual = functional.conv2d(hidden.float(), *self._last(self.colours), padding=1)
            return functional.pixel_shuffle(residual + self.skip(batch.float()), self.scale)

    def _last(self, colours: Tensor) -> tuple[Tensor, Tensor]:
        """Kernel and bias of the last convolution, its channels turned by the matrix ``colours``."""
        return _turned(colours, self.tail.weight), _turned(colours, bias_of(self.tail))

    @torch.no_grad()
    def fused(self) -> ConvolutionStack:
        """The deployed form with the same function; kernels are merged in float64."""
        plain = ConvolutionStack(
            self.scale, self.channels, self.features, self.layers, self.slope, self.skip.kind, self.blocks
        )
        pairs = [(self.head.weight, bias_of(self.head)), *self._inner(), self._last(self.colours)]
        for target, (kernel, bias) in zip(plain.convolutions, pairs, strict=True):
            target.load_state_dict({"weight": kernel, "bias": bias})
        return plain.eval()

    @torch.no_grad()
    def load_fused(self, convolutions: list[tuple[Tensor, Tensor]]) -> None:
        """Start from a deployed network of any scale: the inverse of :meth:`fused`.

        Hidden layers are taken over; the last convolution only when its shape fits and the skip is of the same kind.  A
        network of one channel takes one of colours as it answers to three equal channels: the mean of its results.

        Args:
            convolutions: (kernel, bias) of the deployed network's convolutions, in order; the one that is not 3x3 is
                its skip.

        Raises:
            OptionError: another number of layers, or other features.
        """
        skips = [kernel.shape[-1] for kernel, _ in convolutions if kernel.shape[-1] != 3]
        convolutions = [(kernel, bias) for kernel, bias in convolutions if kernel.shape[-1] == 3]
        if self.channels == 1 and convolutions and convolutions[0][0].shape[1] == 3:
            convolutions = as_grey(convolutions)
        theirs = [tuple(kernel.shape) for kernel, _ in convolutions[:-1]]
        ours = [tuple(self.head.weight.shape)] + [tuple(c.kernel.shape) for c in self._hidden()]
        if theirs != ours:
            raise OptionError(f"warm start: the other network's layers are {theirs}, expected {ours}")
        self.head.weight.copy_(convolutions[0][0])
        bias_of(self.head).copy_(convolutions[0][1])
        for target, (kernel, bias) in zip(self._hidden(), convolutions[1:-1], strict=True):
            target.kernel.copy_(kernel - target.identity)
            target.bias.copy_(bias)
            if target.wide:
                target.middle.zero_()  # the chain starts silent; its entrance is random, so it learns at once
        kernel, bias = convolutions[-1]
        if kernel.shape == self.tail.weight.shape and skips == [self.skip.kernel.shape[-1]]:
            back = torch.linalg.inv(self.colours)
            self.tail.weight.copy_(_turned(back, kernel))
            bias_of(self.tail).copy_(_turned(back, bias))

    def _hidden(self) -> list[ReparamConv]:
        return [layer for layer in self.body if isinstance(layer, ReparamConv)]

    def _inner(self) -> list[tuple[Tensor, Tensor]]:
        """Kernel and bias of every deployed convolution but the first and the last."""
        return [(copy.deepcopy(layer).double().merged_kernel(), layer.bias) for layer in self._hidden()]


def _colours(channels: int) -> Tensor:
    """(channels, channels): from what the last convolution answers in to the channels of a picture.

    Colours are answered in as luminance and two differences (ITU-R BT.601), the differences made small.
    """
    if channels != 3:
        return torch.eye(channels)
    blue, red = 1.772 * _COLOUR, 1.402 * _COLOUR
    return torch.tensor([[1, 0, red], [1, -0.194208 * blue, -0.509370 * red], [1, blue, 0]])


def _turned(matrix: Tensor, values: Tensor) -> Tensor:
    """The matrix applied to the colours along the first axis, which holds all sub-pixels of one, then of the next."""
    apart = values.reshape(len(matrix), -1)
    return (matrix @ apart).reshape(values.shape)


def as_grey(convolutions: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """A network of three colours as one of a single channel: it is given three times, the results are averaged."""
    (head, offsets), *hidden, (tail, biases) = convolutions
    # Of the last convolution's outputs those of one colour lie together.
    folded = tail.reshape(3, -1, *tail.shape[1:]).mean(0), biases.reshape(3, -1).mean(0)
    return [(head.sum(1, keepdim=True), offsets), *hidden, folded]
