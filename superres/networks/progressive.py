"""A progressive network (Laplacian pyramid): one stage per doubling, an output at each.

(N, C, H, W) -> head convolution -> per level: ``layers`` 3x3 convolutions, a transposed convolution that doubles the
features' rows and columns, and a 3x3 convolution to the residual of that level; a level's output is the bicubic
doubling of the output before it plus its residual.  Scale 8 gives (N, C, 2*H, 2*W), (N, C, 4*H, 4*W) and
(N, C, 8*H, 8*W); the last one is the result, all of them are supervised.

References:
    W.-S. Lai, J.-B. Huang, N. Ahuja, M.-H. Yang, "Deep Laplacian Pyramid Networks for Fast and Accurate
    Super-Resolution", CVPR 2017; with shared levels: "Fast and Accurate Image Super-Resolution with Deep Laplacian
    Pyramid Networks", TPAMI 41(11), 2019.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.networks.base import Network, check_range, in_float32
from superres.networks.layers import Bicubic, convolution, start_identity, start_near_zero
from superres.networks.receptive import Reach

__all__ = ["Progressive"]

_SLOPE = 0.2


class _Level(nn.Module):
    """(N, F, H, W) -> (N, F, 2*H, 2*W): convolutions, then the doubling."""

    def __init__(self, features: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(convolution(features, features) for _ in range(layers))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                start_identity(layer)
        self.transposed = nn.ConvTranspose2d(features, features, 4, stride=2, padding=1)
        start_near_zero(self.transposed, 0.1)
        with torch.no_grad():  # each channel starts as its bilinear doubling
            side = torch.tensor([0.25, 0.75, 0.75, 0.25])
            self.transposed.weight[range(features), range(features)] += torch.outer(side, side)

    def forward(self, hidden: Tensor) -> Tensor:
        for layer in self.layers:
            hidden = functional.leaky_relu(layer(hidden), _SLOPE)
        return functional.leaky_relu(self.transposed(hidden), _SLOPE)


class Progressive(Network):
    """The progressive network; 505,734 parameters at scale 4 with the defaults.

    Args:
        scale: 2, 4, 8 or 16.  A level has the same names and shapes at every scale, so the levels of a trained x2
            are the first of an x4.
        features: channels of the hidden layers.
        layers: 3x3 convolutions per level.
        shared: one set of weights for all levels.
        channels: channels of the picture.

    Raises:
        OptionError: a value out of its range.
    """

    scales: ClassVar[tuple[int, ...]] = (2, 4, 8, 16)

    def __init__(
        self, scale: int, features: int = 64, layers: int = 5, shared: bool = False, channels: int = 3
    ) -> None:
        super().__init__()
        self.check_scale(scale)
        for name, value, high in (("features", features, 1024), ("layers", layers, 64), ("channels", channels, 64)):
            check_range("Progressive", name, value, 1, high)
        self.scale, self.channels = scale, channels
        self.levels = scale.bit_length() - 1
        self.bicubic = Bicubic(2, channels)
        self.head = convolution(channels, features)
        count = 1 if shared else self.levels
        self.body = nn.ModuleList(_Level(features, layers) for _ in range(count))
        self.tails = nn.ModuleList(convolution(features, channels) for _ in range(count))
        for tail in self.tails:
            if isinstance(tail, nn.Conv2d):
                start_near_zero(tail)
        self.halo = max(self._reach(layers).halo, self._skip_reach().halo)

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W)."""
        return self._outputs(batch)[-1]

    def supervised(self, batch: Tensor) -> list[tuple[int, Tensor]]:
        """The output of every level, at 2, 4, ... times the size."""
        return [(2 << level, output) for level, output in enumerate(self._outputs(batch))]

    def _outputs(self, batch: Tensor) -> list[Tensor]:
        """Each level's output; residuals and skips run in float32."""
        hidden, large = functional.leaky_relu(self.head(batch), _SLOPE), batch.float()
        outputs = []
        for level in range(self.levels):
            index = level % len(self.body)
            hidden = self.body[index](hidden)
            with in_float32(batch):
                large = self.bicubic(large) + self.tails[index](hidden.float())
            outputs.append(large)
        return outputs

    def _reach(self, layers: int) -> Reach:
        reach = Reach.of_outputs(self.scale).convolved(3)
        for _ in range(self.levels):
            reach = reach.transposed(4, 2, 1).convolved(3, times=layers)
        return reach.convolved(3)

    def _skip_reach(self) -> Reach:
        reach = Reach.of_outputs(self.scale)
        for _ in range(self.levels):
            reach = reach.enlarged(2)
        return reach
