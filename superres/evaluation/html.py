"""An evaluation as one HTML file: tables, crops, protocol.  It needs no network, no script and no other file."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from superres.atomic import replace_file
from superres.evaluation.about import About
from superres.evaluation.crops import PictureCrops
from superres.evaluation.runner import SetResult
from superres.evaluation.scores import SetScores
from superres.metrics import METRICS
from superres.zoo import ModelCard

__all__ = ["report_html", "write_html"]

# Below this many pictures their table stands open.
_OPEN = 12
# Nothing may be fetched, whatever a file is called.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_html(results: Sequence[SetResult], about: About, target: Path) -> None:
    """Write :func:`report_html`.  Raises OutputError when the file cannot be written; it is as it was."""
    with replace_file(target) as stream:
        # Names of files may hold bytes that are no characters.
        stream.write(report_html(results, about).encode(errors="replace"))


def report_html(results: Sequence[SetResult], about: About) -> str:
    """The page.

    Args:
        results: one entry per test set, at least one, each with the same methods and metrics.
        about: protocol, models and versions.
    """
    first = results[0].scores
    methods = ", ".join(_escape(one.method) for one in first)
    names = [result.scores[0].name for result in results]
    links = "".join(f'<li><a href="#set-{k}">{_escape(name)}</a></li>' for k, name in enumerate(names))
    contents = f'<nav aria-label="Test sets"><ul>{links}</ul></nav>' if len(names) > 1 else ""
    title = f"Evaluation ×{first[0].scale}"
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    sections = "\n".join(_set_section(k, result) for k, result in enumerate(results))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}: {methods} on {_escape(", ".join(names))}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{methods}, measured on {_escape(", ".join(names))}.</p>
{contents}
</header>
<main>
{sections}
{_about_section(about)}
</main>
</body>
</html>
"""


def _set_section(number: int, result: SetResult) -> str:
    scores = result.scores
    count = len(scores[0].images)
    pictures = f"{count} picture{'s' if count > 1 else ''}"
    opened = " open" if count <= _OPEN else ""
    return f"""<section>
<h2 id="set-{number}">{_escape(scores[0].name)} <span class="quiet">{pictures}</span></h2>
{_means_table(scores)}
<details{opened}>
<summary>Every picture</summary>
{_pictures_table(scores)}
</details>
{_crops(result, count)}
</section>"""


def _means_table(scores: Sequence[SetScores]) -> str:
    metrics = list(scores[0].mean)
    head = "".join(f'<th scope="col">{_heading(metric)}</th>' for metric in metrics)
    columns = {metric: [one.mean[metric] for one in scores] for metric in metrics}
    rows = "".join(
        f'<tr><th scope="row">{_escape(one.method)}</th>{"".join(_cell(m, columns[m], k) for m in metrics)}</tr>\n'
        for k, one in enumerate(scores)
    )
    caption = "Means over the pictures" + ("; the best of each column in bold" if len(scores) > 1 else "")
    return _table(caption, f'<tr><th scope="col" class="name">method</th>{head}</tr>', rows)


def _pictures_table(scores: Sequence[SetScores]) -> str:
    """Methods beside each other under each metric."""
    metrics = list(scores[0].mean)
    upper = "".join(
        f'<th scope="colgroup" colspan="{len(scores)}" class="group">{_heading(metric)}</th>' for metric in metrics
    )
    lower = "".join(
        f'<th scope="col"{_group(k)}>{_escape(one.method)}</th>' for _ in metrics for k, one in enumerate(scores)
    )
    rows = []
    for file in scores[0].images:
        values = {metric: [one.images[file][metric] for one in scores] for metric in metrics}
        cells = "".join(_cell(metric, values[metric], k, _group(k)) for metric in metrics for k in range(len(scores)))
        rows.append(f'<tr><th scope="row">{_escape(file)}</th>{cells}</tr>\n')
    head = f'<tr><th scope="col" rowspan="2" class="name">picture</th>{upper}</tr>\n<tr>{lower}</tr>'
    return _table(f"Every picture of {_escape(scores[0].name)}", head, "".join(rows))


def _group(position: int) -> str:
    return "" if position else ' class="group"'


