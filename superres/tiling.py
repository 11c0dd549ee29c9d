"""Which tiles, which halo, which output window: integers only.

A picture is cut into tiles that all have the same size, so that a runtime prepares one shape.  Around each tile a
halo is read; outside the picture the samples are mirrored (edge sample repeated), so a network never sees a border
that is not there and any tile size gives the whole-picture result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError

__all__ = ["Span", "mirrored", "spans", "tile_grid", "tile_rows_for_memory"]


# A tile is at least so many halos wide and tall when a picture is cut finer than it needs to be.
_LEAST_HALOS = 4


@dataclass(frozen=True)
class Span:
    """One tile on one axis, in input samples.

    Attributes:
        start, stop: the part of the axis that this tile is responsible for; spans cover the axis once.
        window_start, window_stop: what is read for it, halo included; may reach outside the axis.
    """

    start: int
    stop: int
    window_start: int
    window_stop: int


def spans(length: int, tile: int, halo: int) -> Iterator[Span]:
    """Cut an axis into tiles.

    Every window has ``tile + 2 * halo`` samples; the last one reaches past the end when ``tile`` does not divide
    ``length``.

    Args:
        length: samples on the axis, at least 1.
        tile: samples per tile, at least 1.
        halo: samples around a tile that its result depends on, at least 0.

    Raises:
        OptionError: a number below its least value.
    """
    if length < 1 or tile < 1 or halo < 0:
        raise OptionError(f"length {length}, tile {tile}, halo {halo}: expected at least 1, 1 and 0")
    for start in range(0, length, tile):
        yield Span(start, min(start + tile, length), start - halo, start + tile + halo)


def tile_grid(width: int, height: int, tile: int, halo: int, lanes: int, most_rows: int = 0) -> tuple[int, int]:
    """How wide and tall tiles are, so that all of a picture takes the least time.

    Lanes compute one tile at a time each, in turns: nine tiles take two lanes as long as ten.  More and smaller tiles
    spread better, and have more halo.

    Args:
        width, height: of the picture.
        tile: the largest that a tile may be, but for a rounding up to 8.
        halo: samples around a tile that are computed with it.
        lanes: tiles that are computed at once.
        most_rows: the largest that tiles may be tall; 0 for ``tile``.

    Returns:
        (columns, rows) of a tile, multiples of 8; of sizes that take the same time the widest.

    >>> tile_grid(1024, 1024, 384, 12, 1), tile_grid(1024, 1024, 384, 12, 2), tile_grid(40, 40, 384, 12, 2)
    ((344, 344), (344, 256), (40, 40))
    """

    def time(size: tuple[int, int]) -> tuple[int, int]:
        tiles = -(-width // size[0]) * -(-height // size[1])
        return -(-tiles // lanes) * (size[0] + 2 * halo) * (size[1] + 2 * halo), size[1]

    sizes = [
        (columns, rows)
        for columns in _even_parts(width, tile, halo, lanes)
        for rows in _even_parts(height, most_rows or tile, halo, lanes)
    ]
    return min(sizes, key=time)


def _even_parts(length: int, most: int, halo: int, lanes: int) -> list[int]:
    """Lengths, multiples of 8, of the fewest parts and of up to so many more, while these are not mostly halo."""
    fewest = -(-length // most)
    parts = [math.ceil(length / (fewest + more) / 8) * 8 for more in range(lanes + 1)]
    return parts[:1] + [part for part in parts[1:] if part >= _LEAST_HALOS * halo]


def mirrored(start: int, stop: int, length: int) -> npt.NDArray[np.int64]:
    """Positions ``start .. stop - 1`` folded into an axis of ``length`` samples, edge sample repeated."""
    folded = np.mod(np.arange(start, stop), 2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def tile_rows_for_memory(bytes_per_row: int, budget: int, largest: int, smallest: int = 8) -> int:
    """How many input rows one strip may hold inside a budget of bytes; a multiple of 8, or ``largest``.

    Raises:
        OptionError: not even ``smallest`` rows fit.
    """
    rows = min(largest, budget // max(1, bytes_per_row) // 8 * 8)
    if rows < smallest:
        raise OptionError(
            f"a memory budget of {budget / 1e6:g} MB holds fewer than {smallest} rows of this picture: raise it to "
            f"at least {math.ceil(bytes_per_row * smallest / 1e6)} MB for the strip buffers"
        )
    return rows
