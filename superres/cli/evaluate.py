"""``superres evaluate`` and ``superres benchmark quality``: measure, print, write."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from superres.errors import OptionError, OutputError
from superres.metrics import METRICS
from superres.zoo import ZOO

if TYPE_CHECKING:
    from superres.evaluation import SetResult, Settings

__all__ = ["show_evaluation", "show_quality"]


def show_evaluation(data: Path, settings: Settings, low: Path | None, output: Path | None) -> None:
    """Print the means of every set and model, and write the pictures' scores as CSV, JSON or HTML.

    Raises:
        OptionError: no pictures there, an unknown model or metric, an output of another kind, or a degradation beside
            low resolution that is there already.
        OutputError: there is no folder for the output.
    """
    from superres.cli.progress import PictureProgress
    from superres.evaluation import evaluate_folder, find_sets
    from superres.evaluation.runner import count_pictures

    kind = _report_kind(output)
    if kind == ".html" and "bicubic" not in settings.models:
        # The baseline of every table and the first of the crops.
        settings = replace(settings, models=("bicubic", *settings.models))
    total = count_pictures(data)
    results: list[SetResult] = []
    header = ["set", "model", "pictures", *(_title(name) for name in settings.metrics)]
    widths = [max(map(len, ["set", *find_sets(data)])), max(map(len, ["model", *settings.models]))]
    widths += [max(8, len(title)) for title in header[2:]]
    # Where the table is piped, nothing else may be between its lines.
    with PictureProgress(1, hidden=not sys.stdout.isatty()) as progress:
        progress.begin("measuring")
        done = itertools.count(1)
        for result in evaluate_folder(
            data, settings, low=low, crops=kind == ".html", watch=lambda *_: progress.update(next(done), total)
        ):
            if not results:
                progress.say(_line(header, widths), error=False)
            results.append(result)
            for scores in result.scores:
                values = [f"{value:.{METRICS[name].digits}f}" for name, value in scores.mean.items()]
                cells = [scores.name, scores.method, str(len(scores.images)), *values]
                progress.say(_line(cells, widths), error=False)
    if output is not None:
        _write_report(results, settings, low, output)
        print(f"per picture: {output}")


def _report_kind(output: Path | None) -> str:
    """Its suffix in lower case; everything that can be refused is refused before anything is measured."""
    if output is None:
        return ""
    kind = output.suffix.lower()
    if kind not in (".csv", ".json", ".html"):
        raise OptionError(f"{output}: scores are written as .csv, .json or .html")
    if not output.parent.is_dir():
        raise OutputError(f"{output}: there is no folder {output.parent}; make it first")
    return kind


def _write_report(results: list[SetResult], settings: Settings, low: Path | None, output: Path) -> None:
    from superres.evaluation.about import about
    from superres.evaluation.html import write_html
    from superres.evaluation.tables import write_csv, write_json

    scores = [one for result in results for one in result.scores]
    if output.suffix.lower() == ".csv":
        write_csv(scores, output)
    elif output.suffix.lower() == ".json":
        write_json(scores, about(settings, low), output)
    else:
        write_html(results, about(settings, low), output)


def _title(metric: str) -> str:
    return f"{METRICS[metric].title} {METRICS[metric].unit}".rstrip()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Two columns of names to the left, figures to the right."""
    columns = zip(cells, widths, strict=True)
    return "  ".join(f"{cell:{'<' if k < 2 else '>'}{width}}" for k, (cell, width) in enumerate(columns)).rstrip()


def show_quality(
    data: Path,
    output: Path | None,
    scales: str,
    sets: str,
    models: Sequence[Path],
    *,
    threads: int,
    update_cards: bool,
) -> None:
    """Measure all models in the published protocol; print the page, or write it to ``output``.

    Raises:
        OptionError: scales that are no whole numbers, fewer threads than 0, or a set that is not there.
        OutputError: the page cannot be written.
    """
    from superres.atomic import replace_file
    from superres.evaluation.published import PageOptions, quality_page

    chosen = [part.strip() for part in scales.split(",") if part.strip()]
    if not all(part.isdecimal() for part in chosen):
        raise OptionError(f"scales {scales!r}: expected whole numbers with commas between, such as 2,3,4")
    if output is not None and not output.parent.is_dir():
        raise OutputError(f"{output}: there is no folder {output.parent}; make it first")
    options = PageOptions(
        scales=tuple(map(int, chosen)),
        sets=tuple(part.strip() for part in sets.split(",")),
        folders=(ZOO, *models),
        threads=threads,
        update_cards=update_cards,
        output=output,
    )
    page = quality_page(data, options, watch=lambda row: print(" | ".join(row), file=sys.stderr, flush=True))
    if output is None:
        print(page)
        return
    with replace_file(output) as stream:
        stream.write(page.encode())
    print(f"page: {output}")
