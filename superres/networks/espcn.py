"""ESPCN: three convolutions at low resolution, the last one sub-pixel.

(N, 1, H, W) -> 5x5 -> ``features`` -> 3x3 -> ``features`` / 2 -> 3x3 -> s^2 -> pixel shuffle -> (N, 1, s*H, s*W);
tanh after the first two, as in the paper, or ReLU.  The network of the paper has no skip; here its first channel
starts as a bilinear enlargement.

Reference:
    W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network", CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from superres.networks.base import check_choice, check_range, in_float32
from superres.networks.layers import bilinear_kernel, carry_first_channel, convolution, start_near_zero
from superres.networks.luminance import LuminanceNetwork
from superres.networks.receptive import Reach

__all__ = ["Espcn"]

#: Within half of this around zero tanh is all but linear: the channel that starts as the enlargement passes it.
_RANGE = 0.5


class Espcn(LuminanceNetwork):
    """ESPCN; 24,752 parameters at scale 4 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16.
        features: channels after the first convolution; half of them after the second.
        activation: ``tanh`` or ``relu``.
        residual: add the bicubic enlargement to the result, which the paper does not.
        channels: 3 (RGB, the network runs on luminance) or 1.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self, scale: int, features: int = 64, activation: str = "tanh", residual: bool = False, channels: int = 3
    ) -> None:
        super().__init__(scale, channels)
        check_range("Espcn", "features", features, 2, 1024)
        check_choice("Espcn", "activation", activation, ("tanh", "relu"))
        self.residual = residual
        self.activation = torch.tanh if activation == "tanh" else functional.relu
        self.head = convolution(1, features, 5)
        self.body = convolution(features, features // 2)
        self.tail = convolution(features // 2, scale * scale)
        start_near_zero(self.tail)
        if not residual:
            self._start_bilinear(*((_RANGE, 0.5) if activation == "tanh" else (1.0, 0.0)))
        reach = Reach.of_outputs(scale).shuffled(scale).convolved(3, times=2).convolved(5)
        self.halo = max(reach.halo, Reach.of_outputs(scale).enlarged(scale).halo if residual else 0)

    def enlarge(self, luminance: Tensor, bicubic: Tensor) -> Tensor:
        """See :meth:`superres.networks.luminance.LuminanceNetwork.enlarge`."""
        hidden = self.activation(self.body(self.activation(self.head(luminance))))
        with in_float32(luminance):
            result = functional.pixel_shuffle(self.tail(hidden.float()), self.scale)
            return result + bicubic if self.residual else result

    @torch.no_grad()
    def _start_bilinear(self, gain: float, centre: float) -> None:
        """Let channel 0 carry ``gain * (luminance - centre)`` to the last kernel, and that enlarge it."""
        carry_first_channel(self.head, gain)
        carry_first_channel(self.body)
        self.tail.weight[:, 0] = bilinear_kernel(self.scale) / gain
        if self.head.bias is not None and self.tail.bias is not None:
            self.head.bias[0] = -gain * centre
            self.tail.bias.fill_(centre)
