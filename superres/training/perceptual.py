"""Perceptual loss: the distance of another network's features.

Reference:
    J. Johnson, A. Alahi, L. Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016;
    features before the activation as in X. Wang et al., "ESRGAN", ECCV Workshops 2018.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.errors import MissingExtraError, OptionError
from superres.training.onnx_features import OnnxFeatures

__all__ = ["PerceptualLoss"]

# What ImageNet's networks were trained with, per channel of R'G'B' in [0, 1].
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

_PREFIX = "torchvision:"


class PerceptualLoss(nn.Module):
    """L1 distance of features, averaged over layers.  Its network is fixed.

    Args:
        model: an ONNX file that takes (N, 3, H, W) normalised as ImageNet, or ``torchvision:NAME``.
        layers: features are taken after these convolutions, counted from 1; empty for the last one.

    Raises:
        OptionError: no such file or network, an operator that is not known here, weights that are not on this
            machine, or a layer beyond the last.
        MissingExtraError: onnx or torchvision is not installed.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: str, layers: Sequence[int] = ()) -> None:
        super().__init__()
        if model.startswith(_PREFIX):
            self.features: nn.Module = _TorchvisionFeatures(model.removeprefix(_PREFIX), layers)
        else:
            self.features = OnnxFeatures(Path(model), layers)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(_DEVIATION)[:, None, None])
        self.requires_grad_(False).eval()

    def forward(self, result: Tensor, truth: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] twice -> scalar."""
        with torch.no_grad():
            wanted = self.features((truth - self.mean) / self.deviation)
        found = self.features((result - self.mean) / self.deviation)
        distances = [functional.l1_loss(a, b) for a, b in zip(found, wanted, strict=True)]
        return torch.stack(distances).mean()


class _TorchvisionFeatures(nn.Module):
    """The convolutional part of a classification network of torchvision, whose weights are on this machine already."""

    def __init__(self, name: str, layers: Sequence[int]) -> None:
        super().__init__()
        models = _torchvision_models(name)
        weights = models.get_model_weights(name).DEFAULT
        file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
        if not file.is_file():
            raise OptionError(
                f"{_PREFIX}{name}: its weights are not on this machine, and nothing is downloaded unasked; fetch them "
                f"with  python -c \"import torchvision; torchvision.models.get_model('{name}', weights='DEFAULT')\""
            )
        network = models.get_model(name)
        network.load_state_dict(torch.load(file, weights_only=True))
        features = getattr(network, "features", None)
        if not isinstance(features, nn.Sequential):
            raise OptionError(f"{_PREFIX}{name} has no plain stack of features: expected one such as vgg19 or alexnet")
        places = [index for index, module in enumerate(features) if isinstance(module, nn.Conv2d)]
        wanted = [*layers] or [len(places)]
        if max(wanted) > len(places):
            raise OptionError(f"perceptual layer {max(wanted)}: {_PREFIX}{name} has {len(places)} convolutions")
        self.taken = {places[layer - 1] for layer in wanted}
        self.stack = nn.ModuleList(list(features)[: max(self.taken) + 1])
        for module in self.stack:
            if isinstance(module, nn.ReLU):
                module.inplace = False  # would overwrite the features that were just taken

    def forward(self, batch: Tensor) -> list[Tensor]:
        taken = []
        for index, module in enumerate(self.stack):
            batch = module(batch)
            if index in self.taken:
                taken.append(batch)
        return taken


def _torchvision_models(name: str) -> Any:
    """``torchvision.models``, once it is known to have the network."""
    try:
        models = importlib.import_module("torchvision.models")
    except ImportError as error:
        raise MissingExtraError("torchvision", "perceptual") from error
    if name not in models.list_models():
        raise OptionError(f"{_PREFIX}{name}: torchvision has no such network; see torchvision.models.list_models()")
    return models
