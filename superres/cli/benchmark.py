"""``superres benchmark``: the tables that the documentation shows, made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["benchmark_app"]

benchmark_app = typer.Typer(help="Make the measured tables of the documentation again.", no_args_is_help=True)


@benchmark_app.command()
def quality(
    data: Annotated[Path, typer.Option(help="Folder that holds the test sets, such as Set5 and B100.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Markdown page to write.")] = None,
    scales: Annotated[str, typer.Option(help="Such as 2,3,4.", show_default="those of the models")] = "",
    sets: Annotated[str, typer.Option(help="Names of the sets, comma between.")] = "Set5,Set14,B100",
    models: Annotated[
        list[Path] | None, typer.Option(help="Folder of models of your own to measure as well; repeatable.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
    update_cards: Annotated[
        bool, typer.Option("--update-cards", help="Write the fp32 scores into the models' cards.")
    ] = False,
) -> None:
    """PSNR and SSIM of every model beside bicubic and published rows, as a Markdown page."""
    from superres.cli.evaluate import show_quality

    show_quality(data, output, scales, sets, tuple(models or ()), threads=threads, update_cards=update_cards)


@benchmark_app.command()
def speed(
    models: Annotated[str, typer.Option(help="Such as standard_x4,realtime_x4.", show_default="all")] = "",
    size: Annotated[str, typer.Option(help="Of the input picture.")] = "320x180",
    rounds: Annotated[int, typer.Option(help="The best of so many counts.")] = 20,
    torch: Annotated[bool, typer.Option("--torch", help="PyTorch as well.")] = False,
    peer: Annotated[
        list[str] | None,
        typer.Option(help="Another program: 'NAME=command {input} {output} {scale}'; repeatable."),
    ] = None,
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Markdown page to write.")] = None,
    plot: Annotated[Path | None, typer.Option(help="SVG to write: PSNR on Set5 against time.")] = None,
) -> None:
    """Time of every model at every precision and in every runtime, beside bicubic and the machine's peak."""
    from superres.cli.speed import show_speed

    show_speed(models, size, rounds, threads, tuple(peer or ()), output, plot, with_torch=torch)
