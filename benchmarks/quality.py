"""PSNR and SSIM of every shipped model on the standard sets, beside bicubic and published rows; writes docs/quality.md.

    python benchmarks/quality.py --data FOLDER_OF_TEST_SETS

Every figure of ours is measured through ``superres.Upscaler``: tiles, rounding and all, as a user gets it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from superres.atomic import replace_file
from superres.errors import SuperresError
from superres.evaluation import (
    GroundTruth,
    SetScores,
    bicubic_enlarger,
    evaluate_pictures,
    find_sets,
    load_set,
    model_enlarger,
)
from superres.pipeline import Options, Upscaler
from superres.zoo import ModelCard, list_cards, write_card
from superres.zoo.store import ZOO

ROOT = Path(__file__).resolve().parent.parent
SETS = ("Set5", "Set14", "B100")

#: One row of a table: method, parameters, precision, and a cell per set.
Row = tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        text = quality_page(
            options.data, options.scales, options.sets, threads=options.threads, update_cards=options.update_cards
        )
        print(text)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(options.output) as stream:
            stream.write(text.encode())
    except SuperresError as error:
        print(f"quality.py: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds Set5, Set14 and B100")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "quality.md", help="page to write")
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    parser.add_argument("--update-cards", action="store_true", help="write the fp32 scores into the models' cards")
    return parser


def quality_page(
    data: Path, scales: Sequence[int], sets: Sequence[str], *, threads: int = 0, update_cards: bool = False
) -> str:
    """Measure every shipped model of ``scales`` on ``sets``; the page as Markdown.

    Raises:
        SuperresError: a set is missing, a picture is unusable, a model does not run.
    """
    folders = find_sets(data, sets)
    parts = [_INTRODUCTION.format(sets=", ".join(sets))]
    for scale in scales:
        pictures = {name: load_set(folder, scale) for name, folder in folders.items()}
        rows = _published_rows(scale, sets)
        rows.append(_row("bicubic, ours", "–", "8 bit", _measure_bicubic(pictures, scale)))
        for card in list_cards():
            if card.scale != scale:
                continue
            for precision in ("fp32", "auto"):
                used, results = _measure(card, precision, pictures, threads)
                # Where the processor has no bf16, auto is fp32: one row says it all.
                if precision == "auto" and used == "fp32":
                    continue
                shown = "fp32" if precision == "fp32" else f"{used} (default)"
                rows.append(_row(f"**{card.name}**", _count(card.parameters), shown, results))
                if precision == "fp32" and update_cards:
                    _update_card(card, results)
        parts.append(_table(scale, sets, rows))
    return "\n".join(parts)


def _measure_bicubic(pictures: dict[str, list[GroundTruth]], scale: int) -> list[SetScores]:
    return [evaluate_pictures(name, images, scale, bicubic_enlarger(scale)) for name, images in pictures.items()]


def _measure(
    card: ModelCard, precision: str, pictures: dict[str, list[GroundTruth]], threads: int
) -> tuple[str, list[SetScores]]:
    """The arithmetic in use for 8-bit pictures, and the scores per set."""
    options = Options(scale=card.scale, model=card.name, precision=precision, threads=threads)
    with Upscaler(options) as upscaler:
        enlarge = model_enlarger(upscaler, card.scale)
        scores = [evaluate_pictures(name, images, card.scale, enlarge) for name, images in pictures.items()]
    return _arithmetic(precision), scores


def _arithmetic(precision: str) -> str:
    """What ``precision`` means for 8-bit pictures on this processor."""
    if precision != "auto":
        return precision
    from superres.backends.openvino import has_bf16

    return "bf16" if has_bf16() else "fp32"


def _update_card(card: ModelCard, results: Sequence[SetScores]) -> None:
    scores = dict(card.scores)
    for result in results:
        mean = result.mean
        scores[result.name] = {"psnr": round(mean.psnr, 3), "ssim": round(mean.ssim, 4)}
    write_card(dataclasses.replace(card, scores=scores), ZOO / f"{card.stem}.toml")


def _published_rows(scale: int, sets: Sequence[str]) -> list[Row]:
    with (Path(__file__).parent / "published.toml").open("rb") as stream:
        published = tomllib.load(stream).get(f"x{scale}", {})
    return [
        (name, row["params"], "published", *(row.get(one, "–").replace("/.", " / 0.") for one in sets))
        for name, row in published.items()
    ]


def _row(name: str, parameters: str, precision: str, results: Sequence[SetScores]) -> Row:
    means = [result.mean for result in results]
    return (name, parameters, precision, *(f"{mean.psnr:.2f} / {mean.ssim:.4f}" for mean in means))


def _count(parameters: int) -> str:
    return f"{parameters / 1000:.0f}K" if parameters < 1_000_000 else f"{parameters / 1e6:.2f}M"


def _table(scale: int, sets: Sequence[str], rows: Sequence[Row]) -> str:
    header = ("method", "params", "arithmetic", *sets)
    lines = [f"## ×{scale}", "", "| " + " | ".join(header) + " |", "|-|-:|-" + "|-:" * len(sets) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


_INTRODUCTION = """# Measured quality

PSNR in dB / SSIM, means over {sets}. This page is written by

```
python benchmarks/quality.py --data FOLDER_OF_TEST_SETS
```

The protocol: ground truth cropped to a multiple of the scale; low resolution by MATLAB `imresize` bicubic with
antialiasing, 8 bit; 8-bit RGB result; BT.601 luma (16–235); a border of `scale` pixels cut off; PSNR and Gaussian SSIM
(11×11, σ 1.5) on luma. Rows in bold ship with superres and are measured through `superres.Upscaler`, as a user gets
them; the default arithmetic (`auto`) is bf16 on processors that have it.

Rows marked *published* are quoted, with their sources in `benchmarks/published.toml`; SAFMN and SPAN were trained on
DF2K, 3,450 pictures of 2K. The published bicubic row was made on luma rounded to 8 bits, not on RGB (0.01 dB less);
on Set14 it is 0.09 dB lower than ours, which is what scoring that set's grey file `bridge` over 0–255 instead of
16–235 gives.
"""


if __name__ == "__main__":
    sys.exit(main())
