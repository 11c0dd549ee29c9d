"""The table: contenders take turns, so that a busy moment of the machine falls on all; the best round counts."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from superres.backends import Precision
from superres.benchmark.contenders import Contender
from superres.benchmark.memory import peak_memory

__all__ = ["Row", "measure", "noise", "speed_page"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """What one contender reached.

    Attributes:
        contender: who.
        seconds: of its best round.
        pixels: of the input.
        memory: bytes that a process which does this alone holds at its peak; 0 where that was not measured.
    """

    contender: Contender
    seconds: float
    pixels: int
    memory: int = 0

    @property
    def gmacs(self) -> float:
        """Multiply-accumulates per second, in 1e9."""
        return self.contender.gmacs_per_pixel * self.pixels / self.seconds


def noise(height: int, width: int) -> Bytes:
    """The picture that is enlarged: uint8 (H, W, 3), the same each time."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def measure(contenders: Sequence[Contender], picture: Bytes, rounds: int) -> list[Row]:
    """Time every contender on one picture, and weigh each in a process of its own.

    Args:
        contenders: take turns, in this order.
        picture: uint8 (H, W, 3).
        rounds: how often; the best counts.

    Raises:
        OptionError: a contender's process fails.
    """
    for contender in contenders:
        contender.run(picture)  # the first call plans for this size
    best = [float("inf")] * len(contenders)
    for _ in range(max(1, rounds)):
        for index, contender in enumerate(contenders):
            best[index] = min(best[index], _seconds(contender, picture))
    pixels = picture.shape[0] * picture.shape[1]
    return [
        Row(contender, seconds, pixels, _memory(contender, picture))
        for contender, seconds in zip(contenders, best, strict=True)
    ]


def _memory(contender: Contender, picture: Bytes) -> int:
    if contender.command is None or sys.platform == "win32":  # which does not count it
        return 0
    return peak_memory(contender.command(picture.shape[:2]))


def _seconds(contender: Contender, picture: Bytes) -> float:
    if contender.seconds is not None:
        return contender.seconds(picture)
    started = time.perf_counter()
    contender.run(picture)
    return time.perf_counter() - started


def speed_page(rows: Sequence[Row], peaks: dict[Precision, float], base: str = "ONNX Runtime fp32") -> str:
    """The rows as a Markdown table.

    Args:
        rows: in the order they are shown.
        peaks: measured peak of the machine in each arithmetic, in 1e9 multiply-accumulates per second.
        base: runtime that the last column compares with, model by model.
    """
    sets = list(dict.fromkeys(name for row in rows for name in row.contender.scores or {}))
    head = ["method", "runtime", "ms", "frames/s", "GMAC/s", "% of peak", "peak MB", *(f"{name} dB" for name in sets)]
    lines = [
        "Peak of the machine: " + ", ".join(f"{name} {value:.0f} GMAC/s" for name, value in peaks.items()),
        "",
        "| " + " | ".join([*head, f"× {base}"]) + " |",
        "|-|-" + "|-:" * (len(head) - 1) + "|",
    ]
    bases = {row.contender.name: row.seconds for row in rows if row.contender.runtime == base}
    for row in rows:
        who, scores = row.contender, row.contender.scores or {}
        peak = peaks.get(who.precision) if who.precision else None
        cells = [
            who.name,
            who.runtime,
            f"{row.seconds * 1e3:.1f}",
            f"{1 / row.seconds:.1f}",
            f"{row.gmacs:.0f}" if row.gmacs else "–",
            f"{100 * row.gmacs / peak:.0f}" if peak and row.gmacs else "–",
            f"{row.memory / 1e6:.0f}" if row.memory else "–",
            *(f"{scores[name]:.2f}" if name in scores else "–" for name in sets),
            f"{bases[who.name] / row.seconds:.2f}" if who.name in bases else "–",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
