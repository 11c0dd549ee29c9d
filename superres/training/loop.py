"""The training loop: one readable pass from recipe to averaged weights, resumable at every checkpoint."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from superres.atomic import replace_file
from superres.errors import TrainingError
from superres.networks import build_network
from superres.networks.base import Network
from superres.training.data import PairSource, find_pictures, load_pairs
from superres.training.optim import Muon
from superres.training.recipe import OptimiserOptions, Recipe
from superres.training.warm import warm_start

__all__ = ["Progress", "TrainingRun", "charbonnier", "learning_rate_factor", "make_network"]


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows: step of steps, mean loss and its dB, steps per second, seconds left."""

    step: int
    steps: int
    loss: float
    steps_per_second: float

    @property
    def seconds_left(self) -> float:
        """Time to the last step at the present speed."""
        return (self.steps - self.step) / max(self.steps_per_second, 1e-9)


def learning_rate_factor(step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then half a cosine down to zero: 0 .. 1."""
    return min(1.0, (step + 1) / max(1, warmup)) * 0.5 * (1 + math.cos(math.pi * step / steps))


def charbonnier(output: Tensor, target: Tensor) -> Tensor:
    """Mean of ``sqrt(d^2 + 1e-6)``: L1, smooth at zero."""
    return torch.sqrt((output - target) ** 2 + 1e-6).mean()


_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": functional.l1_loss,
    "l2": functional.mse_loss,
    "charbonnier": charbonnier,
}

_CHECKPOINT_KEYS = {"recipe", "step", "network", "average", "optimisers"}


def make_network(recipe: Recipe) -> Network:
    """The untrained network of a recipe, initialised from its seed."""
    torch.manual_seed(recipe.seed)
    options = {key: value for key, value in asdict(recipe.network).items() if key != "architecture"}
    return build_network(recipe.network.architecture, recipe.scale, options)


def _optimisers(network: Network, options: OptimiserOptions) -> list[torch.optim.Optimizer]:
    """Muon for the hidden kernels and AdamW for the rest, or AdamW for all."""
    hidden = [p for name, p in network.named_parameters() if name.startswith("body") and p.ndim >= 2]
    rest = [p for name, p in network.named_parameters() if not (name.startswith("body") and p.ndim >= 2)]
    if options.name == "muon":
        return [Muon(hidden, options.rate), torch.optim.AdamW(rest, options.rate, weight_decay=0.0)]
    return [torch.optim.AdamW(hidden + rest, options.rate, weight_decay=0.0)]


class TrainingRun:
    """One training: network, optimisers, averaged weights, and the step reached.

    Args:
        recipe: what to train.
        folder: where ``checkpoint.pt`` and ``log.csv`` are kept; an existing checkpoint of the same recipe is
            continued, with the same result as a run that was never stopped.
        threads: cores to use, 0 for all.

    Raises:
        TrainingError: the checkpoint in ``folder`` belongs to another recipe, or is damaged.
    """

    def __init__(self, recipe: Recipe, folder: Path, *, threads: int = 0) -> None:
        if recipe.optimiser.loss not in _LOSSES:
            raise TrainingError(f"loss {recipe.optimiser.loss!r} is unknown: expected one of {sorted(_LOSSES)}")
        if threads:
            torch.set_num_threads(threads)
        self.recipe, self.folder, self.step = recipe, folder, 0
        self.network = make_network(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimisers = _optimisers(self.network, recipe.optimiser)
        self.rates = [group["lr"] for o in self.optimisers for group in o.param_groups]
        self.average = [p.detach().clone() for p in self.network.parameters()]
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self._restore()
        elif recipe.warm_start:
            warm_start(self.network, recipe.warm_start)
            self.average = [p.detach().clone() for p in self.network.parameters()]

    def train(
        self, data: Path, report: Callable[[Progress], None], *, every: int = 100, save_seconds: float = 120.0
    ) -> None:
        """Run to the recipe's last step.

        Args:
            data: the folder that the recipe's data folders lie in.
            report: called every ``every`` steps.
            every: steps between reports and log lines.
            save_seconds: wall time between checkpoints.

        Raises:
            TrainingError: no pictures, an unusable picture, a loss or gradient that is not finite (the step is named).
            OutputError: a checkpoint cannot be written; the last good one is kept.
        """
        recipe = self.recipe
        paths = find_pictures(data, recipe.data.folders)
        source = PairSource(load_pairs(paths, recipe.scale, recipe.data), recipe.scale, recipe.data, recipe.seed)
        saved = marked = time.monotonic()
        losses: list[float] = []
        for low, high in source.batches(self.step, recipe.steps):
            losses.append(self._one_step(low, high))
            self.step += 1
            if self.step % every == 0 or self.step == recipe.steps:
                now = time.monotonic()
                progress = Progress(self.step, recipe.steps, float(np.mean(losses)), len(losses) / (now - marked))
                self._log(progress)
                report(progress)
                marked, losses = now, []
            if time.monotonic() - saved > save_seconds or self.step == recipe.steps:
                self.save()
                saved = time.monotonic()

    def _one_step(self, low: np.ndarray[Any, Any], high: np.ndarray[Any, Any]) -> float:
        """Forward, backward, clip, update, average; the loss."""
        recipe, options = self.recipe, self.recipe.optimiser
        factor = learning_rate_factor(self.step, recipe.steps, options.warmup)
        groups = [group for o in self.optimisers for group in o.param_groups]
        for group, rate in zip(groups, self.rates, strict=True):
            group["lr"] = rate * factor
        inputs, target = _batch_tensor(low), _batch_tensor(high)
        with _precision(recipe.precision):
            output = self.network(inputs)
        finishing = self.step >= recipe.steps * (1 - options.finish_l2)
        loss = _LOSSES["l2" if finishing else options.loss](output, target)
        if not torch.isfinite(loss):
            raise TrainingError(self._not_finite("loss", loss.item()))
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.clip)
        if not torch.isfinite(norm):  # clipping would spread it to every weight, and into the next checkpoint
            raise TrainingError(self._not_finite("gradient", norm.item()))
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        # The average starts as a plain mean so that early weights do not linger in it.
        decay = min(options.ema, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.network.parameters()], 1 - decay)
        return loss.item()

    def _not_finite(self, what: str, value: float) -> str:
        return (
            f"{what} is {value} at step {self.step} (seed {self.recipe.seed}): lower optimiser.rate, or look at "
            f"that batch's pictures; the checkpoint before it is kept in {self.folder}"
        )

    def averaged_network(self) -> Network:
        """A copy of the network that holds the averaged weights: what is evaluated and exported."""
        network = make_network(self.recipe)
        with torch.no_grad():
            for parameter, value in zip(network.parameters(), self.average, strict=True):
                parameter.copy_(value)
        return network.eval()

    def save(self) -> None:
        """Write the checkpoint beside its target and rename it."""
        state = {
            "recipe": repr(self.recipe),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimisers": [o.state_dict() for o in self.optimisers],
        }
        # In memory first: torch hides the reason when the stream that it writes to fails.
        contents = io.BytesIO()
        torch.save(state, contents)
        with replace_file(self.checkpoint) as stream:
            stream.write(contents.getbuffer())

    def _restore(self) -> None:
        try:
            state = torch.load(self.checkpoint, weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise TrainingError(f"{self.checkpoint}: damaged checkpoint ({error}); remove it to start anew") from error
        if not isinstance(state, dict) or _CHECKPOINT_KEYS - state.keys():
            raise TrainingError(f"{self.checkpoint}: damaged checkpoint (not one of superres); remove it to start anew")
        if state["recipe"] != repr(self.recipe):
            raise TrainingError(
                f"{self.checkpoint} belongs to another recipe; choose another --run folder, or remove it to start anew"
            )
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)

    def _log(self, progress: Progress) -> None:
        path = self.folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            if new:
                writer.writerow(["step", "loss", "steps_per_second"])
            writer.writerow([progress.step, f"{progress.loss:.6f}", f"{progress.steps_per_second:.2f}"])


def _batch_tensor(patches: np.ndarray[Any, Any]) -> Tensor:
    """(N, H, W, C) uint8 -> (N, C, H, W) float32 in [0, 1]; channels-last in memory without a copy."""
    return torch.from_numpy(patches).permute(0, 3, 1, 2).float().div_(255)


def _precision(name: str) -> contextlib.AbstractContextManager[Any]:
    if name == "bf16":
        return torch.autocast("cpu", torch.bfloat16)
    return contextlib.nullcontext()
