"""A recurrent network: one block of shared weights, run several times over a hidden state.

(N, C, H, W) -> head convolution -> features (N, F, H, W), the first hidden state; then ``steps`` times: features and
state merged by a 1x1 convolution, through ``units`` residual units, which gives the next state.  Each state, through
one sub-pixel tail, plus the bicubic enlargement, is an output (N, C, s*H, s*W); the last one is the result, all of
them are supervised.

References:
    J. Kim, J. K. Lee, K. M. Lee, "Deeply-Recursive Convolutional Network for Image Super-Resolution", CVPR 2016.
    Y. Tai, J. Yang, X. Liu, "Image Super-Resolution via Deep Recursive Residual Network", CVPR 2017.
    Z. Li et al., "Feedback Network for Image Super-Resolution", CVPR 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.networks.base import Network, check_range, in_float32
from superres.networks.layers import Bicubic, convolution, start_near_zero
from superres.networks.receptive import Reach

__all__ = ["Recurrent"]


class _Block(nn.Module):
    """What every step shares: (features, state), each (N, F, H, W) -> the next state."""

    def __init__(self, features: int, units: int, slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.merge = convolution(2 * features, features, 1)
        with torch.no_grad():  # the first state is the features, so half of each is the features again
            start_near_zero(self.merge, 0.1)
            self.merge.weight[:, :, 0, 0].add_(0.5 * torch.eye(features).repeat(1, 2))
        self.first = nn.ModuleList(convolution(features, features) for _ in range(units))
        self.second = nn.ModuleList(convolution(features, features) for _ in range(units))
        for layer in self.second:
            if isinstance(layer, nn.Conv2d):
                start_near_zero(layer, 0.1)

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        merged: Tensor = self.merge(torch.cat([features, state], dim=1))
        for first, second in zip(self.first, self.second, strict=True):
            merged = merged + second(functional.leaky_relu(first(merged), self.slope))
        return merged


class Recurrent(Network):
    """The recurrent network; 185,456 parameters at scale 4 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16.
        features: channels of the features and of the hidden state.
        units: residual units (two 3x3 convolutions each) of the shared block.
        steps: times that the block runs.
        slope: of the leaky ReLU.
        channels: channels of the picture.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self, scale: int, features: int = 64, units: int = 2, steps: int = 4, slope: float = 0.1, channels: int = 3
    ) -> None:
        super().__init__()
        self.check_scale(scale)
        for name, value, high in (
            ("features", features, 1024),
            ("units", units, 64),
            ("steps", steps, 64),
            ("channels", channels, 64),
        ):
            check_range("Recurrent", name, value, 1, high)
        check_range("Recurrent", "slope", slope, 0, 1)
        self.scale, self.channels, self.steps, self.slope = scale, channels, steps, slope
        self.bicubic = Bicubic(scale, channels)
        self.head = convolution(channels, features)
        self.body = _Block(features, units, slope)
        self.tail = convolution(features, channels * scale * scale)
        start_near_zero(self.tail)
        self.halo = Reach.of_outputs(scale).shuffled(scale).convolved(3, times=2 + 2 * units * steps).halo

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W) of the last step."""
        return self._output(self._states(batch)[-1], self.bicubic(batch))

    def supervised(self, batch: Tensor) -> list[tuple[int, Tensor]]:
        """The output of every step."""
        large = self.bicubic(batch)
        return [(self.scale, self._output(state, large)) for state in self._states(batch)]

    def _states(self, batch: Tensor) -> list[Tensor]:
        features = functional.leaky_relu(self.head(batch), self.slope)
        states = [features]
        for _ in range(self.steps):
            states.append(self.body(features, states[-1]))
        return states[1:]

    def _output(self, state: Tensor, large: Tensor) -> Tensor:
        """The last convolution and the skip run in float32."""
        with in_float32(state):
            return functional.pixel_shuffle(self.tail(state.float()), self.scale) + large
