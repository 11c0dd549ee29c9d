"""``superres degrade``: ground truth in, pairs for tests out."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from superres.cli.jobs import find_inputs
from superres.cli.pairs import PairFolder, read_plain, run_each
from superres.degrade import load_degradation
from superres.degrade.steps import describe
from superres.errors import InputError, OptionError, OutputError

__all__ = ["PairOptions", "run_degrade"]


@dataclass(frozen=True)
class PairOptions:
    """How low resolution is made.

    Attributes:
        scale: 1 to 16.
        kind: a key of :data:`superres.degrade.DEGRADATIONS`.
        seed: 0 or more; with a picture's name it decides that picture's degradation, whatever else is degraded.
        margin: low-resolution pixels cut from every side afterwards, whose filters saw a mirrored border.

    Raises:
        OptionError: a value out of range or an unknown kind.
    """

    scale: int = 4
    kind: str = "bicubic"
    seed: int = 0
    margin: int = 0

    def __post_init__(self) -> None:
        load_degradation(self.kind)
        if not 1 <= self.scale <= 16:
            raise OptionError(f"scale {self.scale}: expected a whole number from 1 to 16")
        if self.seed < 0 or self.margin < 0:
            raise OptionError(f"seed {self.seed} and margin {self.margin}: expected 0 or more")


def run_degrade(inputs: Sequence[str], output: Path, options: PairOptions, *, recursive: bool, overwrite: bool) -> int:
    """Make a pair of every input; the exit code: 0 all done, 2 some failed.

    Raises:
        OptionError: no such input; nothing was touched.
        OutputError: the folder cannot be used.
    """
    found = find_inputs([Path(text) for text in inputs], recursive)
    folder = PairFolder(output, ["source", "width", "height", "scale", "kind", "seed", "margin", "steps"], overwrite)
    taken: dict[str, Path] = {}

    def work(index: int) -> str:
        source = found[index][0]
        first = taken.setdefault(source.stem, source)
        if first != source:
            raise OutputError(f"{source}: its pair would be named like that of {first}; rename one, or use another -o")
        return _make(source, folder, options)

    return run_each([source.name for source, _ in found], work)


def _make(source: Path, folder: PairFolder, options: PairOptions) -> str:
    """Make one pair; a line about it, empty when it was there."""
    name, scale, margin = source.stem, options.scale, options.margin
    settings = {"scale": scale, "kind": options.kind, "seed": options.seed, "margin": margin}
    if folder.holds(name, settings):
        return ""
    picture, metadata = read_plain(source)
    height, width = (length // scale for length in picture.shape[:2])
    if min(height, width) < 2 * margin + 1:
        raise InputError(
            f"{source}: {picture.shape[1]} x {picture.shape[0]} pixels are too small at x{scale} with a margin of "
            f"{margin}: expected {(2 * margin + 1) * scale} x {(2 * margin + 1) * scale} at least"
        )
    high = np.ascontiguousarray(picture[: height * scale, : width * scale])
    degradation = load_degradation(options.kind)
    low = degradation(high, scale, _generator(name, options.seed))
    # The same generator draws the same steps: what the degradation did, in words.
    steps = describe(degradation.steps(_generator(name, options.seed))) if degradation.random else options.kind
    low = low[margin : height - margin, margin : width - margin]
    high = high[margin * scale : (height - margin) * scale, margin * scale : (width - margin) * scale]
    size = {"source": source, "width": low.shape[1], "height": low.shape[0]}
    folder.add(name, low, high, metadata, {**size, **settings, "steps": steps})
    return f"{source} → low/{name}.png  {high.shape[1]}×{high.shape[0]} → {low.shape[1]}×{low.shape[0]}  {steps}"


def _generator(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng((seed, zlib.crc32(name.encode("utf-8", "surrogateescape"))))
