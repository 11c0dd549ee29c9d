"""Commands that show: compare, models."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from superres.errors import OutputError
from superres.zoo import list_cards

__all__ = ["show_comparison", "show_models"]


def show_comparison(before: Path, after: Path, output: Path, overwrite: bool) -> None:
    """Write both side by side, and print PSNR and SSIM when the sizes agree.

    Nothing is printed unless the picture is there: what is said of it is true.

    Raises:
        InputError: a picture cannot be read.
        OptionError: ``after`` is smaller than ``before``, or of another shape.
        OutputError: the picture cannot be written, or would replace one of the two.
    """
    from superres.comparison import compare_images, side_by_side
    from superres.formats import read_image

    if any(output.exists() and source.exists() and output.samefile(source) for source in (before, after)):
        raise OutputError(f"{output}: is one of the two pictures; choose another name with -o")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists: use --overwrite, or name another file with -o")
    small, large = read_image(before), read_image(after)
    same = (small.info.height, small.info.width) == (large.info.height, large.info.width)
    if same:
        score = compare_images(small, large, before, after)
        told = f"PSNR {score.psnr:.2f} dB   SSIM {score.ssim:.4f}"
    else:
        told = (
            f"{before.name} is {small.info.width}×{small.info.height}, {after.name} {large.info.width}×"
            f"{large.info.height}: shown side by side, not measured (PSNR needs one size)"
        )
    labels = (before.name, after.name) if same else (f"{before.name}, bicubic", after.name)
    side_by_side(small, large, labels=labels).save(output, overwrite=overwrite)
    print(f"{told}\nside by side: {output}")


#: What a model is for, by its card's kind.
_PURPOSES = {
    "faithful": "clean pictures",
    "restore": "compressed, noisy ones",
    "guided": "--guide",
    "rows": "across slices",
    "video": "video",
}


def show_models(as_json: bool) -> None:
    """List the shipped models with what their cards say."""
    cards = list_cards()
    if as_json:
        print(json.dumps([asdict(card) for card in cards], indent=2))
        return
    header = ("model", "scale", "for", "parameters", "GMAC (720p)", "Set5", "Set14", "B100", "licence")
    rows = [
        (
            card.name,
            f"x{card.scale}",
            _PURPOSES.get(card.kind, card.kind),
            f"{card.parameters:,}",
            f"{card.gmacs:.1f}",
            *(f"{card.scores[name]['psnr']:.2f} dB" if name in card.scores else "-" for name in header[5:8]),
            card.licence,
        )
        for card in cards
    ]
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(
        "\nPSNR-Y of clean pictures in the published protocol; more in docs/quality.md.  Cards: superres models --json"
    )
