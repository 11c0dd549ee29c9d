"""Ground truth and low resolution in two folders: which file belongs to which, and whether they fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.errors import InputError, OptionError
from superres.image import PictureInfo

__all__ = ["check_pair", "cut_pair", "match_pairs"]

Bytes = npt.NDArray[np.uint8]

# What data sets add to a name to tell the two apart: 0801x4, baby_LR, Canon_001_HR.
_MARK = re.compile(r"[ _-]?(x\d+|hr|gt|high|lr\d*|lq|low)$", re.IGNORECASE)


def match_pairs(high: Sequence[Path], low: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pair files by name, whatever their suffix.

    Stems are equal, or equal without a mark such as ``x4``, ``_LR`` or ``_HR`` at their end.

    Returns:
        (ground truth, low resolution), in the order of ``high``.

    Raises:
        OptionError: a file without a partner, or with two; it is named.

    >>> match_pairs([Path("HR/0801.png")], [Path("LR/0801x4.png")])
    [(PosixPath('HR/0801.png'), PosixPath('LR/0801x4.png'))]
    """
    partners = _by_name(low)
    wanted = _by_name(high)
    for name, file in wanted.items():
        if name not in partners:
            raise OptionError(f"{file}: no low-resolution picture of that name in {low[0].parent}")
    for name, file in partners.items():
        if name not in wanted:
            raise OptionError(f"{file}: no ground truth of that name in {high[0].parent}")
    return [(file, partners[name]) for name, file in wanted.items()]


def _by_name(files: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for file in files:
        name = _MARK.sub("", file.stem) or file.stem
        if name in named:
            raise OptionError(f"{named[name]} and {file} both belong to {name!r}: keep one of them")
        named[name] = file
    return named


def check_pair(high: tuple[Path, PictureInfo], low: tuple[Path, PictureInfo], scale: int) -> None:
    """Raise InputError unless the ground truth is ``scale`` times as large, give or take a cropped rest."""
    (high_file, large), (low_file, small) = high, low
    rests = large.width - small.width * scale, large.height - small.height * scale
    if max(map(abs, rests)) >= max(scale, 1):
        raise InputError(
            f"{low_file} is {small.width} x {small.height} and {high_file} {large.width} x {large.height} pixels: "
            f"about x{large.width / small.width:.3g}, expected x{scale}; set --scale, or make them fit"
        )


def cut_pair(high: Bytes, low: Bytes, scale: int) -> tuple[Bytes, Bytes]:
    """Cut the rest off at the right and at the bottom: (scale*h, scale*w, C) and (h, w, C)."""
    rows, columns = (min(s, large // scale) for s, large in zip(low.shape[:2], high.shape[:2], strict=True))
    return high[: rows * scale, : columns * scale], low[:rows, :columns]
