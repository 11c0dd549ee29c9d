"""Softer truth: a share of what a trained model makes of a picture's low resolution is mixed into its high resolution.

What no network can know from a few pixels is noise to the one that learns: its gradients point everywhere, and their
mean is found in many steps.  A teacher's results hold little of that, so a student comes near to them in far fewer.
The rest of the truth keeps what the teacher does not know.

References:
    G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015.
    I. Radosavovic et al., "Data Distillation: Towards Omni-Supervised Learning", CVPR 2018 (the mean over flips and
    turns of a picture teaches).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from superres.errors import OptionError
from superres.image import Image
from superres.pipeline import Options, Upscaler
from superres.training.augment import averaged
from superres.training.cache import PairCache
from superres.training.data import Pair
from superres.zoo import load_model, locate

__all__ = ["softened"]


def softened(
    pairs: Sequence[Pair], scale: int, model: str, blend: float, threads: int, cache: PairCache | None = None
) -> list[Pair]:
    """Pairs whose truth holds a share of a teacher's result, which is the mean over eight flips and turns.

    Args:
        pairs: with low resolution.
        scale: enlargement factor.
        model: the teacher: a family of the zoo, or ``FOLDER/NAME``.
        blend: the share.
        threads: cores, 0 for all.
        cache: keeps the teacher's results; None for none.

    Raises:
        OptionError: a pair has no low resolution, as its patches are degraded one by one; or the teacher is a
            checkpoint.
        ModelError: no such model, or not at this scale.
        TrainingError, OutputError: a file of the cache is damaged, or cannot be written.
    """
    if any(pair.low is None for pair in pairs):
        raise OptionError(
            f"teacher.blend = {blend} with a random data.degradation: every patch would need a result of its "
            "own; expected 'bicubic', or teacher.weight in its place"
        )
    if model.endswith(".pt"):
        raise OptionError(f"teacher.blend with teacher.model = {model!r}: expected a model, see --export")
    folder, name = locate(model)
    digest = load_model(name, scale, folder).card.sha256
    options = Options(scale=scale, model=model, precision="fp32", threads=threads, ensemble=True)
    with Upscaler(options) as upscaler:
        return [_softened(pair, upscaler, blend, digest, cache) for pair in pairs]


def _softened(pair: Pair, upscaler: Upscaler, share: float, digest: str, cache: PairCache | None) -> Pair:
    low = np.asarray(pair.low)
    key = cache.key_of_result(digest, low) if cache else ""
    found = cache.find(key) if cache else None
    taught = found[0] if found else upscaler.image(Image.from_array(low)).samples
    if cache and not found:
        cache.keep(key, (taught, None))
    return replace(pair, high=averaged(taught, pair.high, share))
