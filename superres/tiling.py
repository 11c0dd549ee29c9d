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

__all__ = ["Span", "columns_per_tile", "mirrored", "spans", "tile_rows_for_memory"]


# A tile is at least so many halos wide when a picture is cut only to have several.
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


def columns_per_tile(width: int, tile: int, halo: int, lanes: int) -> int:
    """How wide the tiles of a row of them are: even, a multiple of 8, at most ``tile`` (or the next multiple of 8).

    As many tiles as are computed at once, where that does not mean mostly halo.

    >>> columns_per_tile(256, 512, 12, 1), columns_per_tile(256, 512, 12, 2), columns_per_tile(40, 512, 12, 2)
    (256, 128, 40)
    """
    count = -(-width // tile)
    if count < lanes and width >= lanes * _LEAST_HALOS * halo:
        count = lanes
    return math.ceil(width / count / 8) * 8


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
