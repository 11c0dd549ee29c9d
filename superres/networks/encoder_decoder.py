"""Encoder-decoder with symmetric skip connections (a convolutional autoencoder; RED-Net), and its plain variant.

(N, C, H, W) -> encoder: per level a 3x3 convolution, LeakyReLU 0.2, BatchNorm, then down by a convolution or a
maximum -> bottom -> decoder: per level up by a convolution, the encoder's features of that level added, a 3x3
convolution -> sub-pixel tail -> plus the bicubic enlargement -> (N, C, s*H, s*W).

*Down* and *up* are a trous: instead of halving the rows and columns, the layers of the next level are dilated twice
as much.  Each pixel gets what the network with strides would compute if its grid began at that pixel, so the result
does not depend on where a tile begins, and odd sizes need no special care.

The plain variant is convolution, LeakyReLU 0.2, BatchNorm, nearest-neighbour enlargement, convolution; no skips.

Each BatchNorm is merged into the convolution after it: in training too, where only the statistics are measured.  A
convolution's zero padding therefore lies before the normalisation, which makes the deployed network the trained one
up to the borders.

References:
    X.-J. Mao, C. Shen, Y.-B. Yang, "Image Restoration Using Very Deep Convolutional Encoder-Decoder Networks with
    Symmetric Skip Connections", NeurIPS 2016.
    S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
    Shift", ICML 2015.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.networks.base import Network, check_choice, check_range, in_float32
from superres.networks.layers import Bicubic, convolution, convolved, start_near_zero
from superres.networks.receptive import Reach

__all__ = ["EncoderDecoder", "NormalisedConv"]

_SLOPE = 0.2


class NormalisedConv(nn.Module):
    """BatchNorm and a 3x3 convolution in one: (N, C, H, W) -> (N, outputs, H, W), zero padded before the BatchNorm.

    Args:
        inputs: channels in.
        outputs: channels out.
        dilation: of the convolution.
    """

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)  # holds the weights and statistics, is never run itself
        self.conv = convolution(inputs, outputs, dilation=dilation)

    def forward(self, batch: Tensor) -> Tensor:
        """Normalise by the batch's statistics in training, by the kept ones in evaluation; convolve."""
        kernel, bias = self.merged(*(self._measured(batch) if self.training else self._kept()))
        return convolved(batch, kernel, bias, self.conv.dilation[0])

    def merged(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Kernel and bias of the one convolution that equals normalisation and convolution."""
        factor = self.norm.weight * torch.rsqrt(variance + self.norm.eps)
        offset = self.norm.bias - mean * factor
        bias = (self.conv.weight.sum(dim=(2, 3)) * offset).sum(dim=1)
        return self.conv.weight * factor[:, None, None], bias if self.conv.bias is None else self.conv.bias + bias

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """The plain convolution with the same function in evaluation, merged in float64."""
        exact = copy.deepcopy(self).double()
        kernel, bias = exact.merged(*exact._kept())
        plain = copy.deepcopy(self.conv)
        plain.load_state_dict({"weight": kernel, "bias": bias})
        return plain

    def _kept(self) -> tuple[Tensor, Tensor]:
        mean, variance = self.norm.running_mean, self.norm.running_var
        if mean is None or variance is None:
            raise RuntimeError("a BatchNorm that keeps its statistics has lost them")
        return mean, variance

    def _measured(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the batch; the kept statistics move towards them."""
        variance, mean = torch.var_mean(batch.float(), dim=(0, 2, 3), correction=0)
        count = batch.numel() // batch.shape[1]
        momentum = 0.1 if self.norm.momentum is None else self.norm.momentum
        with torch.no_grad():
            kept_mean, kept_variance = self._kept()
            kept_mean.lerp_(mean, momentum)
            kept_variance.lerp_(variance * (count / max(1, count - 1)), momentum)
        return mean, variance


class _Maximum(nn.Module):
    """The largest of the 3x3 pixels that lie ``dilation`` apart: (N, F, H, W) -> the same shape."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation

    def forward(self, batch: Tensor) -> Tensor:
        # Padded apart: the pooling itself pads by less than its dilation only.
        padded = functional.pad(batch, [self.dilation] * 4, value=float("-inf"))
        return functional.max_pool2d(padded, 3, stride=1, dilation=self.dilation)


class _Level(nn.Module):
    """One level of encoder and decoder around what lies below it: (N, F, H, W) -> the same shape."""

    def __init__(self, features: int, dilation: int, down: str, normalise: bool, below: nn.Module) -> None:
        super().__init__()
        self.encode = _hidden(features, dilation, normalise)
        self.down = (
            _Maximum(dilation)
            if down == "maximum"
            else nn.Sequential(_hidden(features, dilation, normalise), nn.LeakyReLU(_SLOPE))
        )
        self.below = below
        self.up = _hidden(features, dilation, normalise)
        self.decode = _hidden(features, dilation, normalise)

    def forward(self, batch: Tensor) -> Tensor:
        kept = functional.leaky_relu(self.encode(batch), _SLOPE)
        deep = self.below(self.down(kept))
        joined = functional.leaky_relu(self.up(deep), _SLOPE) + kept
        return functional.leaky_relu(self.decode(joined), _SLOPE)


def _hidden(features: int, dilation: int, normalise: bool) -> nn.Module:
    if normalise:
        return NormalisedConv(features, features, dilation)
    return convolution(features, features, dilation=dilation)


class EncoderDecoder(Network):
    """Encoder-decoder; 361,840 parameters at scale 4 with the defaults, deployed.

    Args:
        scale: enlargement factor, 1 to 16.
        features: channels of every hidden layer.
        levels: times that the encoder goes down.
        down: ``convolution`` or ``maximum``: how.
        normalise: BatchNorm before every convolution but the first.
        plain: the variant without encoder and skips; ``levels`` and ``down`` do not matter then.
        channels: channels of the picture.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        levels: int = 2,
        down: str = "convolution",
        normalise: bool = True,
        plain: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.check_scale(scale)
        for name, value, high in (("features", features, 1024), ("levels", levels, 5), ("channels", channels, 64)):
            check_range("EncoderDecoder", name, value, 1, high)
        check_choice("EncoderDecoder", "down", down, ("convolution", "maximum"))
        self.scale, self.channels, self.plain = scale, channels, plain
        self.head = convolution(channels, features)
        self.body: nn.Module = nn.Identity()
        if not plain:
            self.body = nn.Sequential(_hidden(features, 2**levels, normalise), nn.LeakyReLU(_SLOPE))
            for level in reversed(range(levels)):
                self.body = _Level(features, 2**level, down, normalise, self.body)
            self.bicubic = Bicubic(scale, channels)
        outputs = channels if plain else channels * scale * scale
        self.tail: nn.Module = NormalisedConv(features, outputs) if normalise else convolution(features, outputs)
        last = self.tail.conv if isinstance(self.tail, NormalisedConv) else self.tail
        if isinstance(last, nn.Conv2d) and last.bias is not None:
            start_near_zero(last)
            nn.init.constant_(last.bias, 0.5 if plain else 0.0)  # without a skip it starts as mid grey
        self.halo = self._reach(levels).halo

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W); the last convolution and the skip run in float32."""
        hidden = self.body(functional.leaky_relu(self.head(batch), _SLOPE))
        with in_float32(batch):
            if self.plain:
                large: Tensor = self.tail(functional.interpolate(hidden.float(), scale_factor=self.scale))
                return large
            skip: Tensor = self.bicubic(batch)
            return functional.pixel_shuffle(self.tail(hidden.float()), self.scale) + skip

    def fused(self) -> nn.Module:
        """The same network with every BatchNorm merged into its convolution."""
        plain = copy.deepcopy(self).eval()
        for module in list(plain.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, NormalisedConv):
                    setattr(module, name, child.folded())
        return plain

    def _reach(self, levels: int) -> Reach:
        if self.plain:
            return Reach.of_outputs(self.scale).convolved(3).shuffled(self.scale).convolved(3)
        reach = Reach.of_outputs(self.scale).shuffled(self.scale).convolved(3, times=2)  # tail and head
        for level in range(levels):
            reach = reach.convolved(3, dilation=2**level, times=4)  # encode, down, up, decode
        return reach.convolved(3, dilation=2**levels)
