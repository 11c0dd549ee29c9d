"""A low-resolution band or modality sharpened by a high-resolution one of the same place.

The guide comes on the low-resolution grid: the ``scale^2`` samples that lie within a pixel are as many channels.  So
every convolution runs on few pixels, and a window of both is one tensor.  Plain 3x3 convolutions give what the bicubic
enlargement of the band lacks.

References:
    T.-W. Hui, C. C. Loy, X. Tang, "Depth Map Super-Resolution by Deep Multi-Scale Guidance", ECCV 2016.
    C. Lanaras, J. Bioucas-Dias, S. Galliani, E. Baltsavias, K. Schindler, "Super-resolution of Sentinel-2 images:
    Learning a globally applicable deep neural network", ISPRS Journal 146, 2018 (a residual over the bicubic band).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from superres.networks.base import Network, check_range, in_float32
from superres.networks.layers import Bicubic, convolution, start_identity, start_near_zero

__all__ = ["Guided"]


class Guided(Network):
    """(N, 1 + scale^2, H, W) -> (N, 1, scale*H, scale*W), both about [0, 1], not clipped.

    46,604 parameters at scale 2 with the defaults.

    Channel 0 is the band.  Channel ``1 + row * scale + column`` is the guide's sample in that row and column of every
    pixel, on the band's scale of values.

    Args:
        scale: enlargement factor, 2 to 8.
        features: hidden channels.
        layers: 3x3 convolutions, at least 3.
        slope: of the leaky ReLU.

    Raises:
        OptionError: a number out of its range.
    """

    scales = tuple(range(2, 9))

    def __init__(self, scale: int, features: int = 40, layers: int = 5, slope: float = 0.1) -> None:
        super().__init__()
        self.check_scale(scale)
        check_range("Guided", "features", features, 1, 1024)
        check_range("Guided", "layers", layers, 3, 64)
        self.scale, self.channels, self.halo, self.slope = scale, 1, layers, slope
        self.bicubic = Bicubic(scale, 1)
        self.head = convolution(self.inputs, features)
        hidden = [convolution(features, features) for _ in range(layers - 2)]
        self.body, self.tail = nn.ModuleList(hidden), convolution(features, scale * scale)
        for layer in hidden:
            start_identity(layer)
        start_near_zero(self.tail)

    @property
    def inputs(self) -> int:
        """The band, and the guide's samples within a pixel of it."""
        return 1 + self.scale * self.scale

    def forward(self, batch: Tensor) -> Tensor:
        """As in the class description; the last convolution and the bicubic part run in float32."""
        hidden = functional.leaky_relu(self.head(batch), self.slope)
        for layer in self.body:
            hidden = functional.leaky_relu(layer(hidden), self.slope)
        with in_float32(batch):
            residual: Tensor = functional.pixel_shuffle(self.tail(hidden.float()), self.scale)
            large: Tensor = self.bicubic(batch[:, :1])
            return residual + large
