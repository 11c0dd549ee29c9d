"""A hybrid of convolutions and attention: each block ends with one attention over a large sliding window.

(N, C, H, W) -> head convolution -> ``blocks`` x (residual units of 3x3 convolutions, window attention, a 3x3
convolution, plus the block's input) -> sub-pixel tail -> plus the bicubic enlargement -> (N, C, s*H, s*W).

The attention is linear in the window's area.  A pixel's key is a share in each of a few learned *tokens* (softmax),
its query likewise; the weight between two pixels is the inner product of query and key, over the pixels of the
window that is centred on the query.  As the sum over the window is taken before the query reads it, it is a running
mean of (token x value) maps: average pooling, whatever the window's size.  The window moves with the pixel, so the
result does not depend on where a tile begins, and the receptive field ends.

References:
    A. Katharopoulos et al., "Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention",
    ICML 2020.
    J. Fang, H. Lin, X. Chen, K. Zeng, "A Hybrid Network of CNN and Transformer for Lightweight Image
    Super-Resolution", CVPR Workshops 2022.
    X. Liu et al., "CATANet: Efficient Content-Aware Token Aggregation for Lightweight Image Super-Resolution",
    CVPR 2025.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.errors import OptionError
from superres.networks.base import Network, check_range, in_float32
from superres.networks.edsr import ResidualBlock
from superres.networks.layers import Bicubic, convolution, start_near_zero
from superres.networks.receptive import Reach

__all__ = ["Hybrid", "WindowAttention"]


class WindowAttention(nn.Module):
    """What each pixel reads from the window around it: (N, F, H, W) -> the same shape.

    Args:
        features: F.
        tokens: shares of queries and keys.
        values: channels that are averaged.
        window: side of the window in pixels, odd.
    """

    def __init__(self, features: int, tokens: int, values: int, window: int) -> None:
        super().__init__()
        self.sizes, self.window = (tokens, tokens, values), window
        self.enter = convolution(features, sum(self.sizes), 1)
        self.leave = convolution(values, features, 1)
        start_near_zero(self.leave, 0.1)

    def forward(self, batch: Tensor) -> Tensor:
        """Attend; pixels outside the batch carry no weight."""
        query, key, value = self.enter(batch).split(self.sizes, dim=1)
        query, key = query.softmax(dim=1).to(value.dtype), key.softmax(dim=1).to(value.dtype)
        tokens, _, values = self.sizes
        products = (key[:, :, None] * value[:, None]).flatten(1, 2)
        means = self._window_mean(torch.cat([products, key], dim=1))
        aggregated = torch.unflatten(means[:, : tokens * values], 1, (tokens, values))
        read = (query[:, :, None] * aggregated).sum(dim=1)
        # The floor only matters where a query's tokens are all but absent from its window.
        weight = (query * means[:, tokens * values :]).sum(dim=1, keepdim=True).clamp(min=1e-4)
        result: Tensor = self.leave(read / weight)
        return result

    def _window_mean(self, maps: Tensor) -> Tensor:
        """Rows, then columns; what lies outside counts as zero in products and weights alike."""
        side, pad = self.window, self.window // 2
        rows = functional.avg_pool2d(maps, (side, 1), stride=1, padding=(pad, 0))
        return functional.avg_pool2d(rows, (1, side), stride=1, padding=(0, pad))


class _Block(nn.Module):
    """Residual units, attention, convolution: (N, F, H, W) -> the same shape."""

    def __init__(self, features: int, units: int, tokens: int, values: int, window: int, slope: float) -> None:
        super().__init__()
        self.units = nn.Sequential(*(ResidualBlock(features, nn.LeakyReLU(slope)) for _ in range(units)))
        self.attention = WindowAttention(features, tokens, values, window)
        self.last = convolution(features, features)
        start_near_zero(self.last, 0.1)

    def forward(self, batch: Tensor) -> Tensor:
        hidden = self.units(batch)
        attended: Tensor = batch + self.last(hidden + self.attention(hidden))
        return attended


class Hybrid(Network):
    """The hybrid network; 447,344 parameters at scale 4 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16.
        features: channels of the hidden layers.
        blocks: blocks.
        units: residual units (two 3x3 convolutions each) per block.
        tokens: see :class:`WindowAttention`.
        values: channels that the attention averages.
        window: side of the attention's window in pixels, odd.
        slope: of the leaky ReLU.
        channels: channels of the picture.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self,
        scale: int,
        features: int = 48,
        blocks: int = 4,
        units: int = 2,
        tokens: int = 8,
        values: int = 16,
        window: int = 17,
        slope: float = 0.1,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.check_scale(scale)
        ranges = (
            ("features", features, 1, 1024),
            ("blocks", blocks, 1, 64),
            ("units", units, 1, 16),
            ("tokens", tokens, 2, 256),
            ("values", values, 1, 256),
            ("window", window, 3, 129),
            ("slope", slope, 0, 1),
            ("channels", channels, 1, 64),
        )
        for name, value, low, high in ranges:
            check_range("Hybrid", name, value, low, high)
        if window % 2 == 0:
            raise OptionError(f"Hybrid: window = {window}, expected an odd number: the window is centred on a pixel")
        self.scale, self.channels, self.slope = scale, channels, slope
        self.bicubic = Bicubic(scale, channels)
        self.head = convolution(channels, features)
        self.body = nn.Sequential(*(_Block(features, units, tokens, values, window, slope) for _ in range(blocks)))
        self.tail = convolution(features, channels * scale * scale)
        start_near_zero(self.tail)
        reach = Reach.of_outputs(scale).shuffled(scale).convolved(3, times=2 + blocks * (2 * units + 1))
        self.halo = reach.convolved(window, times=blocks).halo

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W); the last convolution and the skip run in float32."""
        hidden = self.body(functional.leaky_relu(self.head(batch), self.slope))
        with in_float32(batch):
            skip: Tensor = self.bicubic(batch)
            return functional.pixel_shuffle(self.tail(hidden.float()), self.scale) + skip
