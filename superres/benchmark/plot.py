"""Quality against time as an SVG picture: up is better, left is faster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from superres.benchmark.speed import Row
from superres.errors import OptionError

__all__ = ["speed_plot"]

_WIDTH, _HEIGHT, _MARGIN = 760, 440, 56
# Room to the right of the slowest point for its name.
_NAMES = 150


def speed_plot(rows: Sequence[Row], test_set: str) -> str:
    """The fastest runtime of every model and arithmetic: milliseconds, on a logarithmic axis, against PSNR.

    Args:
        rows: what was measured.
        test_set: whose PSNR is shown; rows without it are left out.

    Raises:
        OptionError: no row has a PSNR on that set.
    """
    fastest: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = row.contender.name, str(row.contender.precision)
        if test_set in (row.contender.scores or {}) and (key not in fastest or row.seconds < fastest[key].seconds):
            fastest[key] = row
    if not fastest:
        raise OptionError(f"set {test_set!r}: no model's card has a score on it, so there is nothing to draw")
    points = [(row.seconds * 1e3, (row.contender.scores or {})[test_set], row) for row in fastest.values()]
    times, scores = [point[0] for point in points], [point[1] for point in points]
    low, high = math.log10(min(times)) - 0.1, math.log10(max(times)) + 0.1
    bottom, top = math.floor(min(scores) * 5 - 0.5) / 5, math.ceil(max(scores) * 5 + 0.5) / 5

    def across(milliseconds: float) -> float:
        return _MARGIN + (math.log10(milliseconds) - low) / (high - low) * (_WIDTH - 2 * _MARGIN - _NAMES)

    def up(decibels: float) -> float:
        return _HEIGHT - _MARGIN - (decibels - bottom) / (top - bottom) * (_HEIGHT - 2 * _MARGIN)

    shapes = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>']
    for tick in range(round((top - bottom) * 5) + 1):
        level = bottom + tick / 5
        shapes.append(_line(_MARGIN, up(level), _WIDTH - _MARGIN, up(level)))
        shapes.append(_text(_MARGIN - 8, up(level) + 4, f"{level:.1f}", "end"))
    for value in (part * 10**power for power in range(-2, 6) for part in (1, 2, 5)):
        if low <= math.log10(value) <= high:
            shapes.append(_line(across(value), _MARGIN, across(value), _HEIGHT - _MARGIN))
            shapes.append(_text(across(value), _HEIGHT - _MARGIN + 18, f"{value:g}", "middle"))
    shapes.append(_text(_WIDTH / 2, _HEIGHT - 12, "ms per picture", "middle"))
    shapes.append(_text(8, _MARGIN - 18, f"PSNR-Y on {test_set}, dB", "start"))
    for milliseconds, decibels, row in points:
        shapes.append(f'<circle cx="{across(milliseconds):.1f}" cy="{up(decibels):.1f}" r="4" fill="#1f5fa8"/>')
        label = f"{row.contender.name} {row.contender.precision or ''}".strip()
        shapes.append(_text(across(milliseconds) + 7, up(decibels) - 6, label, "start"))
    body = "\n".join(shapes)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">\n{body}\n</svg>\n'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    style = f'font-size="12" font-family="sans-serif" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
