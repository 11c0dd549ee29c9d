"""QualityNet: the layers of ReparamNet with residual blocks between them, for more decibels at a few times the cost.

(N, C, H, W) -> head convolution -> ``layers`` - 2 x (3x3 convolution, leaky ReLU, then ``blocks`` x (convolution, leaky
ReLU, convolution, plus the block's input)) -> last convolution, plus the bicubic enlargement, -> pixel shuffle ->
(N, C, s*H, s*W).

A block whose second convolution is near zero hands on what it is given.  So a deployed ReparamNet, or a QualityNet of
fewer blocks, is a start for a deeper one that answers as it did, and training goes on from there.

References:
    B. Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops 2017.
    T. Chen, I. Goodfellow, J. Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016.
    X. Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", CVPR 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.errors import OptionError
from superres.networks.base import check_range
from superres.networks.layers import convolution, start_near_zero
from superres.networks.reparam import ReparamConv, ReparamNet, bias_of

__all__ = ["QualityNet", "Refinement"]

#: Size of what an untrained block adds, beside what it is given.
_START = 0.01


class Refinement(nn.Module):
    """A residual block: (N, F, H, W) -> the same shape.

    Args:
        features: F.
        slope: of the leaky ReLU between the convolutions.
    """

    def __init__(self, features: int, slope: float) -> None:
        super().__init__()
        self.first, self.second = convolution(features, features), convolution(features, features)
        start_near_zero(self.second, _START)
        self.slope = slope

    def layers(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        """Its convolutions, in order."""
        return self.first, self.second

    def forward(self, batch: Tensor) -> Tensor:
        """The batch plus what the branch adds."""
        branch: Tensor = self.second(functional.leaky_relu(self.first(batch), self.slope))
        return batch + branch


class QualityNet(ReparamNet):
    """The network of ``quality``; 645,648 parameters at scale 4 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16.
        features: hidden channels.
        layers: 3x3 convolutions outside of the residual blocks, first and last included, at least 3.
        blocks: residual blocks after each of these convolutions but the first and the last, at least 1.
        channels: channels of the picture.
        slope: of the leaky ReLU.
        skip: what the convolutions' answer is added to, one of :data:`superres.networks.reparam.SKIPS`.
        dropout: share of the channels before the last convolution that are left out in training, 0 to 0.9.

    Raises:
        OptionError: a number out of its range, or an unknown skip.
    """

    def __init__(
        self,
        scale: int,
        features: int = 48,
        layers: int = 12,
        blocks: int = 1,
        channels: int = 3,
        slope: float = 0.1,
        skip: str = "bicubic",
        dropout: float = 0.0,
    ) -> None:
        check_range(type(self).__name__, "blocks", blocks, 1, 64)
        super().__init__(scale, features, layers, 0, channels, slope, skip, dropout)
        self.body = nn.ModuleList(
            nn.Sequential(layer, *(Refinement(features, slope) for _ in range(blocks))) for layer in self.body
        )
        self.blocks = blocks
        self.halo = layers + 2 * blocks * (layers - 2)

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W); the last convolution and the skip run in float32."""
        hidden = functional.leaky_relu(self.head(batch), self.slope)
        for layer, refinements in self._units():
            hidden = functional.leaky_relu(layer(hidden), self.slope)
            for refinement in refinements:
                hidden = refinement(hidden)
        return self._answer(hidden, batch)

    @torch.no_grad()
    def load_fused(self, convolutions: list[tuple[Tensor, Tensor]]) -> None:
        """Start from a deployed ReparamNet, or QualityNet of as many blocks or fewer, of any scale.

        What it lacks stays untrained, and hands on nearly what it is given.  Otherwise as ReparamNet's.

        Args:
            convolutions: (kernel, bias) of the deployed network's convolutions, in order; the one that is not 3x3 is
                its skip.

        Raises:
            OptionError: another number of layers, more blocks, or other features.
        """
        plain = [pair for pair in convolutions if pair[0].shape[-1] == 3]
        skip = [pair for pair in convolutions if pair[0].shape[-1] != 3]
        inner = plain[1:-1]
        each, over = divmod(len(inner), self.layers - 2)
        if over or each % 2 == 0 or each > 1 + 2 * self.blocks:
            raise OptionError(
                f"warm start: the other network has {len(plain)} layers, expected 2 and {self.layers - 2} times 1 to "
                f"{1 + 2 * self.blocks}, an odd number"
            )
        super().load_fused([plain[0], *inner[::each], plain[-1], *skip])
        for index, (_, refinements) in enumerate(self._units()):
            layers = [layer for refinement in refinements for layer in refinement.layers()]
            for layer, (kernel, bias) in zip(layers, inner[index * each + 1 : (index + 1) * each], strict=False):
                layer.load_state_dict({"weight": kernel, "bias": bias})

    def _units(self) -> list[tuple[ReparamConv, list[Refinement]]]:
        """Each inner layer and the blocks that follow it."""
        parts = [list(unit.children()) for unit in self.body]
        return [
            (first, [one for one in rest if isinstance(one, Refinement)])
            for first, *rest in parts
            if isinstance(first, ReparamConv)
        ]

    def _hidden(self) -> list[ReparamConv]:
        return [convolution for convolution, _ in self._units()]

    def _inner(self) -> list[tuple[Tensor, Tensor]]:
        pairs = []
        for pair, (_, refinements) in zip(super()._inner(), self._units(), strict=True):
            pairs.append(pair)
            for refinement in refinements:
                pairs += [(layer.weight, bias_of(layer)) for layer in refinement.layers()]
        return pairs
