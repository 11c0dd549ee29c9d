"""A small network trained for one volume: to undo thick slices, shown by its own sharp in-plane pictures.

A picture within a slice is sharp along both axes.  The mean of every ``factor`` rows makes of it what a plane across
thick slices looks like (a box for the slice profile), with the truth beside it.

References:
    C. Zhao et al., "SMORE: A Self-Supervised Anti-Aliasing and Super-Resolution Algorithm for MRI Using Deep Learning",
    IEEE TMI 40(3), 2021.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from superres.errors import OptionError, TrainingError
from superres.networks.rows import RowNetwork
from superres.training.optim import Muon

__all__ = ["RowTraining", "enlarge_rows", "thick_rows", "train_rows"]

Floats = npt.NDArray[np.float32]

#: Steps over which the learning rate rises to its peak.
_WARMUP = 50


@dataclass(frozen=True)
class RowTraining:
    """How a network for one volume is trained.

    Attributes:
        steps: of the optimiser.
        batch: windows per step.
        rows, columns: of a window, in thick rows; less where the pictures are smaller.
        rate: peak learning rate; it rises over the first steps and falls along a cosine.
        features, layers: of :class:`~superres.networks.rows.RowNetwork`, where it begins with nothing.
        seed: of the start and of the windows: the same pictures give the same network.
        threads: cores, 0 for all.
    """

    steps: int = 500
    batch: int = 16
    rows: int = 12
    columns: int = 48
    rate: float = 4e-3
    features: int = 32
    layers: int = 6
    seed: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            OptionError: one is out of its range.
        """
        if min(self.steps, self.batch, self.rows, self.columns) < 1 or self.threads < 0 or not 0 < self.rate < 1:
            raise OptionError(
                f"{self}: expected at least 1 of steps, batch, rows and columns, 0 or more threads, and a rate between "
                "0 and 1"
            )


def thick_rows(plane: Floats, factor: int) -> Floats:
    """The mean of every ``factor`` rows: (factor * h, w) -> (h, w); rows that make up no whole one are left out."""
    whole = plane[: plane.shape[0] // factor * factor]
    thick: Floats = whole.reshape(-1, factor, plane.shape[1]).mean(axis=1, dtype=np.float32)
    return thick


def train_rows(
    planes: Sequence[Floats],
    factor: int,
    options: RowTraining,
    step: Callable[[], None] = lambda: None,
    start: RowNetwork | None = None,
) -> RowNetwork:
    """Train a network to enlarge rows.

    Args:
        planes: (h, w) float32, sharp along their rows, values around 0 to 1, without gaps; sizes may differ.
        factor: by which rows are to grow, 2 to 16.
        options: how.
        step: called after each step.
        start: a network to begin with, which stays as it is; one that knows nothing when None.

    Raises:
        OptionError: a factor out of range, or other than that of ``start``.
        TrainingError: no planes, one with fewer than ``2 * factor`` rows, or values that are not finite.
    """
    for plane in planes:
        if plane.shape[0] < 2 * factor:
            raise TrainingError(
                f"a picture of {plane.shape[0]} x {plane.shape[1]} samples shows too little of slices {factor} times "
                f"as thick: expected {2 * factor} rows or more"
            )
    if not planes:
        raise TrainingError("there is no picture to train on: expected one or more")
    if start is not None and start.scale != factor:
        raise OptionError(f"the start enlarges rows by {start.scale}, expected {factor}")
    with _threads(options.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = RowNetwork(factor, options.features, options.layers) if start is None else copy.deepcopy(start)
        network.train()
        windows = _windows(planes, network, options)
        body = [layer.weight for layer in network.body if isinstance(layer, torch.nn.Conv2d)]
        others = [one for one in network.parameters() if all(one is not kernel for kernel in body)]
        optimisers: list[torch.optim.Optimizer] = [Muon(body, options.rate), torch.optim.Adam(others, options.rate)]
        for index in range(options.steps):
            rate = options.rate * min(1, (index + 1) / _WARMUP) * (1 + math.cos(math.pi * index / options.steps)) / 2
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
                optimiser.zero_grad()
            thick, truth = next(windows)
            loss = (network(thick) - truth).abs().mean()
            if not torch.isfinite(loss):
                raise TrainingError(f"the training came apart at step {index + 1}: give values without gaps, 0 to 1")
            loss.backward()
            for optimiser in optimisers:
                optimiser.step()
            step()
    return network.eval()


def enlarge_rows(network: RowNetwork, plane: Floats, threads: int = 0) -> Floats:
    """A plane through a network: (h, w) -> (factor * h, w), mirrored at its edges; not clipped."""
    padded = np.pad(plane, network.halo, mode="symmetric")
    with _threads(threads), torch.inference_mode():
        made: Floats = network(torch.from_numpy(padded)[None, None])[0, 0].numpy()
    return made


def _windows(
    planes: Sequence[Floats], network: RowNetwork, options: RowTraining
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of (thick rows with a halo, their truth), for ever.

    Of two windows the one with more in it is taken: the empty ground around a head teaches nothing.
    """
    random = np.random.default_rng(options.seed)
    factor, halo = network.scale, network.halo
    rows = min(options.rows, *(plane.shape[0] // factor for plane in planes))
    columns = min(options.columns, *(plane.shape[1] for plane in planes))
    height, width = (rows + 2 * halo) * factor, columns + 2 * halo
    # As :func:`enlarge_rows` mirrors them, so that edges are learnt too.
    padded = [np.pad(plane, ((halo * factor,) * 2, (halo,) * 2), mode="symmetric") for plane in planes]

    def window() -> Floats:
        plane = padded[random.integers(len(padded))]
        top, left = random.integers(plane.shape[0] - height + 1), random.integers(plane.shape[1] - width + 1)
        return plane[top : top + height, left : left + width]

    while True:
        chosen = [max(window(), window(), key=np.std) for _ in range(options.batch)]
        turned = [one[:: random.choice((-1, 1)), :: random.choice((-1, 1))] for one in chosen]
        sharp = torch.from_numpy(np.stack(turned))[:, None]
        yield (
            sharp.view(options.batch, 1, -1, factor, width).mean(3),
            sharp[:, :, halo * factor : -halo * factor, halo:-halo],
        )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Torch on so many cores, 0 for as many as before; as before afterwards."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
