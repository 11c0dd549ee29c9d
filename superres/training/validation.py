"""Validation: the averaged network on a few pictures, PSNR in the published protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from superres.degrade import load_degradation
from superres.errors import OptionError
from superres.metrics.protocol import score
from superres.networks.base import Network
from superres.training.data import find_pictures, read_picture
from superres.training.recipe import Recipe

__all__ = ["Validation", "Validator"]

Bytes = npt.NDArray[np.uint8]

#: Pictures that are measured, and their largest side: seconds, not minutes, each time.
_PICTURES, _SIDE = 5, 768


@dataclass(frozen=True)
class Validation:
    """One measurement: mean luma PSNR in dB, and the results by picture name, uint8 (H, W, 3)."""

    psnr: float
    pictures: dict[str, Bytes]


class Validator:
    """The first pictures of a folder, their centres if they are large, and their low resolution.

    Args:
        folder: of ground-truth pictures.
        recipe: its scale and degradation; a random one is drawn once per picture.

    Raises:
        TrainingError: no pictures there, or one that is unreadable or too small.
        OptionError: the recipe's network needs a guide, which these pictures have not, or enlarges rows alone.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        if recipe.data.planes == "guided":
            raise OptionError(f"validate {folder}: its pictures have no guide, which this recipe's network needs")
        if recipe.data.planes == "rows":
            raise OptionError(f"validate {folder}: this recipe's network enlarges rows alone: leave it out")
        self._scale = recipe.scale
        degrade = load_degradation(recipe.data.degradation)
        self._pairs: list[tuple[str, Bytes, Bytes]] = []
        for index, path in enumerate(find_pictures(folder, ["."])[:_PICTURES]):
            # SSIM's window, which the protocol measures too, fits into 16 low-resolution pixels at every scale.
            high = _centre(read_picture(path, recipe.scale, smallest=16), recipe.scale)
            taken = {name for name, _, _ in self._pairs}
            # Two of one stem are told apart by where they lie.
            name = "-".join(path.relative_to(folder).parts) if path.stem in taken else path.stem
            self._pairs.append((name, high, degrade(high, recipe.scale, np.random.default_rng((0, index)))))

    def measure(self, network: Network, device: torch.device) -> Validation:
        """Enlarge and score every picture in float32.

        Args:
            network: in evaluation mode; moved to ``device``.
            device: where it runs.
        """
        network = network.to(device)
        pictures = {name: _enlarged(network, low, device) for name, _, low in self._pairs}
        scores = [score(pictures[name], high, self._scale).psnr for name, high, _ in self._pairs]
        return Validation(float(np.mean(scores)), pictures)


@torch.no_grad()
def _enlarged(network: Network, low: Bytes, device: torch.device) -> Bytes:
    """uint8 (H, W, 3) -> uint8 (scale*H, scale*W, 3); a network of one channel takes each colour alone."""
    planes = torch.from_numpy(low).to(device).permute(2, 0, 1).float() / 255
    large = network(planes[:, None])[:, 0] if network.channels == 1 else network(planes[None])[0]
    high: npt.NDArray[Any] = large.permute(1, 2, 0).cpu().numpy()
    return np.asarray(np.clip(high, 0, 1) * np.float32(255) + np.float32(0.5), np.uint8)


def _centre(picture: Bytes, scale: int) -> Bytes:
    """At most :data:`_SIDE` pixels a side, multiples of the scale."""
    limit = _SIDE // scale * scale
    top, left = (max(0, length - limit) // 2 for length in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + limit, left : left + limit])
