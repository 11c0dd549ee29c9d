"""Make the 8-bit form of a model in a folder, and note it in the model's card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from superres.deploy.quantise import export_int8, read_stack, tensor_of_bytes, train_quantised
from superres.errors import OptionError
from superres.networks.quantised import LARGEST_CODE, QuantisedStack
from superres.training.data import find_pictures, load_pairs
from superres.training.recipe import DataOptions
from superres.training.source import BatchSource
from superres.zoo import Int8, ModelCard, load_model, write_card

__all__ = ["make_int8"]

# Batches that the activations' ranges are taken from.
_SAMPLE_BATCHES = 8


def make_int8(
    name: str,
    scale: int,
    folder: Path,
    data: Path,
    *,
    steps: int = 0,
    rate: float = 2e-4,
    threads: int = 0,
    report: Callable[[int, float], None] | None = None,
) -> ModelCard:
    """Write ``{name}_x{scale}.int8.onnx`` beside the float32 file; the card, rewritten, of both.

    Args:
        name: family name of a stack.
        scale: which of its networks.
        folder: where they lie.
        data: folder of training pictures, searched recursively.
        steps: training steps in 8-bit arithmetic, where rounding alone loses too much; 0 for none.
        rate: first learning rate of those steps.
        threads: cores, 0 for all.
        report: see :func:`superres.deploy.quantise.train_quantised`.

    Raises:
        OptionError: negative steps or threads, or a rate that is not above 0.
        ModelError: no such model, or one that is not a stack of convolutions.
        TrainingError: no pictures, an unusable one, or a loss that is not finite.
        OutputError: a file cannot be written; the old ones stay.
    """
    if steps < 0 or threads < 0 or not rate > 0:
        raise OptionError(f"steps {steps}, rate {rate}, threads {threads}: expected 0 or more, and a rate above 0")
    loaded = load_model(name, scale, folder)
    plain = read_stack(loaded.onnx, loaded.card.stem)
    if threads:
        torch.set_num_threads(threads)
    # What the network is made for, since the activations' ranges follow it.
    degradation = loaded.card.recipe.get("data", {}).get("degradation", "bicubic")
    options = DataOptions(folders=(".",), patch=32, batch=8, degradation=degradation)
    pairs = load_pairs(find_pictures(data, options.folders), scale, options)
    source = BatchSource(pairs, scale, options, seed=1)
    sample = np.concatenate([low for low, _ in source.batches(steps, steps + _SAMPLE_BATCHES)])
    stack = QuantisedStack(plain, tensor_of_bytes(sample))
    if steps:
        train_quantised(stack, plain, (low for low, _ in source.batches(0, steps)), steps, rate, report)
    target = folder / f"{loaded.card.stem}.int8.onnx"
    export_int8(stack, target)
    card = replace(loaded.card, int8=Int8(hashlib.sha256(target.read_bytes()).hexdigest(), steps, LARGEST_CODE))
    write_card(card, folder / f"{card.stem}.toml")
    return card
