"""What networks for video offer: they take a few neighbouring frames and a state, and give a frame and the next state.

A clip is a batch (N, T, H, W) whose channels are the luma planes of T consecutive frames.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from superres.errors import OptionError
from superres.networks.base import Network

__all__ = ["NEIGHBOURS", "TemporalNetwork"]

#: Frames that a step looks at: the one before, the one to be enlarged, the one after.
NEIGHBOURS = 3


class TemporalNetwork(Network):
    """A network for video: luma (N, T, H, W) in [0, 1] -> (N, T, scale*H, scale*W), about [0, 1], not clipped.

    The deployable form (``fused``) is one step: frames (N, 3, H, W) and state (N, S, H, W) in, the enlarged frame
    (N, 1, scale*H, scale*W) and the next state out.

    Attributes:
        state_channels: S, channels of what is carried from frame to frame; it begins as zeros.
        halo: low-resolution pixels around a window, of frames and state, that one *step* depends on.
    """

    channels: ClassVar[int] = 1  # type: ignore[misc]

    state_channels: int

    def step(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One frame: (N, 3, H, W) the previous, present and next one, and the state, as in the class description."""
        raise OptionError(f"{type(self).__name__} defines no step")

    def forward(self, batch: Tensor) -> Tensor:
        """Every frame of a clip, one after the other; beyond its ends its first and last frame stand still."""
        count = batch.shape[1]
        state = torch.zeros(batch.shape[0], self.state_channels, *batch.shape[2:], device=batch.device)
        results = []
        for number in range(count):
            near = [max(number - 1, 0), number, min(number + 1, count - 1)]
            large, state = self.step(batch[:, near], state)
            results.append(large)
        return torch.cat(results, dim=1)
