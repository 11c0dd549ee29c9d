"""The finished parts of a raster, straight from the networks or by way of a file that survives a kill."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres import __version__
from superres.formats import Limits
from superres.formats.geotiff import Box
from superres.pipeline import Options
from superres.workflows.networks import Networks
from superres.workflows.raster_parts import PartMaker
from superres.workflows.spool import Spool

__all__ = ["Parts", "job_key", "spool_path"]

Array = npt.NDArray[Any]

# First byte of a record: samples of one window, or the name of a file that a killed run leaves behind.
_SAMPLES, _NAME = b"S", b"N"


def spool_path(target: Path) -> Path:
    """Where finished parts of a result are kept: hidden, beside it."""
    real = Path(os.path.realpath(target))
    return real.with_name(f".{os.fsdecode(os.fsencode(real.name)[:200])}.resume")


def job_key(source: Path, options: Options, networks: Networks, boxes: Sequence[Box]) -> bytes:
    """32 bytes that differ when anything differs that the result depends on.

    The source's path, size and time of change, those of its mask and of its guide; every option but the limits; the
    model files; the windows; the version.
    """
    facts: list[object] = [__version__, replace(options, limits=Limits()), networks, boxes]
    rasters = [source] if options.raster.guide is None else [source, options.raster.guide]
    for path in (one.with_name(one.name + end) for one in rasters for end in ("", ".msk", ".aux.xml")):
        if path.exists():
            status = path.stat()
            facts += [str(path.absolute()), status.st_size, status.st_mtime_ns]
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).digest()


class Parts:
    """Every window of a result, in the order in which it is written.

    Args:
        maker: makes them.
        boxes: the windows.
        report: called with (samples made, samples in all).
    """

    def __init__(self, maker: PartMaker, boxes: Sequence[Box], report: Callable[[int, int], None] | None) -> None:
        self._maker, self._boxes, self._report = maker, boxes, report
        self._bands = len(maker.raster.bands)
        self._done, self.samples = 0, sum(self._size(box) for box in boxes)

    def made(self, spool: Spool | None, hidden: Sequence[Path]) -> Iterator[tuple[Box, Array]]:
        """(window, samples) of each; see :meth:`superres.workflows.raster_parts.PartMaker.make`.

        Args:
            spool: keeps what is finished; all of it is, before the first window is given.  None to keep nothing.
            hidden: files that this run is about to write: those of a killed run are removed.
        """
        if spool is None:
            for box in self._boxes:
                yield box, self._maker.make(box, self._step)
            return
        self._remove_leftovers(spool, hidden)
        for path in hidden:
            spool.append(_NAME + os.fsencode(path.name))
        finished = sum(record.startswith(_SAMPLES) for record in spool)
        self._step(sum(self._size(box) for box in self._boxes[:finished]))
        for box in self._boxes[finished:]:
            spool.append(_SAMPLES + _packed(self._maker.make(box, self._step)))
        boxes = iter(self._boxes)
        for record in spool:
            if record.startswith(_SAMPLES):
                box = next(boxes)
                yield box, _unpacked(record[1:], self._bands, box, self._maker.raster.dtype)

    def mask(self, box: Box) -> npt.NDArray[np.uint8] | None:
        """The result's own mask in a window; None where it has none."""
        return self._maker.mask(box)

    def _size(self, box: Box) -> int:
        return (box[1] - box[0]) * (box[3] - box[2]) * self._bands

    def _step(self, samples: int) -> None:
        self._done += samples
        if self._report:
            self._report(self._done, self.samples)

    def _remove_leftovers(self, spool: Spool, hidden: Sequence[Path]) -> None:
        folder = hidden[0].parent
        for record in spool:
            name = os.fsdecode(record[1:])
            if record.startswith(_NAME) and Path(name).name == name and folder / name not in hidden:
                (folder / name).unlink(missing_ok=True)


def _packed(samples: Array) -> bytes:
    """As bytes.  The quickest level: they are read once and then removed."""
    return zlib.compress(np.ascontiguousarray(samples).data, 1)


def _unpacked(data: bytes, bands: int, box: Box, dtype: np.dtype[Any]) -> Array:
    samples = np.frombuffer(zlib.decompress(data), dtype)
    if samples.size == bands:
        return samples.reshape(bands, 1, 1)
    return samples.reshape(bands, box[1] - box[0], box[3] - box[2])
