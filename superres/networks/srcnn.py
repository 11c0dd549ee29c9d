"""SRCNN: three convolutions on the bicubic enlargement of luminance.

(N, C, H, W) -> bicubic -> (N, 1, s*H, s*W) -> 64 features -> 32 features -> (N, 1, s*H, s*W); all three convolutions
run at high resolution.  The kernel sizes name the variants.  The network of the paper has no skip; here its first
channel starts as one, so that training begins at the bicubic enlargement.

Reference:
    C. Dong, C. C. Loy, K. He, X. Tang, "Image Super-Resolution Using Deep Convolutional Networks", TPAMI 38(2), 2016.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from superres.networks.base import check_choice, check_range, in_float32
from superres.networks.layers import carry_first_channel, convolution, start_near_zero
from superres.networks.luminance import LuminanceNetwork
from superres.networks.receptive import Reach

__all__ = ["VARIANTS", "Srcnn"]

#: Name -> sizes of the three kernels.
VARIANTS: dict[str, tuple[int, int, int]] = {"9-1-5": (9, 1, 5), "9-5-5": (9, 5, 5), "5-3-5": (5, 3, 5)}


class Srcnn(LuminanceNetwork):
    """SRCNN; 57,281 parameters at scale 4 with the defaults.

    Args:
        scale: enlargement factor, 1 to 16; 1 leaves the enlargement out.
        variant: a key of :data:`VARIANTS`.
        features: channels after the first convolution; half of them after the second.
        residual: add the bicubic enlargement to the result, which the paper does not.
        channels: 3 (RGB, the network runs on luminance) or 1.

    Raises:
        OptionError: a value out of its range.
    """

    def __init__(
        self, scale: int, variant: str = "9-5-5", features: int = 64, residual: bool = False, channels: int = 3
    ) -> None:
        super().__init__(scale, channels)
        check_choice("Srcnn", "variant", variant, tuple(VARIANTS))
        check_range("Srcnn", "features", features, 2, 1024)
        first, second, third = VARIANTS[variant]
        self.residual = residual
        self.head = convolution(1, features, first)
        self.body = convolution(features, features // 2, second)
        self.tail = convolution(features // 2, 1, third)
        start_near_zero(self.tail)
        if not residual:
            for layer in (self.head, self.body, self.tail):
                carry_first_channel(layer)
        reach = Reach.of_outputs(scale).convolved(third).convolved(second).convolved(first)
        self.halo = reach.enlarged(scale).halo

    def enlarge(self, luminance: Tensor, bicubic: Tensor) -> Tensor:
        """See :meth:`superres.networks.luminance.LuminanceNetwork.enlarge`."""
        hidden = functional.relu(self.body(functional.relu(self.head(bicubic))))
        with in_float32(luminance):
            result: Tensor = self.tail(hidden.float())
            return result + bicubic if self.residual else result
