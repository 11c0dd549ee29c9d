"""Distillation: a trained model whose results the network learns from beside the truth.

Reference:
    G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015,
    https://arxiv.org/abs/1503.02531; for super-resolution Z. He et al., "FAKD", ICIP 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from superres.backends import open_backend
from superres.errors import OptionError
from superres.training.checkpoint import trained_network
from superres.zoo import load_model, locate

__all__ = ["Teacher", "load_teacher"]

#: float32 (N, C, H, W) in [0, 1] -> float32 (N, C, scale*H, scale*W), without gradients.
Teacher = Callable[[Tensor], Tensor]


def load_teacher(model: str, scale: int, channels: int, device: torch.device) -> Teacher:
    """A teacher for a recipe.

    Args:
        model: a shipped family, ``FOLDER/NAME``, or the ``checkpoint.pt`` of a run.
        scale, channels: those of the recipe's network; the teacher must have them too.
        device: where its results are wanted; a checkpoint's network runs there too, a shipped model on the CPU.

    Raises:
        ModelError: no such model, or not at this scale.
        OptionError: a checkpoint of another scale, or a network of other channels or of something else than pictures.
        TrainingError: a checkpoint that cannot be read.
    """
    if model.endswith(".pt"):
        return _from_checkpoint(Path(model), scale, channels, device)
    return _from_zoo(model, scale, channels, device)


def _from_checkpoint(path: Path, scale: int, channels: int, device: torch.device) -> Teacher:
    network = trained_network(path)
    if (network.scale, network.channels) != (scale, channels):
        raise OptionError(
            f"teacher.model = {str(path)!r} enlarges {network.channels} channel(s) by {network.scale}, expected "
            f"{channels} by {scale}"
        )
    network = network.to(device)

    @torch.no_grad()
    def teach(low: Tensor) -> Tensor:
        result: Tensor = network(low)
        return result

    return teach


def _from_zoo(model: str, scale: int, channels: int, device: torch.device) -> Teacher:
    folder, name = locate(model)
    loaded = load_model(name, scale, folder)
    if not loaded.card.takes_pictures or loaded.card.channels != channels:
        raise OptionError(
            f"teacher.model = {model!r} is of kind {loaded.card.kind!r} with {loaded.card.channels} channel(s); "
            f"expected one that enlarges pictures of {channels}"
        )
    backend = open_backend("openvino", loaded.onnx, threads=torch.get_num_threads())

    def teach(low: Tensor) -> Tensor:
        return torch.from_numpy(backend.run(low.detach().cpu().contiguous().numpy())).to(device)

    return teach
