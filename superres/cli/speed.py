"""``superres benchmark speed``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from superres.atomic import replace_file
from superres.backends import Precision
from superres.benchmark import measure, measure_peak, model_contenders, peer_contender, speed_page, speed_plot
from superres.benchmark.contenders import Contender, bicubic_contender
from superres.benchmark.speed import noise
from superres.cli.app import parse_size
from superres.errors import OptionError, near_match
from superres.zoo import ZOO, list_cards

__all__ = ["show_speed"]


def show_speed(
    models: str,
    size: str,
    rounds: int,
    threads: int,
    peers: tuple[str, ...],
    output: Path | None,
    plot: Path | None,
    *,
    with_torch: bool,
) -> None:
    """Measure and print the table, and write it to ``output``; quality against time as a picture to ``plot``.

    Raises:
        OptionError: an unknown model, a size without both sides, or a peer that cannot be run.
    """
    width, height = parse_size(size)
    if not (width and height and rounds > 0 and threads >= 0):
        raise OptionError(
            f"size {size}, rounds {rounds}, threads {threads}: expected WIDTHxHEIGHT, 1 or more, 0 or more"
        )
    cards = {card.stem: card for card in list_cards() if card.takes_pictures}
    wanted = [name.strip() for name in models.split(",") if name.strip()] or list(cards)
    for name in wanted:
        if name not in cards:
            raise OptionError(f"model {name!r} is unknown: expected one of {sorted(cards)}{near_match(name, cards)}")
    with ExitStack() as stack:
        contenders: list[Contender] = []
        for scale in sorted({cards[name].scale for name in wanted}):
            contenders.append(bicubic_contender(scale))
            for name in (name for name in wanted if cards[name].scale == scale):
                contenders += model_contenders(cards[name], ZOO, threads, with_torch=with_torch)
            for peer in peers:
                name, _, command = peer.partition("=")
                contenders.append(stack.enter_context(peer_contender(name, command, scale)))
        rows = measure(contenders, noise(height, width), rounds)
    used = dict.fromkeys(row.contender.precision for row in rows if row.contender.precision)
    peaks: dict[Precision, float] = {name: measure_peak(name, threads) for name in used}
    page = f"{width} x {height} pixels in, best of {rounds} rounds.\n\n" + speed_page(rows, peaks)
    print(page, end="")
    if output is not None:
        with replace_file(output) as stream:
            stream.write(page.encode())
    if plot is not None:
        with replace_file(plot) as stream:
            stream.write(speed_plot(rows, "Set5").encode())
