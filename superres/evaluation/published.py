"""The page of measured quality: every model beside bicubic and published rows, in the published protocol.

Every figure of ours is measured through :class:`superres.pipeline.Upscaler`, as a user gets it.
"""

from __future__ import annotations

import dataclasses
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from superres.errors import OptionError
from superres.evaluation.enlargers import arithmetic, bicubic_enlarger, model_enlarger
from superres.evaluation.scores import SetScores, evaluate_pictures, score_name
from superres.evaluation.sets import GroundTruth, find_sets, load_set
from superres.pipeline import Options, Upscaler
from superres.zoo import ZOO, ModelCard, list_cards, write_card

__all__ = ["PageOptions", "quality_page"]

#: One row of a table: method, parameters, arithmetic, and a cell per set.
Row = tuple[str, ...]

Pictures = Mapping[str, list[GroundTruth]]


@dataclass(frozen=True)
class PageOptions:
    """What goes on the page.

    Attributes:
        scales: enlargement factors; those of the models when empty.
        sets: names of the test sets, in the order of the columns.
        folders: of models and their cards.
        threads: cores, 0 for all.
        update_cards: write the fp32 scores into the models' cards.
        output: the file that the page is for; it is only named.

    Raises:
        OptionError: fewer threads than 0.
    """

    scales: tuple[int, ...] = ()
    sets: tuple[str, ...] = ("Set5", "Set14", "B100")
    folders: tuple[Path, ...] = (ZOO,)
    threads: int = 0
    update_cards: bool = False
    output: Path | None = None

    def __post_init__(self) -> None:
        # What models would refuse is refused before bicubic is measured.
        Options(threads=self.threads)


def quality_page(data: Path, options: PageOptions, watch: Callable[[Row], None] | None = None) -> str:
    """Measure every model; the page as Markdown.

    Args:
        data: folder of test sets.
        options: what goes on the page.
        watch: is told every row of ours as it is done.

    Raises:
        OptionError: no models in one of the folders, or at none of the scales; a set that is missing.
        SuperresError: a picture is unusable, a model does not run.
    """
    folders = find_sets(data, options.sets)
    sets, own = tuple(folders), dict.fromkeys(options.folders)
    models = [(folder, card) for folder in own for card in _cards(folder) if card.takes_pictures]
    known = sorted({card.scale for _, card in models})
    page = _Page(options, watch or (lambda row: None))
    quoted = {scale: _published_rows(scale, sets) for scale in options.scales or known}
    parts = [_INTRODUCTION.format(sets=", ".join(sets), command=_command(options, sets))]
    parts += [_QUOTED] if any(quoted.values()) else []
    for scale, published in quoted.items():
        chosen = [(folder, card) for folder, card in models if card.scale == scale]
        if not chosen:
            raise OptionError(f"scale {scale}: no model for it; there are models for {known}")
        if scale > 1:
            pictures = {name: load_set(folder, scale) for name, folder in folders.items()}
            rows = [*published, *page.rows(pictures, scale, chosen, "bicubic")]
            parts.append(_table(f"×{scale}", sets, rows))
        restoring = [(folder, card) for folder, card in chosen if card.kind == "restore" or card.name == "standard"]
        if any(card.kind == "restore" for _, card in restoring):
            pictures = {name: load_set(folder, scale, "measurement") for name, folder in folders.items()}
            rows = list(page.rows(pictures, scale, restoring, "measurement"))
            parts.append(_table(f"×{scale}, degraded", sets, rows) + _DEGRADED)
    return "\n".join(parts)


def _command(options: PageOptions, sets: Sequence[str]) -> str:
    """What makes this page: with the reader's own folder of sets, and without options that change no figure."""
    words = ["superres", "benchmark", "quality", "--data", "FOLDER_OF_TEST_SETS"]
    if options.scales:
        words += ["--scales", ",".join(map(str, dict.fromkeys(options.scales)))]
    if tuple(sets) != PageOptions.sets:
        words += ["--sets", ",".join(sets)]
    for folder in dict.fromkeys(options.folders):
        words += ["--models", str(folder)] if folder != ZOO else []
    words += ["-o", str(options.output)] if options.output is not None else []
    return shlex.join(words)


