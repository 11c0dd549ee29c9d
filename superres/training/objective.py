"""What a training step minimises: the weighted losses of a recipe."""

from __future__ import annotations

import torch
from torch import Tensor

from superres.training.losses import PixelLoss, load_loss, temporal
from superres.training.patches import PLANES
from superres.training.perceptual import PerceptualLoss
from superres.training.recipe import Recipe
from superres.training.reduction import consistency, reduce_bicubic
from superres.training.teacher import load_teacher
from superres.training.warping import warping

__all__ = ["Objective"]

# (k, output (N, C, k*H, k*W)); k divides the scale.
_Outputs = list[tuple[int, Tensor]]


class Objective:
    """The losses of a recipe without the adversarial one, which needs a discriminator of its own.

    Args:
        recipe: its ``[loss]`` and ``[teacher]``.
        device: where tensors are.

    Raises:
        OptionError, ModelError, MissingExtraError: a perceptual model or a teacher that cannot be used.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        loss, teacher = recipe.loss, recipe.teacher
        self.scale = recipe.scale
        self.pixel = [(weight, load_loss(name)) for name, weight in loss.pixel.items()]
        self.last = [(1.0, load_loss(loss.finish_loss))]
        self.last_from = recipe.steps * (1 - loss.finish)
        self.consistency, self.perceptual, self.taught = loss.consistency, loss.perceptual, teacher.weight
        self.temporal, self.warping = loss.temporal, loss.warping
        self.features = (
            PerceptualLoss(loss.perceptual_model, loss.perceptual_layers).to(device) if self.perceptual else None
        )
        self.teacher = (
            load_teacher(recipe.teacher_model, recipe.scale, PLANES[recipe.data.planes].high, device)
            if teacher.model and teacher.weight
            else None
        )

    def finishing(self, step: int) -> bool:
        """Whether this step belongs to the end, where ``finish_loss`` stands alone."""
        return step >= self.last_from

    def __call__(self, outputs: _Outputs, low: Tensor, truth: Tensor, step: int) -> Tensor:
        """The loss of one batch.

        Args:
            outputs: (k, float32 (N, C, k*H, k*W)) pairs, the result last: see ``Network.supervised``.
            low: the network's input, uint8 (N, C, H, W).
            truth: float32 (N, C, scale*H, scale*W) in [0, 1].
            step: decides whether the end is reached.

        Returns:
            A scalar.  Pixel losses are averaged over the outputs; the others look at the result.
        """
        if self.finishing(step):
            return self._pixels(self.last, outputs, truth)
        result = outputs[-1][1]
        parts = [self._pixels(self.pixel, outputs, truth)] if self.pixel else []
        if self.temporal:
            parts.append(self.temporal * temporal(result, truth))
        if self.warping:
            parts.append(self.warping * warping(result, truth))
        if self.consistency:
            parts.append(self.consistency * consistency(result, low.float() / 255, self.scale))
        if self.features is not None:
            parts.append(self.perceptual * self.features(result, truth))
        if self.teacher is not None:
            parts.append(self.taught * (result - self.teacher(low.float() / 255)).abs().mean())
        return torch.stack(parts).sum() if len(parts) > 1 else parts[0]

    def _pixels(self, losses: list[tuple[float, PixelLoss]], outputs: _Outputs, truth: Tensor) -> Tensor:
        parts = []
        for scale, output in outputs:
            wanted = reduce_bicubic(truth, self.scale // scale)
            parts += [weight * loss(output, wanted) for weight, loss in losses]
        return torch.stack(parts).sum() / len(outputs) if len(parts) > 1 else parts[0]
