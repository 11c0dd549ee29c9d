"""``superres quantize``: a model of 32-bit weights in, the same with 8-bit weights beside it."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from superres.errors import MissingExtraError
from superres.evaluation import Settings, evaluate_folder, model_enlarger
from superres.evaluation.scores import score_name
from superres.evaluation.sets import find_sets, load_set
from superres.pipeline import Options, Upscaler
from superres.zoo import ModelCard, locate, write_card

__all__ = ["quantise_model"]


def quantise_model(
    model: str, scale: int, data: Path, steps: int, rate: float, sets: Path | None, threads: int
) -> None:
    """Quantise a model, tell of it, and note in its card what it lost on test sets.

    Args:
        model: a name from the zoo, or ``FOLDER/NAME``.
        scale, data, steps, rate, threads: see :func:`superres.deploy.reduce.make_int8`.
        sets: folder of test sets; None to measure nothing.

    Raises:
        SuperresError: as :func:`superres.deploy.reduce.make_int8`.
        MissingExtraError: PyTorch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("torch", "train")
    from superres.deploy.reduce import make_int8

    def tell(step: int, codes: float) -> None:
        if step % 50 == 0 or step == steps:
            print(f"step {step}/{steps}  {codes:.3f} of 255 off the float32 network", file=sys.stderr, flush=True)

    if sets is not None:
        find_sets(sets, option="--evaluate")  # now, not after the work
    folder, name = locate(model)
    card = make_int8(name, scale, folder, data, steps=steps, rate=rate, threads=threads, report=tell)
    print(f"wrote {folder / card.stem}.int8.onnx")
    if sets is None:
        print("what it loses was not measured, so --precision auto leaves it alone: --evaluate TESTSETS measures it")
    else:
        loss, shift = _measured_loss(card, folder, sets, threads), _measured_shift(card, folder, sets, threads)
        write_card(replace(card, int8=replace(card.int8, loss=loss, shift=shift)), folder / f"{card.stem}.toml")


def _degradation(card: ModelCard) -> str:
    """What the model is there for: its loss on anything else says little."""
    return "measurement" if card.kind == "restore" else "bicubic"


def _measured_loss(card: ModelCard, folder: Path, sets: Path, threads: int) -> dict[str, float]:
    """PSNR of float32 minus that of int8, on each set."""
    scores: dict[str, list[float]] = {}
    for precision in ("fp32", "int8"):
        settings = Settings(
            card.scale,
            (str(folder / card.name),),
            ("psnr",),
            degradation=_degradation(card),
            precision=precision,
            threads=threads,
        )
        for result in evaluate_folder(sets, settings):
            name = score_name(result.scores[0].name, settings.degradation)
            scores.setdefault(name, []).append(result.scores[0].mean["psnr"])
    loss = {name: round(exact - rounded, 3) for name, (exact, rounded) in scores.items()}
    for name, value in loss.items():
        print(f"{card.stem} int8 on {name}: {-value:+.3f} dB against fp32")
    return loss


def _measured_shift(card: ModelCard, folder: Path, sets: Path, threads: int) -> dict[str, float]:
    """The largest change of a channel's mean that int8 makes in a picture of each set, in 8-bit codes."""
    shift = {}
    with contextlib.ExitStack() as stack:
        exact, rounded = (
            model_enlarger(
                stack.enter_context(
                    Upscaler(
                        Options(scale=card.scale, model=str(folder / card.name), precision=precision, threads=threads)
                    )
                ),
                card.scale,
            )
            for precision in ("fp32", "int8")
        )
        for name, pictures in find_sets(sets).items():
            lows = [truth.low for truth in load_set(pictures, card.scale, _degradation(card))]
            changes = [exact(low).mean((0, 1)) - rounded(low).mean((0, 1)) for low in lows]
            shift[name] = round(float(np.abs(changes).max()), 3)
            print(f"{card.stem} int8 on {name}: means of channels within {shift[name]:.3f} of fp32")
    return shift
