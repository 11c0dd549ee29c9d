"""Adversarial training: a U-Net discriminator that judges every pixel, as a mode of any network.

References:
    I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014 (bce).
    J. H. Lim, J. C. Ye, "Geometric GAN", 2017, https://arxiv.org/abs/1705.02894 (hinge).
    T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018.
    T.-C. Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", CVPR 2018
    (feature matching).
    X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
    Data", ICCVW 2021 (the discriminator).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from superres.training.recipe import AdversarialOptions

__all__ = ["Adversary", "UNetDiscriminator", "judge_loss", "mislead_loss"]


class UNetDiscriminator(nn.Module):
    """(N, channels, H, W) -> (N, 1, H, W): how real each pixel looks, above 0 for real.

    Three halvings, three doublings with skips added, spectral norm on all kernels but the first and the last.

    Args:
        channels: of the pictures.
        features: of the first layer; they double at each halving.
    """

    def __init__(self, channels: int = 3, features: int = 64) -> None:
        super().__init__()
        widths = [features, 2 * features, 4 * features, 8 * features]
        self.head = nn.Conv2d(channels, features, 3, padding=1)
        self.down = nn.ModuleList(_normalised(a, b, 4, 2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_normalised(a, b, 3, 1) for a, b in pairwise(reversed(widths)))
        self.last = nn.ModuleList(_normalised(features, features, 3, 1) for _ in range(2))
        self.tail = nn.Conv2d(features, 1, 3, padding=1)

    def forward(self, batch: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The judgement, and the features of every level on the way down for feature matching."""
        levels = [_activated(self.head(batch))]
        for layer in self.down:
            levels.append(_activated(layer(levels[-1])))
        hidden = levels[-1]
        for layer, skip in zip(self.up, levels[-2::-1], strict=True):
            large = functional.interpolate(hidden, size=skip.shape[2:], mode="bilinear", align_corners=False)
            hidden = _activated(layer(large)) + skip
        for layer in self.last:
            hidden = _activated(layer(hidden))
        return self.tail(hidden), levels


def judge_loss(real: Tensor, made: Tensor, kind: str) -> Tensor:
    """What the discriminator minimises: judgements of real pictures should be high, of made ones low."""
    if kind == "hinge":
        return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()
    return functional.softplus(-real).mean() + functional.softplus(made).mean()


def mislead_loss(made: Tensor, kind: str) -> Tensor:
    """What the network minimises: judgements of what it made should be high."""
    return -made.mean() if kind == "hinge" else functional.softplus(-made).mean()


class Adversary:
    """The discriminator with its optimiser: what the loop holds beside the network.

    Args:
        options: the recipe's ``[adversarial]``.
        channels: of the pictures.
        fabric: where it runs.
    """

    def __init__(self, options: AdversarialOptions, channels: int, fabric: Fabric) -> None:
        self.options, self._fabric = options, fabric
        self.network = UNetDiscriminator(channels, options.features)
        optimiser = torch.optim.Adam(self.network.parameters(), options.rate, betas=(0.9, 0.99))
        self._model, self._optimiser = fabric.setup(self.network, optimiser)

    def loss(self, made: Tensor, truth: Tensor) -> Tensor:
        """What the network pays: adversarial loss and feature matching.  The discriminator stays as it is."""
        self.network.requires_grad_(False)
        # Not through the wrapper: across processes that one waits for gradients, and here are none.
        with self._fabric.autocast():
            judgement, features = self.network(made)
            paid = mislead_loss(judgement.float(), self.options.kind)
            if self.options.matching:
                with torch.no_grad():
                    _, wanted = self.network(truth)
                distances = [functional.l1_loss(a.float(), b.float()) for a, b in zip(features, wanted, strict=True)]
                paid = paid + self.options.matching * torch.stack(distances).mean()
        self.network.requires_grad_(True)
        return paid

    def step(self, made: Tensor, truth: Tensor, factor: float) -> Tensor:
        """Teach the discriminator one batch; its loss.

        Args:
            made: what the network gave.
            truth: the ground truth, of the same shape.
            factor: of the learning rate.
        """
        self._optimiser.param_groups[0]["lr"] = self.options.rate * factor
        # One pass over both: a second one would move the spectral norms in between.
        judgement, _ = self._model(torch.cat([truth, made.detach()]))
        real, false = judgement.chunk(2)
        loss = judge_loss(real, false, self.options.kind)
        self._fabric.backward(loss)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"network": self.network.state_dict(), "optimiser": self._optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])


def _normalised(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=1, bias=False)
    return spectral_norm(convolution)


def _activated(batch: Tensor) -> Tensor:
    return functional.leaky_relu(batch, 0.2)
