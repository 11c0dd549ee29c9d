"""A network that enlarges rows alone: planes across thick slices, of which each row is the mean of several thin ones.

The result keeps every row: the ``scale`` rows that one becomes have it as their mean.  So a thick slice stays what was
measured, and the mean of a volume stays what it was.

References:
    C. Zhao, B. E. Dewey, D. L. Pham, P. A. Calabresi, D. S. Reich, J. L. Prince, "SMORE: A Self-Supervised
    Anti-Aliasing and Super-Resolution Algorithm for MRI Using Deep Learning", IEEE TMI 40(3), 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.networks.base import Network, check_range
from superres.networks.layers import start_identity, start_near_zero
from superres.resize import axis_resampler

__all__ = ["RowNetwork"]

#: Rows on each side that the cubic kernel reads.
_REACH = 2


class RowNetwork(Network):
    """(N, 1, h + 2 * halo, w + 2 * halo) -> (N, 1, scale * h, w), values about [0, 1], not clipped.

    Plain 3x3 convolutions without padding: the caller gives a border of ``halo`` rows and columns, which is used up.
    They add to the cubic interpolation, and start near 0, so an untrained network interpolates.

    Args:
        scale: by which rows grow, 2 to 16.
        features: hidden channels.
        layers: convolutions, at least 3.
        slope: of the leaky ReLU.

    Raises:
        OptionError: a number out of its range.
    """

    scales = tuple(range(2, 17))

    cubic: Tensor

    def __init__(self, scale: int, features: int = 32, layers: int = 6, slope: float = 0.1) -> None:
        super().__init__()
        self.check_scale(scale)
        check_range("RowNetwork", "features", features, 1, 1024)
        check_range("RowNetwork", "layers", layers, 3, 64)
        self.scale, self.channels, self.halo, self.slope = scale, 1, layers, slope
        self.head = nn.Conv2d(1, features, 3)
        nn.init.kaiming_normal_(self.head.weight, nonlinearity="relu")
        hidden = [nn.Conv2d(features, features, 3) for _ in range(layers - 2)]
        self.body, self.tail = nn.ModuleList(hidden), nn.Conv2d(features, scale, 3)
        for layer in hidden:
            start_identity(layer)
        start_near_zero(self.tail)
        self.register_buffer("cubic", _phases(scale))

    def forward(self, batch: Tensor) -> Tensor:
        """As in the class description."""
        hidden = functional.leaky_relu(self.head(batch), self.slope)
        for layer in self.body:
            hidden = functional.leaky_relu(layer(hidden), self.slope)
        inner = batch[:, :, :, self.halo : -self.halo]
        rows, spare = inner[:, :, self.halo : -self.halo], self.halo - _REACH
        detail = self.tail(hidden) + functional.conv2d(inner[:, :, spare : inner.shape[2] - spare], self.cubic)
        thin = detail - detail.mean(1, keepdim=True) + rows
        # (N, scale, h, w): the thin rows of each thick one lie side by side.
        large: Tensor = thin.transpose(1, 2).flatten(1, 2)[:, None]
        return large

    def supervised(self, batch: Tensor) -> list[tuple[int, Tensor]]:
        """(N, 1, h, w) -> (N, 1, scale * h, w): patches have no border of their own, so their edges are repeated."""
        return [(self.scale, self(functional.pad(batch, (self.halo,) * 4, mode="replicate")))]


def _phases(scale: int) -> Tensor:
    """(scale, 1, 5, 1): the cubic weights of the five rows around one, for each row that it becomes."""
    middle, length = 2 * _REACH, 4 * _REACH + 1  # far enough from the mirrored borders
    matrix = torch.from_numpy(axis_resampler(length, length * scale).matrix())
    return matrix[middle * scale : (middle + 1) * scale, middle - _REACH : middle + _REACH + 1].float()[
        :, None, :, None
    ]
