"""Draw the course of trainings: one SVG per log that ``superres train`` wrote.

    python benchmarks/curves.py recipes/logs/espcn_x4.csv -o docs/systems

What is drawn is the validation's PSNR over the steps where the log has one, the loss otherwise.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from superres.atomic import replace_file
from superres.errors import InputError, SuperresError

_WIDTH, _HEIGHT = 560, 260
#: Room for labels: left, right, top, bottom.
_MARGINS = (56, 28, 30, 38)
_INK, _GRID, _LINE = "#444", "#ddd", "#1769aa"

Point = tuple[float, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw every log that is named; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        for log in options.logs:
            target = options.output / f"{log.stem}.svg"
            label, points = read_curve(log)
            with replace_file(target) as stream:
                stream.write(draw_curve(f"{log.stem}: {label}", points).encode())
            print(target)
    except SuperresError as error:
        print(f"curves.py: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("logs", type=Path, nargs="+", help="log.csv of a run")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for NAME.svg")
    return parser


def read_curve(log: Path) -> tuple[str, list[Point]]:
    """What a log's curve shows, and its points.

    Args:
        log: CSV with the columns ``step`` and ``loss``; ``psnr`` where there was a validation, empty before the first.

    Returns:
        (label, [(step, value)]): each measurement once, at the first step that shows it.

    Raises:
        InputError: it cannot be read, lacks a column, or has fewer than two points.
    """
    try:
        with log.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        validated = any(row.get("psnr") for row in rows)
        label, column = ("validation, dB", "psnr") if validated else ("loss", "loss")
        points = [(float(row["step"]), float(row[column])) for row in rows if row[column]]
    except OSError as error:
        raise InputError(f"{log}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{log}: not a training's log: expected columns step and loss of numbers") from error
    if column == "psnr":  # between two validations the log repeats the last one
        points = [point for k, point in enumerate(points) if k == 0 or point[1] != points[k - 1][1]]
    if len(points) < 2:
        raise InputError(f"{log}: {len(points)} points, expected at least 2; train with --validate, or for longer")
    return label, points


def draw_curve(title: str, points: Sequence[Point]) -> str:
    """An SVG of a polyline over its grid.

    Args:
        title: stands above it.
        points: (step, value), at least two, steps rising from 0.
    """
    left, right, top, bottom = _MARGINS
    xs, ys = ticks(0, points[-1][0]), ticks(min(y for _, y in points), max(y for _, y in points))
    across, down = (xs[0], xs[-1]), (ys[0], ys[-1])

    def place(point: Point) -> Point:
        x = left + (point[0] - across[0]) / (across[1] - across[0]) * (_WIDTH - left - right)
        y = _HEIGHT - bottom - (point[1] - down[0]) / (down[1] - down[0]) * (_HEIGHT - top - bottom)
        return round(x, 1), round(y, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(left, 18, title, "start"),
        _text(_WIDTH - right, _HEIGHT - 6, "steps", "end"),
    ]
    for value in ys:
        x, y = place((across[0], value))
        parts += [_segment(x, y, _WIDTH - right, y), _text(left - 6, y + 4, f"{value:g}", "end")]
    for value in xs:
        x, y = place((value, down[0]))
        parts += [_segment(x, y, x, y + 4), _text(x, y + 17, f"{value:g}", "middle")]
    line = " ".join(f"{x},{y}" for x, y in map(place, points))
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="2"/>')
    parts += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{_LINE}"/>' for x, y in map(place, points)]
    return "\n".join([*parts, "</svg>", ""])


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``, about ``count`` of them.

    >>> ticks(29.11, 30.42)
    [29.0, 29.5, 30.0, 30.5]
    """
    span = max(high - low, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= count)
    first, last = math.floor(low / step + 1e-9), max(math.ceil(high / step - 1e-9), math.floor(low / step) + 1)
    return [round(k * step, 10) for k in range(first, last + 1)]


def _segment(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{_GRID}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


if __name__ == "__main__":
    sys.exit(main())
