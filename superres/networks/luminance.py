"""RGB through a network that knows luminance only.

As in the papers on one-channel networks: R'G'B' becomes Y'CbCr (ITU-R BT.601), the network enlarges Y', MATLAB's
bicubic enlarges Cb and Cr, and the three become R'G'B' again.  Y' has full range here, so that a grey picture is its
own Y' and a network trained on one-channel data fits.

Reference:
    ITU-R BT.601-7, "Studio encoding parameters of digital television", 2011.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from superres.errors import OptionError
from superres.networks.base import Network, check_choice, in_float32
from superres.networks.layers import Bicubic

__all__ = ["LuminanceNetwork", "rgb_to_ycbcr"]


def rgb_to_ycbcr() -> Tensor:
    """The matrix, float64 (3, 3), from R'G'B' in [0, 1] to Y' in [0, 1] and Cb, Cr in [-0.5, 0.5] (zero for grey)."""
    red, green, blue = 0.299, 0.587, 0.114
    return torch.tensor(
        [
            [red, green, blue],
            [-red / (2 - 2 * blue), -green / (2 - 2 * blue), 0.5],
            [0.5, -green / (2 - 2 * red), -blue / (2 - 2 * red)],
        ],
        dtype=torch.float64,
    )


class LuminanceNetwork(Network):
    """Base of the one-channel architectures: RGB -> RGB with ``channels=3``, the bare network with ``channels=1``.

    Args:
        scale: enlargement factor.
        channels: 3 or 1.

    Raises:
        OptionError: a scale or a number of channels that is not supported.
    """

    forth: Tensor
    back: Tensor

    def __init__(self, scale: int, channels: int) -> None:
        super().__init__()
        self.check_scale(scale)
        check_choice(type(self).__name__, "channels", channels, (1, 3))
        self.scale, self.channels = scale, channels
        self.bicubic = Bicubic(scale, channels)
        matrix = rgb_to_ycbcr()
        # As 1x1 convolutions: every runtime has them.
        self.register_buffer("forth", matrix.float()[:, :, None, None], persistent=False)
        self.register_buffer("back", torch.linalg.inv(matrix).float()[:, :, None, None], persistent=False)

    def enlarge(self, luminance: Tensor, bicubic: Tensor) -> Tensor:
        """The one-channel network.

        Args:
            luminance: (N, 1, H, W) in [0, 1].
            bicubic: (N, 1, scale*H, scale*W), its bicubic enlargement.

        Returns:
            float32 (N, 1, scale*H, scale*W).
        """
        raise OptionError(f"{type(self).__name__} defines no enlargement of luminance")

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> float32 (N, C, scale*H, scale*W); all but the network's hidden layers runs in float32."""
        if self.channels == 1:
            return self.enlarge(batch, self.bicubic(batch))
        with in_float32(batch):
            planes = functional.conv2d(batch.float(), self.forth)
        large = self.bicubic(planes)
        luminance = self.enlarge(planes[:, :1], large[:, :1])
        with in_float32(batch):
            return functional.conv2d(torch.cat([luminance, large[:, 1:]], dim=1), self.back)
