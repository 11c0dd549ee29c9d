"""The training loop: one readable pass from recipe to averaged weights, resumable at every checkpoint.

Fabric carries what differs between a processor, a GPU and several processes; the order of things is here.
"""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from superres.atomic import make_folder
from superres.errors import OptionError, TrainingError
from superres.networks.base import Network
from superres.training.adversarial import Adversary
from superres.training.cache import PairCache
from superres.training.checkpoint import averaged, make_network, read_checkpoint, same_recipe, write_checkpoint
from superres.training.clips import ClipSource, make_clips
from superres.training.data import find_pictures, generate_pairs, load_pairs
from superres.training.device import make_fabric, seed_draws
from superres.training.objective import Objective
from superres.training.optim import freeze, make_optimisers
from superres.training.recipe import Recipe
from superres.training.schedule import rate_factor
from superres.training.softened import softened
from superres.training.source import BatchSource
from superres.training.warm import warm_start
from superres.training.watching import Observer, Report, Watching

__all__ = ["TrainingRun"]

Bytes = npt.NDArray[np.uint8]


class _Supervised(nn.Module):
    """The network as training calls it: bytes in, because Fabric would round float inputs to the reduced precision."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, low: Tensor) -> list[tuple[int, Tensor]]:
        """uint8 (N, C, H, W) -> outputs, see :meth:`superres.networks.base.Network.supervised`."""
        return self.network.supervised(low.float().div_(255))


class TrainingRun:
    """One training: network, optimisers, averaged weights, and the step reached.

    Args:
        recipe: what to train.
        folder: where ``checkpoint.pt`` and ``log.csv`` are kept; an existing checkpoint of the same recipe is
            continued, with the same result as a run that was never stopped.
        threads: cores to use, 0 for all.
        fabric: where it runs; one process, this one, when None.

    Raises:
        TrainingError: the checkpoint in ``folder`` belongs to another recipe, or is damaged.
        OptionError, ModelError: what the recipe asks for cannot be.
        OutputError: ``folder`` cannot be made.
    """

    def __init__(self, recipe: Recipe, folder: Path, *, threads: int = 0, fabric: Fabric | None = None) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.recipe, self.folder, self.step, self._threads = recipe, folder, 0, threads
        self.checkpoint = folder / "checkpoint.pt"
        self.fabric = fabric or make_fabric(recipe.precision)
        self.network = make_network(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if recipe.warm_start and not self.checkpoint.exists():
            warm_start(self.network, recipe.warm_start)
        freeze(self.network, recipe.freeze)
        self.optimisers = make_optimisers(self.network, recipe.optimiser)
        self._groups = [group for o in self.optimisers for group in o.param_groups]
        self._model, *self._steppers = self.fabric.setup(_Supervised(self.network), *self.optimisers)
        self.average = [p.detach().clone() for p in self.network.parameters()]
        self.objective = Objective(recipe, self.fabric.device)
        self.adversary = (
            Adversary(recipe.adversarial, self.network.channels, self.fabric) if recipe.loss.adversarial else None
        )
        make_folder(folder, "run")
        if self.checkpoint.exists():
            self._restore()

    def train(self, data: Path, report: Report, watching: Watching | None = None, *, cache: Path | None = None) -> None:
        """Run to the recipe's last step; a finished run is left as it is.

        Args:
            data: the folder that the recipe's data folders lie in.
            report: called at every report of ``watching``, in the first process only.
            watching: reports, loggers, validation, checkpoints; the defaults when None.
            cache: a folder that keeps the pictures as they are trained on, made if absent; None for none.  The
                batches are the same with and without.

        Raises:
            TrainingError: no pictures, an unusable picture, a loss or gradient that is not finite (its step and
                pictures are named).
            OptionError: an unknown degradation or logger, or a batch that cannot be shared out.
            OutputError: a checkpoint cannot be written; the last good one is kept.
        """
        recipe, watching = self.recipe, watching or Watching()
        if self.step == recipe.steps:
            return
        if recipe.data.frames and watching.validate:
            raise OptionError(
                f"validate {watching.validate}: its pictures do not move, and this recipe trains on clips; leave it out"
            )
        if recipe.data.frames and cache:
            raise OptionError(f"cache {cache}: it keeps pictures, and this recipe trains on clips; leave it out")
        source = self._open_source(data, cache)
        observer = Observer(recipe, self.folder, self.step, watching, report, self.fabric)
        with observer, contextlib.closing(source.batches(self.step, recipe.steps)) as batches:
            saved = time.monotonic()
            for low, high in batches:
                try:
                    loss, error = self._one_step(low, high, observer.measures(self.step))
                except FloatingPointError as fault:
                    raise TrainingError(self._not_finite(str(fault), source.files(self.step))) from fault
                self.step += 1
                observer.after(self.step, loss, error, self.averaged_network)
                if time.monotonic() - saved > watching.save_seconds or self.step == recipe.steps:
                    self.save()
                    saved = time.monotonic()

    def _open_source(self, data: Path, cache: Path | None) -> BatchSource | ClipSource:
        """Every picture of the recipe in memory, and the batches that are cut from them."""
        recipe, options = self.recipe, self.recipe.data
        rank, ranks = self.fabric.global_rank, self.fabric.world_size
        if options.frames:
            clips = make_clips(find_pictures(data, options.folders), recipe.scale, options, recipe.seed)
            return ClipSource(clips, recipe.scale, options, recipe.seed, steps=recipe.steps, rank=rank, ranks=ranks)
        kept = PairCache(cache, recipe.scale, options.degradation) if cache else None
        pairs = load_pairs(find_pictures(data, options.folders), recipe.scale, options, cache=kept)
        drawn = generate_pairs(recipe.scale, options, recipe.seed, cache=kept) if options.generated else []
        if recipe.teacher.blend:
            pairs = softened(pairs, recipe.scale, recipe.teacher_model, recipe.teacher.blend, self._threads, kept)
        return BatchSource(
            pairs, recipe.scale, options, recipe.seed, steps=recipe.steps, drawn=drawn, rank=rank, ranks=ranks
        )

    def _one_step(self, low: Bytes, high: Bytes, measure: bool) -> tuple[float, float | None]:
        """Forward, backward, clip, update, average; the loss, and the mean squared error if it is wanted.

        Raises:
            FloatingPointError: a loss or gradient is not finite; the checkpoint has not been touched.
        """
        recipe, options = self.recipe, self.recipe.optimiser
        factor = rate_factor(self.step, recipe.steps, options)
        for group in self._groups:
            group["lr"] = options.rate * factor
        # Whatever a network draws, as dropout does, is a function of seed and step too.
        seed_draws(hash((recipe.seed, self.step, self.fabric.global_rank)), self.fabric.device)

        inputs, truth = self._tensor(low), self._tensor(high).float().div_(255)
        outputs = self._model(inputs)
        result = outputs[-1][1]
        loss = self.objective(outputs, inputs, truth, self.step)
        adversary = self._adversary_now()
        if adversary:
            loss = loss + recipe.loss.adversarial * adversary.loss(result, truth)
        value = _finite("loss", loss)

        self.fabric.backward(loss)
        for optimiser in self.optimisers:  # nothing but with fp16, whose gradients are scaled up
            self.fabric.strategy.precision.unscale_gradients(optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), options.clip or math.inf)
        if recipe.precision != "fp16":  # whose scaler expects such steps and leaves them out
            _finite("gradient", norm)  # clipping would spread it to every weight, and into the next checkpoint
        for stepper in self._steppers:
            stepper.step()
            stepper.zero_grad(set_to_none=True)

        # The average starts as a plain mean so that early weights do not linger in it.
        decay = min(options.ema, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.network.parameters()], 1 - decay)
        if adversary:
            _finite("discriminator's loss", adversary.step(result, truth, factor))
        return value, functional.mse_loss(result.detach(), truth).item() if measure else None

    def _adversary_now(self) -> Adversary | None:
        """The discriminator in the steps that it takes part in."""
        started = self.step >= self.recipe.adversarial.start * self.recipe.steps
        return self.adversary if started and not self.objective.finishing(self.step) else None

    def _tensor(self, patches: Bytes) -> Tensor:
        """(N, H, W, C) uint8 -> (N, C, H, W) uint8 on the device; channels-last in memory without a copy."""
        return torch.from_numpy(patches).to(self.fabric.device).permute(0, 3, 1, 2)

    def _not_finite(self, what: str, files: list[str]) -> str:
        return (
            f"{what} at step {self.step} (seed {self.recipe.seed}): lower optimiser.rate, or look at that batch's "
            f"pictures ({', '.join(files)}); the checkpoint before it is kept in {self.folder}"
        )

    def averaged_network(self) -> Network:
        """A copy of the network that holds the averaged weights: what is evaluated and exported."""
        return averaged(self.recipe, self.network, self.average)

    def save(self) -> None:
        """Write the checkpoint beside its target and rename it; one process does it for all."""
        if not self.fabric.is_global_zero:
            return
        state: dict[str, Any] = {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimisers": [o.state_dict() for o in self.optimisers],
            "adversary": self.adversary.state() if self.adversary else {},
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        write_checkpoint(self.checkpoint, self.recipe, state)

    def _restore(self) -> None:
        state = read_checkpoint(self.checkpoint)
        if not same_recipe(state, self.recipe):
            raise TrainingError(
                f"{self.checkpoint} belongs to another recipe; choose another --run folder, or remove it to start anew"
            )
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average = [value.to(self.fabric.device) for value in state["average"]]
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        # Loading gives an optimiser other groups than it had.
        self._groups = [group for o in self.optimisers for group in o.param_groups]
        if self.adversary:
            self.adversary.restore(state["adversary"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])


def _finite(what: str, value: Tensor) -> float:
    """The number; FloatingPointError when it is none."""
    number = value.item()
    if not math.isfinite(number):
        raise FloatingPointError(f"{what} is {number}")
    return number
