"""Which tiles, which halo, which output window: integers only.

A picture is cut into windows that all have the same size, so that a runtime prepares one shape.  Around each tile a
halo is read.  At the picture's edges the samples are mirrored (edge sample repeated) for a few samples only: there
networks add their own border, as in training, where every patch has one.  How far they are mirrored depends on the
picture's size alone, so any tile size gives the whole-picture result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError

__all__ = ["EDGE", "Span", "even_tile", "mirrored", "spans", "tile_grid", "tile_rows_for_memory"]

#: Samples that are mirrored at an edge, up to seven more at the end.  What networks of a dozen layers answer then is
#: within 0.02 dB, in the outermost source pixels, of what they answer where a whole halo is mirrored.
EDGE = 4

# Windows have a multiple of so many samples: pictures of nearly the same size then share a shape.
_MULTIPLE = 8

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

    def inner(self, scale: int) -> slice:
        """This tile's part of its window's result."""
        return slice((self.start - self.window_start) * scale, (self.stop - self.window_start) * scale)


def spans(length: int, tile: int, halo: int, edge: int = EDGE) -> Iterator[Span]:
    """Cut an axis into tiles.

    Every window has ``tile + 2 * halo`` samples, or those of the whole axis where that is fewer; the last one begins
    early enough to end where the axis does.

    Args:
        length: samples on the axis, at least 1.
        tile: samples per tile, at least 1; those at the ends take more, as less lies around them.
        halo: samples around a tile that its result depends on, at least 0.
        edge: samples that are mirrored at the ends, at least 0; no more than ``halo`` are.

    Raises:
        OptionError: a number below its least value.
    """
    if length < 1 or tile < 1 or halo < 0 or edge < 0:
        raise OptionError(f"length {length}, tile {tile}, halo {halo}, edge {edge}: expected at least 1, 1, 0 and 0")
    before, whole = _extent(length, halo, edge)
    window = min(tile + 2 * halo, whole)
    done = 0
    for number in range(_count(length, tile, halo, edge)):
        first = min(number * tile, whole - window) - before
        last = first + window == whole - before
        stop = length if last else min(length, first + window - halo)
        yield Span(done, stop, first, first + window)
        done = stop


def _extent(length: int, halo: int, edge: int) -> tuple[int, int]:
    """What is mirrored before an axis, and the samples of all of it with what is mirrored on both sides."""
    before = min(edge, halo)
    return before, _rounded(length + 2 * before)


def _rounded(samples: int) -> int:
    return -(-samples // _MULTIPLE) * _MULTIPLE


def _inner(length: int, halo: int, edge: int) -> int:
    """What tiles have to cover between them: an axis less what its first and last windows hold of it beside theirs."""
    before, whole = _extent(length, halo, edge)
    return min(whole - 2 * halo, length + before - halo)


def _count(length: int, tile: int, halo: int, edge: int = EDGE) -> int:
    """Windows that cover an axis."""
    return max(1, -(-_inner(length, halo, edge) // tile))


def even_tile(length: int, count: int, halo: int) -> int:
    """The tile, a multiple of 8, by which ``count`` windows cover an axis and overlap little more than they must."""
    inner = _inner(length, halo, EDGE)
    return max(_rounded(length) if count == 1 else _MULTIPLE, _rounded(math.ceil(inner / count)))


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
    ((336, 336), (336, 256), (40, 40))
    """
    wholes = [_extent(length, halo, EDGE)[1] for length in (width, height)]

    def time(size: tuple[int, int]) -> tuple[int, int]:
        tiles = _count(width, size[0], halo) * _count(height, size[1], halo)
        window = math.prod(min(whole, part + 2 * halo) for whole, part in zip(wholes, size, strict=True))
        return -(-tiles // lanes) * window, size[1]

    sizes = [
        (columns, rows)
        for columns in _even_tiles(width, tile, halo, lanes)
        for rows in _even_tiles(height, most_rows or tile, halo, lanes)
    ]
    return min(sizes, key=time)


def _even_tiles(length: int, most: int, halo: int, lanes: int) -> list[int]:
    """Tiles for the fewest windows and for up to so many more, while these are not mostly halo."""
    fewest = 1 if length <= most else _count(length, most, halo)
    tiles = [even_tile(length, fewest + more, halo) for more in range(lanes + 1)]
    return tiles[:1] + [tile for tile in tiles[1:] if tile >= _LEAST_HALOS * halo]


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
