"""``superres align``: people's own pairs in, pairs cut to their common area out."""

from __future__ import annotations

import re
from pathlib import Path

from superres.cli.jobs import find_inputs
from superres.cli.pairs import PairFolder, read_plain, run_each
from superres.degrade.align import Alignment, align_pair, pair_scale
from superres.errors import InputError, OptionError

__all__ = ["run_align"]

_COLUMNS = ["low", "high", "scale", "shift_x", "shift_y", "residual_x", "residual_y", "correlation", "gain", "offset"]


def run_align(
    low: Path, high: Path, output: Path, *, scale: int | None, photometric: bool, least: float, overwrite: bool
) -> int:
    """Align every low-resolution picture with the one of the same name; the exit code: 0 all done, 2 some failed.

    Args:
        low, high: two pictures, or two folders.
        output: folder of the results.
        scale: size ratio; found from the sizes when None.
        photometric: give the high pictures the brightness and contrast of the low ones.
        least: smallest correlation of fine detail.
        overwrite: replace pairs that are there.

    Raises:
        OptionError: no such input, or a file and a folder; nothing was touched.
        OutputError: the folder cannot be used.
    """
    if low.is_dir() != high.is_dir():
        raise OptionError(f"{low} and {high}: expected two pictures or two folders")
    if not -1 <= least <= 1:
        raise OptionError(f"correlation {least}: expected -1 to 1")
    lows = [file for file, _ in find_inputs([low], recursive=False)]
    highs = [file for file, _ in find_inputs([high], recursive=False)]
    by_stem = {file.stem: file for file in highs}
    folder = PairFolder(output, _COLUMNS, overwrite)

    def work(index: int) -> str:
        small = lows[index]
        large = _partner(small, by_stem) if low.is_dir() else high
        name = large.stem
        if folder.holds(name, {"low": small, "high": large} | ({} if scale is None else {"scale": scale})):
            return ""
        (first, _), (second, metadata) = read_plain(small), read_plain(large)
        if first.shape[2] != second.shape[2]:
            first, second = (part.repeat(3, axis=2) if part.shape[2] == 1 else part for part in (first, second))
        try:
            ratio = pair_scale(first, second) if scale is None else scale
            first, second, found = align_pair(first, second, ratio, photometric=photometric, least=least)
        except InputError as error:
            raise InputError(f"{small} and {large}: {error}") from error
        folder.add(name, first, second, metadata, {"low": small, "high": large, **_row(found)})
        return (
            f"{small} + {large} → {name}.png  ×{ratio}, shift ({found.shift[1]:.2f}, {found.shift[0]:.2f}), "
            f"{first.shape[1]}×{first.shape[0]} shared, correlation {found.correlation:.2f}"
        )

    return run_each([file.name for file in lows], work)


def _partner(small: Path, by_stem: dict[str, Path]) -> Path:
    """The high-resolution picture of the same name; an ending such as ``x4`` or ``_x4`` may be added to the low one."""
    for stem in (small.stem, re.sub(r"[_-]?x\d+$", "", small.stem)):
        if stem in by_stem:
            return by_stem[stem]
    raise InputError(f"{small}: no high-resolution picture is called {small.stem}; give both the same name")


def _row(found: Alignment) -> dict[str, object]:
    return {
        "scale": found.scale,
        "shift_x": f"{found.shift[1]:.2f}",
        "shift_y": f"{found.shift[0]:.2f}",
        "residual_x": f"{found.residual[1]:.3f}",
        "residual_y": f"{found.residual[0]:.3f}",
        "correlation": f"{found.correlation:.3f}",
        "gain": " ".join(f"{value:.4f}" for value in found.gain),
        "offset": " ".join(f"{value:.4f}" for value in found.offset),
    }
