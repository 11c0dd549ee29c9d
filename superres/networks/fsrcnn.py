"""FSRCNN: features at low resolution, shrunk, mapped, expanded, and enlarged by one transposed convolution.

(N, 1, H, W) -> 5x5 -> ``features`` -> 1x1 -> ``shrunk`` -> ``layers`` 3x3 -> 1x1 -> ``features`` -> transposed 9x9,
stride s -> (N, 1, s*H, s*W); PReLU after every convolution but the last.  The residual form adds the low-resolution
features before the mapping to those after it, and the bicubic enlargement to the result.

Reference:
    C. Dong, C. C. Loy, X. Tang, "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from superres.networks.base import check_range, in_float32
from superres.networks.layers import carry_first_channel, convolution, start_near_zero
from superres.networks.luminance import LuminanceNetwork
from superres.networks.receptive import Reach

__all__ = ["Fsrcnn"]


class Fsrcnn(LuminanceNetwork):
    """FSRCNN(56, 12, 4); 12,809 parameters at scale 4 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16.  The paper's last kernel is 9x9; from scale 5 on it is (2*scale + 1)^2, as
            a smaller one would leave output pixels that few inputs reach.
        features: channels of the first and of the last features.
        shrunk: channels of the mapping.
        layers: 3x3 convolutions of the mapping.
        residual: the residual form; false is the paper's plain chain, whose first channel starts as a bilinear
            enlargement.
        channels: 3 (RGB, the network runs on luminance) or 1.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self,
        scale: int,
        features: int = 56,
        shrunk: int = 12,
        layers: int = 4,
        residual: bool = True,
        channels: int = 3,
    ) -> None:
        super().__init__(scale, channels)
        for name, value, high in (("features", features, 1024), ("shrunk", shrunk, 1024), ("layers", layers, 64)):
            check_range("Fsrcnn", name, value, 1, high)
        self.residual = residual
        self.head = nn.Sequential(convolution(1, features, 5), nn.PReLU(features))
        self.shrink = nn.Sequential(convolution(features, shrunk, 1), nn.PReLU(shrunk))
        mapping = [nn.Sequential(convolution(shrunk, shrunk), nn.PReLU(shrunk)) for _ in range(layers)]
        self.body = nn.Sequential(*mapping)
        self.expand = nn.Sequential(convolution(shrunk, features, 1), nn.PReLU(features))
        size = max(9, 2 * scale + 1)
        # Centred on the low-resolution pixel where its size allows it, else half an output pixel to the left.
        padding = size // 2 - (scale - 1) // 2
        self.tail = nn.ConvTranspose2d(
            features, 1, size, stride=scale, padding=padding, output_padding=scale - size + 2 * padding
        )
        start_near_zero(self.tail, 0.005 * scale)  # each output pixel sees one in scale^2 of the weights
        if not residual:
            self._start_bilinear(padding)
        reach = Reach.of_outputs(scale).transposed(size, scale, padding).convolved(3, times=layers)
        self.halo = max(reach.convolved(5).halo, Reach.of_outputs(scale).enlarged(scale).halo if residual else 0)

    def enlarge(self, luminance: Tensor, bicubic: Tensor) -> Tensor:
        """See :meth:`superres.networks.luminance.LuminanceNetwork.enlarge`."""
        shrunk = self.shrink(self.head(luminance))
        mapped = self.body(shrunk)
        hidden = self.expand(mapped + shrunk if self.residual else mapped)
        with in_float32(luminance):
            result: Tensor = self.tail(hidden.float())
            return result + bicubic if self.residual else result

    @torch.no_grad()
    def _start_bilinear(self, padding: int) -> None:
        """Let channel 0 carry the luminance to the last kernel, and let that be a bilinear enlargement."""
        for sequence in (self.head, self.shrink, *self.body, self.expand):
            for layer in sequence.modules():
                if isinstance(layer, nn.Conv2d):
                    carry_first_channel(layer)
        distance = torch.arange(self.tail.kernel_size[0]) - padding - (self.scale - 1) / 2
        triangle = (1 - distance.abs() / self.scale).clamp(min=0)
        self.tail.weight[0, 0] = torch.outer(triangle, triangle)
