"""Steps per second of the training loop beside a bare PyTorch loop on the same network, in one run.

    python benchmarks/training.py recipes/realtime_x4.toml --data FOLDER

The two take turns, block by block, so that a busy moment of the machine falls on both.  The bare loop has one batch in
memory and does nothing but forward, backward and the optimisers' step: no data path, no clipping, no averaged weights,
no checks.  A ratio of 1 would mean that all of these are free.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional

from superres.errors import SuperresError
from superres.training.checkpoint import make_network
from superres.training.device import keep_freed_memory
from superres.training.loop import TrainingRun
from superres.training.optim import make_optimisers
from superres.training.recipe import Recipe
from superres.training.recipe_file import load_recipe
from superres.training.watching import Progress, Watching


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the ratio; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        recipe = replace(load_recipe(options.recipe), steps=options.blocks * options.steps, warm_start="")
        recipe = replace(recipe, precision=options.precision or recipe.precision)
        ours, bare = _measure(recipe, options.data, options.blocks, options.steps, options.threads)
    except SuperresError as error:
        print(f"training.py: {error}", file=sys.stderr)
        return 1
    ratios = sorted(a / b for a, b in zip(ours, bare, strict=True))
    speeds = [options.steps / statistics.median(seconds) for seconds in (ours, bare)]
    print(
        f"{recipe.name}, {recipe.precision}, {torch.get_num_threads()} threads, {len(ours)} blocks of {options.steps}"
    )
    print(f"loop {speeds[0]:.1f} steps/s, bare {speeds[1]:.1f} steps/s")
    print(f"time of loop over bare: {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the folder that the recipe's data folders lie in")
    parser.add_argument("--blocks", type=int, default=11, help="turns of each loop; the first one is left out")
    parser.add_argument("--steps", type=int, default=100, help="steps per turn")
    parser.add_argument("--precision", default="", help="in place of the recipe's")
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    return parser


def _measure(recipe: Recipe, data: Path, blocks: int, steps: int, threads: int) -> tuple[list[float], list[float]]:
    """Seconds of each block of ours and of the bare loop."""
    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        keep_freed_memory()
        run = TrainingRun(recipe, Path(folder), threads=threads)
        step = _bare_step(recipe)
        marked = time.perf_counter()

        def turn(progress: Progress) -> None:
            """The loop's block is over: now the bare one's."""
            nonlocal marked
            ours.append(time.perf_counter() - marked)
            started = time.perf_counter()
            for _ in range(steps):
                step()
            bare.append(time.perf_counter() - started)
            print(f"block {len(ours)} of {blocks}: {ours[-1] / bare[-1]:.3f}", file=sys.stderr, flush=True)
            marked = time.perf_counter()

        run.train(data, turn, Watching(every=steps, save_seconds=1e9))
    return (ours[1:], bare[1:]) if blocks > 1 else (ours, bare)


def _bare_step(recipe: Recipe) -> Callable[[], None]:
    """One step of a loop that does nothing else, on one batch."""
    network = make_network(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimisers = make_optimisers(network, recipe.optimiser)
    patch, batch = recipe.data.sizes(0.0)
    low = torch.rand(batch, 3, patch, patch).contiguous(memory_format=torch.channels_last)
    side = patch * recipe.scale
    high = torch.rand(batch, 3, side, side).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16"):
            result = network(low)
        functional.l1_loss(result, high).backward()
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    return step


if __name__ == "__main__":
    sys.exit(main())