class _Page:
    """Measures rows."""

    def __init__(self, options: PageOptions, watch: Callable[[Row], None]) -> None:
        self._options, self._watch = options, watch

    def rows(
        self, pictures: Pictures, scale: int, models: Sequence[tuple[Path, ModelCard]], degradation: str
    ) -> Iterator[Row]:
        """Bicubic, then every model in fp32 and in what ``auto`` means for it."""
        enlarge = bicubic_enlarger(scale)
        scores = [evaluate_pictures(name, images, scale, enlarge) for name, images in pictures.items()]
        yield self._told(_row("bicubic, ours" if scale > 1 else "as it is", "–", "8 bit", scores))
        for folder, card in models:
            default = arithmetic(card, "auto")
            for precision in dict.fromkeys(("fp32", default)):
                scores = self._measured(folder, card, precision, pictures)
                shown = f"{precision} (default)" if precision == default != "fp32" else precision
                name = card.name if folder == ZOO else f"{folder.resolve().name}/{card.name}"
                yield self._told(_row(f"**{name}**", _count(card.parameters), shown, scores))
                if precision == "fp32" and self._options.update_cards:
                    _update_card(folder, card.stem, scores, degradation)

    def _told(self, row: Row) -> Row:
        self._watch(row)
        return row

    def _measured(self, folder: Path, card: ModelCard, precision: str, pictures: Pictures) -> list[SetScores]:
        model = card.name if folder == ZOO else str(folder / card.name)
        options = Options(scale=card.scale, model=model, precision=precision, threads=self._options.threads)
        with Upscaler(options) as upscaler:
            enlarge = model_enlarger(upscaler, card.scale)
            return [evaluate_pictures(name, images, card.scale, enlarge) for name, images in pictures.items()]


def _cards(folder: Path) -> list[ModelCard]:
    cards = list_cards(folder)
    if not cards:
        raise OptionError(f"{folder}: no model cards (.toml) there; models are written by superres train --export")
    return cards


def _update_card(folder: Path, stem: str, results: Sequence[SetScores], degradation: str) -> None:
    """Read again, because a card is updated once per degradation."""
    card = next(card for card in list_cards(folder) if card.stem == stem)
    scores = dict(card.scores)
    for result in results:
        mean = result.mean
        scores[score_name(result.name, degradation)] = {"psnr": round(mean["psnr"], 3), "ssim": round(mean["ssim"], 4)}
    write_card(dataclasses.replace(card, scores=scores), folder / f"{stem}.toml")


def _published_rows(scale: int, sets: Sequence[str]) -> list[Row]:
    """The rows of a scale that have a figure for one of the sets at least."""
    text = Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
    published = tomllib.loads(text).get(f"x{scale}", {})
    cells = {name: [row.get(one, "–").replace("/.", " / 0.") for one in sets] for name, row in published.items()}
    return [(name, published[name]["params"], "published", *row) for name, row in cells.items() if set(row) != {"–"}]


def _row(name: str, parameters: str, precision: str, results: Sequence[SetScores]) -> Row:
    means = [result.mean for result in results]
    return (name, parameters, precision, *(f"{mean['psnr']:.2f} / {mean['ssim']:.4f}" for mean in means))


def _count(parameters: int) -> str:
    return f"{parameters / 1000:.0f}K" if parameters < 1_000_000 else f"{parameters / 1e6:.2f}M"


def _table(title: str, sets: Sequence[str], rows: Sequence[Row]) -> str:
    header = ("method", "params", "arithmetic", *sets)
    lines = [f"## {title}", "", "| " + " | ".join(header) + " |", "|-|-:|-" + "|-:" * len(sets) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


_DEGRADED = """
Low resolution here is soft, noisy and compressed, with fixed strengths (`--degradation measurement`): blur of 0 to 1
pixel, noise of 0 to 15 steps of 255, JPEG of quality 30 to 90.
"""

_INTRODUCTION = """# Measured quality

PSNR in dB / SSIM, means over {sets}. This page is written by

```
{command}
```

The protocol: ground truth cropped to a multiple of the scale; low resolution by MATLAB `imresize` bicubic with
antialiasing, 8 bit; 8-bit RGB result; BT.601 luma (16–235); a border of `scale` pixels cut off; PSNR and Gaussian SSIM
(11×11, σ 1.5) on luma. Rows in bold are measured through `superres.Upscaler`, as a user gets them; *default* is the
arithmetic that `auto` takes on the processor that measured.
"""

_QUOTED = """\
Rows marked *published* are quoted, with their sources in `superres/evaluation/published.toml`; SAFMN and SPAN were
trained on DF2K, 3,450 pictures of 2K. The published bicubic row was made on luma rounded to 8 bits, not on RGB (0.01 dB
less); on Set14 it is 0.09 dB lower than ours, which is what scoring that set's grey file `bridge` over 0–255 instead of
16–235 gives.
"""