def _cell(metric: str, values: Sequence[float], index: int, attribute: str = "") -> str:
    """One value; in bold where it is the best of several, at the digits that are shown."""
    entry = METRICS[metric]
    shown = [round(value, entry.digits) for value in values]
    best = (max if entry.better == "higher" else min)((v for v in shown if not math.isnan(v)), default=None)
    if len(values) > 1 and shown[index] == best and len(set(shown)) > 1:
        attribute = ' class="group best"' if attribute else ' class="best"'
    return f"<td{attribute}>{_number(metric, values[index])}</td>"


def _number(metric: str, value: float) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    return f"{value:.{METRICS[metric].digits}f}"


def _heading(metric: str) -> str:
    entry = METRICS[metric]
    unit = f" {entry.unit}" if entry.unit else ""
    arrow, words = ("↑", "higher is better") if entry.better == "higher" else ("↓", "lower is better")
    return f'{entry.title}{unit} <abbr class="quiet" title="{words}" aria-label="{words}">{arrow}</abbr>'


def _crops(result: SetResult, count: int) -> str:
    if not result.crops:
        return ""
    some = f", for the {len(result.crops)} pictures with the largest differences" if len(result.crops) < count else ""
    intro = f"<p>The region of each picture where the results and the ground truth differ most{some}. "
    intro += "Figures beside the names are those of the whole picture.</p>"
    return intro + "\n".join(_picture_figures(crops, result.scores) for crops in result.crops)


def _picture_figures(crops: PictureCrops, scores: Sequence[SetScores]) -> str:
    known = {one.method: one.images[crops.file] for one in scores}
    size = f"{crops.width} × {crops.height} pixels at ({crops.left}, {crops.top})"
    figures = "\n".join(
        f'<figure><img src="data:image/webp;base64,{base64.b64encode(data).decode()}" width="{2 * crops.width}" '
        f'height="{2 * crops.height}" alt="{_escape(crops.file)}, detail, {_escape(label)}">'
        f"<figcaption>{_escape(label)}{_caption(known.get(label))}</figcaption></figure>"
        for label, data in crops.shown.items()
    )
    return f'<h3>{_escape(crops.file)} <span class="quiet">{size}</span></h3>\n<div class="crops">\n{figures}\n</div>'


def _caption(values: Mapping[str, float] | None) -> str:
    """The first metric, beside the name of the method."""
    if not values:
        return ""
    metric, value = next(iter(values.items()))
    return f' <span class="quiet">{METRICS[metric].title} {_number(metric, value)} {METRICS[metric].unit}</span>'


def _about_section(about: About) -> str:
    protocol = "".join(f"<li>{_escape(line)}</li>" for line in about.protocol)
    versions = ", ".join(f"{_escape(name)} {_escape(version)}" for name, version in about.versions.items())
    models = f"<h2>Models</h2>\n{_cards_table(about.cards)}" if about.cards else ""
    return f"<section>\n{models}\n<h2>Protocol</h2>\n<ul>{protocol}</ul>\n<p>Measured with {versions}.</p>\n</section>"


def _cards_table(cards: Sequence[ModelCard]) -> str:
    columns = ("model", "architecture", "parameters", "kind", "recipe", "licence", "SHA-256")
    names = "".join(f'<th scope="col" class="{"figure" if c == "parameters" else "name"}">{c}</th>' for c in columns)
    rows = "".join(
        f'<tr><th scope="row">{_escape(card.stem)}</th><td class="text">{_escape(card.architecture)}</td>'
        f'<td>{card.parameters:,}</td><td class="text">{_escape(card.kind)}</td>'
        f'<td class="text">{_escape(card.training.recipe) or "–"}</td><td class="text">{_escape(card.licence)}</td>'
        f'<td class="text"><code>{_escape(card.sha256[:16])}…</code></td></tr>\n'
        for card in cards
    )
    return _table("From the models’ cards", f"<tr>{names}</tr>", rows)


def _table(caption: str, head: str, rows: str) -> str:
    """A table that scrolls sideways by keyboard, too, where it is wider than the page."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table>\n<caption>{caption}</caption>\n'
        f"<thead>{head}</thead>\n<tbody>\n{rows}</tbody>\n</table></div>"
    )


def _escape(text: str) -> str:
    return html.escape(text)
