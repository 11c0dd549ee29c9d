"""EDSR and SRResNet: residual blocks at low resolution, then pixel-shuffle stages.

(N, C, H, W) -> head convolution -> ``blocks`` x (convolution, activation, convolution, plus the block's input) ->
convolution, plus the head's features -> per prime factor p of the scale a convolution to p^2 * ``features`` and a
pixel shuffle -> tail convolution -> plus the bicubic enlargement -> (N, C, s*H, s*W).

EDSR: ReLU, 3x3 head and tail, no BatchNorm.  SRResNet: PReLU, also after head and stages, 9x9 head and tail, and
BatchNorm in the blocks where ``normalise`` says so.  The bicubic enlargement, which the papers leave to the network
to find, is what both start from.

References:
    B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee, "Enhanced Deep Residual Networks for Single Image Super-Resolution",
    CVPR Workshops 2017.
    C. Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
    CVPR 2017.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from superres.networks.base import Network, check_choice, check_range, in_float32
from superres.networks.layers import Bicubic, convolution, start_near_zero
from superres.networks.receptive import Reach

__all__ = ["Edsr", "ResidualBlock", "SrResNet"]


class ResidualBlock(nn.Module):
    """Convolution, activation, convolution, times ``weight``, plus the input: (N, F, H, W) -> the same shape.

    Args:
        features: F.
        activation: between the convolutions.
        normalise: BatchNorm after each convolution.
        weight: of the branch.
    """

    def __init__(self, features: int, activation: nn.Module, normalise: bool = False, weight: float = 1.0) -> None:
        super().__init__()
        first, second = (convolution(features, features, bias=not normalise) for _ in range(2))
        start_near_zero(second, 0.1)  # blocks start near the identity, so that many of them train
        layers = [first, nn.BatchNorm2d(features), activation, second, nn.BatchNorm2d(features)]
        self.layers = nn.Sequential(*(m for m in layers if normalise or not isinstance(m, nn.BatchNorm2d)))
        self.weight = weight

    def forward(self, batch: Tensor) -> Tensor:
        """The batch plus what the branch adds."""
        branch: Tensor = self.layers(batch)
        return batch + (branch if self.weight == 1 else branch * self.weight)


class Edsr(Network):
    """EDSR, by default its baseline; 1,517,571 parameters at scale 4 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16.
        features: channels of the hidden layers.
        blocks: residual blocks.
        weight: of each block's branch; the paper takes 0.1 for 256 features.
        upsampler: ``staged`` as in the papers, or ``direct``: one sub-pixel tail at low resolution, cheaper.
        activation: ``relu`` or ``prelu``.
        kernel: size of head and tail kernels, odd.
        normalise: BatchNorm in the blocks.
        channels: channels of the picture.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 16,
        weight: float = 1.0,
        upsampler: str = "staged",
        activation: str = "relu",
        kernel: int = 3,
        normalise: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.check_scale(scale)
        owner = type(self).__name__
        for name, value, high in (("features", features, 1024), ("blocks", blocks, 256), ("channels", channels, 64)):
            check_range(owner, name, value, 1, high)
        check_range(owner, "weight", weight, 1e-3, 1)
        check_choice(owner, "upsampler", upsampler, ("staged", "direct"))
        check_choice(owner, "activation", activation, ("relu", "prelu"))
        check_choice(owner, "kernel", kernel, (1, 3, 5, 7, 9))
        self.scale, self.channels = scale, channels
        self.bicubic = Bicubic(scale, channels)
        after = nn.PReLU if activation == "prelu" else nn.Identity  # EDSR has none after head and stages
        self.head = nn.Sequential(convolution(channels, features, kernel), after())
        inner = nn.PReLU if activation == "prelu" else nn.ReLU
        residual = [ResidualBlock(features, inner(), normalise, weight) for _ in range(blocks)]
        last = [convolution(features, features, bias=not normalise), nn.BatchNorm2d(features)]
        self.body = nn.Sequential(*residual, *last[: 2 if normalise else 1])
        self.factors = _prime_factors(scale) if upsampler == "staged" else []
        stages: list[nn.Module] = []
        for factor in self.factors:
            stages += [convolution(features, features * factor * factor), nn.PixelShuffle(factor), after()]
        self.stages = nn.Sequential(*stages)
        self.left = 1 if self.factors or scale == 1 else scale
        self.tail = convolution(features, channels * self.left * self.left, kernel)
        start_near_zero(self.tail)
        self.halo = self._reach(blocks, kernel).halo

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W); the last convolution and the skip run in float32."""
        shallow = self.head(batch)
        hidden = self.stages(self.body(shallow) + shallow)
        with in_float32(batch):
            skip: Tensor = self.bicubic(batch)
            return functional.pixel_shuffle(self.tail(hidden.float()), self.left) + skip

    def fused(self) -> nn.Module:
        """The same network with every BatchNorm merged into the convolution before it."""
        plain = copy.deepcopy(self).eval()  # only then do its statistics stand still
        for module in list(plain.body.modules()):
            if isinstance(module, nn.Sequential):
                for index in range(1, len(module)):
                    before, norm = module[index - 1], module[index]
                    if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                        module[index - 1], module[index] = fuse_conv_bn_eval(before, norm), nn.Identity()
        return plain.eval()

    def _reach(self, blocks: int, kernel: int) -> Reach:
        reach = Reach.of_outputs(self.scale).shuffled(self.left).convolved(kernel)
        for factor in reversed(self.factors):
            reach = reach.shuffled(factor).convolved(3)
        reach = reach.convolved(3, times=2 * blocks + 1).convolved(kernel)
        return reach


class SrResNet(Edsr):
    """SRResNet without BatchNorm; 1,545,238 parameters at scale 4 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16.
        features: channels of the hidden layers.
        blocks: residual blocks.
        upsampler: ``staged`` as in the paper, or ``direct``: one sub-pixel tail at low resolution, cheaper.
        kernel: size of head and tail kernels, odd.
        normalise: BatchNorm in the blocks and after them, as in the paper.
        channels: channels of the picture.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 16,
        upsampler: str = "staged",
        kernel: int = 9,
        normalise: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__(
            scale,
            features,
            blocks,
            upsampler=upsampler,
            activation="prelu",
            kernel=kernel,
            normalise=normalise,
            channels=channels,
        )


def _prime_factors(number: int) -> list[int]:
    """In ascending order; none for 1.

    >>> _prime_factors(12)
    [2, 2, 3]
    """
    for factor in range(2, number + 1):
        if number % factor == 0:
            return [factor, *_prime_factors(number // factor)]
    return []
