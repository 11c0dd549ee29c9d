"""Enlarge one picture in one way, and end: ``python -m superres.benchmark.once NAME SCALE FOLDER RUNTIME THREADS H W``.

A process of its own, so that its memory is that of nothing else; see :mod:`superres.benchmark.memory`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from superres.benchmark.contenders import bicubic_contender, model_contenders
from superres.benchmark.speed import noise
from superres.zoo import load_model

__all__ = ["enlarge_once"]


def enlarge_once(arguments: Sequence[str]) -> None:
    """Enlarge noise as a contender does.

    Args:
        arguments: name of the model, or ``bicubic``; scale; folder of the model; runtime, as contenders call it;
            threads; height and width of the picture.
    """
    name, scale, folder, runtime, *numbers = arguments
    threads, height, width = map(int, numbers)
    if name == "bicubic":
        contenders = iter([bicubic_contender(int(scale))])
    else:
        card = load_model(name, int(scale), Path(folder)).card
        contenders = model_contenders(card, Path(folder), threads, with_torch=True, runtime=runtime)
    next(contenders).run(noise(height, width))


if __name__ == "__main__":
    enlarge_once(sys.argv[1:])
