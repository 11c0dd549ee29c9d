"""What the values of a recipe may be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from superres.errors import OptionError, near_match

if TYPE_CHECKING:
    from superres.training.recipe import AdversarialOptions, DataOptions, OptimiserOptions, Recipe

__all__ = ["check_recipe"]

# A key, its value, whether that is good, what was expected.
_Check = tuple[str, object, bool, str]

# Of ``data``: shares of the patches.
_SHARES = ("mixup", "cutblur", "colour", "decorrelated", "rough", "generated")


def check_recipe(recipe: Recipe) -> None:
    """Refuse values out of their range.

    Raises:
        OptionError: the first one, named with what was expected.
    """
    parts = (_plain(recipe), _optimiser(recipe.optimiser), _data(recipe.data), _loss(recipe))
    for key, value, good, expected in chain(*parts, _adversarial(recipe.adversarial), _clips(recipe)):
        if not good:
            raise OptionError(f"recipe {recipe.name!r}: {key} = {value!r}, expected {expected}")


def _plain(recipe: Recipe) -> Iterator[_Check]:
    yield "scale", recipe.scale, 1 <= recipe.scale <= 16, "1 to 16"
    yield "steps", recipe.steps, recipe.steps >= 1, "at least 1"
    yield "seed", recipe.seed, 0 <= recipe.seed < 2**63, "0 to 2^63 - 1"
    yield _choice("precision", recipe.precision, ("bf16", "fp32", "fp16"))
    # Each of Muon's two optimisers would have a gradient scale of its own.
    both = (recipe.precision, recipe.optimiser.name)
    yield "precision", recipe.precision, both != ("fp16", "muon"), "bf16 with muon, or adamw with fp16"
    share = recipe.warm_share
    yield "warm_share", share, share == 0 or (0 < share < 1 and bool(recipe.warm_start)), "0 to 1, of a warm_start"
    yield "teacher.weight", recipe.teacher.weight, recipe.teacher.weight >= 0, "at least 0"
    taught = recipe.teacher.model != "warm_start" or bool(recipe.warm_start)
    yield "teacher.model", recipe.teacher.model, taught, "a model, or a warm_start"
    blend = recipe.teacher.blend
    yield "teacher.blend", blend, blend == 0 or (0 < blend <= 1 and bool(recipe.teacher.model)), "0 to 1, of a model"


def _optimiser(options: OptimiserOptions) -> Iterator[_Check]:
    yield _choice("optimiser.name", options.name, ("muon", "adamw", "adam", "sgd"))
    yield _choice("optimiser.schedule", options.schedule, ("cosine", "wsd"))
    yield "optimiser.rate", options.rate, options.rate > 0, "above 0"
    yield "optimiser.hidden", options.hidden, options.hidden > 0, "above 0"
    yield "optimiser.final_rate", options.final_rate, 0 <= options.final_rate <= options.rate, "0 to optimiser.rate"
    yield _share("optimiser.cooldown", options.cooldown)
    yield "optimiser.ema", options.ema, 0 <= options.ema < 1, "0 to 1"
    for name in ("warmup", "weight_decay", "clip"):
        yield f"optimiser.{name}", getattr(options, name), getattr(options, name) >= 0, "at least 0"


def _data(data: DataOptions) -> Iterator[_Check]:
    yield _choice("data.planes", data.planes, ("colour", "grey", "guided", "rows"))
    yield "data.patch", data.patch, data.patch >= 8, "at least 8"
    yield "data.batch", data.batch, data.batch >= 1, "at least 1"
    starts = [start for start, _, _ in data.patches]
    rising = all(a < b for a, b in pairwise(starts)) and all(0 < start < 1 for start in starts)
    sound = all(patch >= 8 and batch >= 1 for _, patch, batch in data.patches)
    rows = "rows [from, patch, batch]: from between 0 and 1 and rising, patch at least 8, batch at least 1"
    yield "data.patches", data.patches, rising and sound, rows
    for name in _SHARES:
        yield _share(f"data.{name}", getattr(data, name))


def _loss(recipe: Recipe) -> Iterator[_Check]:
    loss = recipe.loss
    for name, value in vars(loss).items():
        if isinstance(value, int | float):
            yield f"loss.{name}", value, value >= 0, "at least 0"
    wanted = loss.pixel or loss.perceptual or (recipe.teacher.model and recipe.teacher.weight)
    yield "loss", loss, bool(wanted), "a weight above 0 for a pixel loss, the perceptual one, or a teacher"
    yield _share("loss.finish", loss.finish)
    yield _choice("loss.finish_loss", loss.finish_loss, ("l1", "l2", "charbonnier", "fourier"))
    model, layers = loss.perceptual_model, loss.perceptual_layers
    yield "loss.perceptual_model", model, bool(model) or not loss.perceptual, "a network, as loss.perceptual is above 0"
    colours = not loss.perceptual or recipe.data.planes == "colour"
    yield "loss.perceptual", loss.perceptual, colours, "0 unless data.planes is 'colour', which its network knows"
    planes = recipe.data.planes
    other = planes in ("guided", "rows")
    yield "loss.consistency", loss.consistency, not (other and loss.consistency), f"0 with data.planes = {planes!r}"
    yield "teacher.model", recipe.teacher.model, not (other and recipe.teacher.model), f"none with {planes!r} planes"
    yield "loss.perceptual_layers", layers, all(layer >= 1 for layer in layers), "whole numbers from 1"


def _adversarial(options: AdversarialOptions) -> Iterator[_Check]:
    yield _choice("adversarial.kind", options.kind, ("hinge", "bce"))
    yield "adversarial.features", options.features, options.features >= 1, "at least 1"
    yield "adversarial.rate", options.rate, options.rate > 0, "above 0"
    yield "adversarial.matching", options.matching, options.matching >= 0, "at least 0"
    yield _share("adversarial.start", options.start)


def _clips(recipe: Recipe) -> Iterator[_Check]:
    """What clips can be and pictures cannot, and the other way round."""
    data, loss = recipe.data, recipe.loss
    yield "data.frames", data.frames, data.frames == 0 or data.frames >= 2, "0, or at least 2"
    yield "data.clips", data.clips, data.clips >= 1, "at least 1"
    for name in ("temporal", "warping"):
        weight = getattr(loss, name)
        yield f"loss.{name}", weight, data.frames > 0 or not weight, "0 without data.frames"
    if data.frames:
        yield "data.planes", data.planes, data.planes == "grey", "'grey' with data.frames"
        yield "data.degradation", data.degradation, data.degradation == "bicubic", "its default with data.frames"
        yield "teacher.model", recipe.teacher.model, not recipe.teacher.model, "none with data.frames"
        for name in _SHARES:
            yield f"data.{name}", getattr(data, name), not getattr(data, name), "0 with data.frames"
        for name in ("perceptual", "adversarial"):
            yield f"loss.{name}", getattr(loss, name), not getattr(loss, name), "0 with data.frames"


def _share(key: str, value: float) -> _Check:
    return key, value, 0 <= value <= 1, "0 to 1"


def _choice(key: str, value: str, known: tuple[str, ...]) -> _Check:
    return key, value, value in known, f"one of {', '.join(known)}{near_match(value, known)}"
