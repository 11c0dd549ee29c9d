"""Scores as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from superres.atomic import replace_file
from superres.evaluation.about import About
from superres.evaluation.scores import SetScores
from superres.metrics import METRICS

__all__ = ["write_csv", "write_json"]


def write_csv(results: Sequence[SetScores], target: Path) -> None:
    """Write ``set, scale, method, file`` and a column per metric: one row per picture, a ``mean`` row after each set.

    Raises:
        OutputError: the file cannot be written; it is as it was.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    metrics = list(results[0].mean) if results else []
    writer.writerow(["set", "scale", "method", "file", *metrics])
    for result in results:
        for file, one in [*result.images.items(), ("mean", result.mean)]:
            values = [f"{one[metric]:.8g}" for metric in metrics]
            writer.writerow([result.name, result.scale, result.method, file, *values])
    with replace_file(target) as stream:
        # Names of files may hold bytes that are no characters.
        stream.write(text.getvalue().encode(errors="surrogateescape"))


def write_json(results: Sequence[SetScores], about: About, target: Path) -> None:
    """Write the protocol, the versions, the models' cards, and ``results``: a list of sets and methods.

    JSON has no infinity: the PSNR of a picture equal to its ground truth is ``null``.

    Raises:
        OutputError: the file cannot be written; it is as it was.
    """
    metrics = list(results[0].mean) if results else []
    content: dict[str, Any] = {
        "protocol": list(about.protocol),
        "versions": dict(about.versions),
        "metrics": {name: {"unit": METRICS[name].unit, "better": METRICS[name].better} for name in metrics},
        "results": [
            {
                "set": result.name,
                "scale": result.scale,
                "method": result.method,
                "mean": _plain(result.mean),
                "images": {file: _plain(one) for file, one in result.images.items()},
            }
            for result in results
        ],
        "models": [asdict(card) for card in about.cards],
    }
    with replace_file(target) as stream:
        stream.write(
            (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="replace")
        )


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {metric: value if math.isfinite(value) else None for metric, value in values.items()}
