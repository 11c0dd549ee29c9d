"""Picture formats: readers chosen by content, writers by suffix.

A reader gives rows from top to bottom, a writer takes them from top to bottom, so that a picture far larger than
memory streams through.  Nothing here imports libvips before a picture is opened.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from superres.errors import OptionError
from superres.formats import sniff
from superres.formats.base import Limits, Reader, Writer
from superres.formats.table import FORMATS, Format, picture_suffixes
from superres.image import Image, PictureInfo

__all__ = [
    "FORMATS",
    "Format",
    "Limits",
    "Reader",
    "Writer",
    "open_reader",
    "open_writer",
    "picture_suffixes",
    "read_image",
    "write_image",
]

# Enough rows per call that calls cost nothing, few enough that they fit the cache.
_BAND_BYTES = 4 * 2**20


def open_reader(source: str | Path | bytes, *, name: str | None = None, limits: Limits | None = None) -> Reader:
    """Open a picture; its content, never its name, decides what it is.

    Of an animation this reads the first frame: see :mod:`superres.formats.animation`.

    Args:
        source: a file, or its content.
        name: what messages call it; the path by default.
        limits: largest picture accepted; the defaults of :class:`Limits` when None.

    Raises:
        InputError: there is no such file, or it cannot be read.
        UnsupportedFormatError: its content is on no allow-list, or of a kind that is not read.
        CorruptInputError: it is damaged.
        LimitError: its header declares more pixels than ``limits`` allow; nothing has been decoded.
    """
    source = Path(source) if isinstance(source, str) else source
    label = sniff.display_name(source, name)
    with sniff.open_source(source, label) as file:
        kind = sniff.identify(file.read(sniff.HEAD), label)
    module, function = FORMATS[kind].reader.split(":")
    opener = getattr(importlib.import_module(module), function)
    return cast(Reader, opener(source, kind, label, limits or Limits()))


def open_writer(
    target: Path | None,
    info: PictureInfo,
    *,
    format: str | None = None,
    quality: int | None = None,
    compression: str = "fast",
    overwrite: bool = False,
    source: Path | None = None,
    stream: BinaryIO | None = None,
) -> Writer:
    """Open a result for writing.  Everything that can be refused is refused here, before any work is done.

    Rows are encoded beside the caller's work in bounded memory (WebP and AVIF encoders hold the whole picture).
    16-bit samples become 8-bit where the format has no more (JPEG, WebP), 12-bit in AVIF.

    Args:
        target: the file; None when ``stream`` is given.
        info: of the result, already scaled.
        format: a key or suffix of :data:`FORMATS`; by default the suffix of ``target`` decides.
        quality: 1-100 for JPEG (95), AVIF (90) and WebP (by default without loss).
        compression: ``fast``, or ``small`` for smaller PNG and TIFF files in several times the time.
        overwrite: whether an existing file may be replaced.
        source: the input file, which must not be the target.
        stream: where the finished file is copied instead, such as standard output.

    Raises:
        OptionError: unknown format or compression; the format cannot hold transparency, float samples or a picture so
            large; a quality that means nothing.
        OutputError: the target exists, is the source, or cannot be written.
    """
    from superres.formats.encode import open_still_writer

    return open_still_writer(
        target,
        info,
        format=format,
        quality=quality,
        compression=compression,
        overwrite=overwrite,
        source=source,
        stream=stream,
    )


def read_image(path: str | Path | bytes, *, name: str | None = None, limits: Limits | None = None) -> Image:
    """A whole picture in memory.  Arguments and errors as for :func:`open_reader`."""
    reader = open_reader(path, name=name, limits=limits)
    try:
        info = reader.info
        samples = np.empty((info.height, info.width, info.channels), info.dtype)
        for start, stop in _bands(info):
            samples[start:stop] = reader.read(start, stop)
    finally:
        reader.close()
    return Image(samples, info)


def write_image(
    image: Image,
    path: Path,
    *,
    overwrite: bool = False,
    format: str | None = None,
    quality: int | None = None,
) -> None:
    """Write a whole picture.  Arguments and errors as for :func:`open_writer`."""
    if image.samples.size == 0:
        raise OptionError(f"{path}: a picture without pixels cannot be written")
    writer = open_writer(path, image.info, format=format, quality=quality, overwrite=overwrite)
    try:
        for start, stop in _bands(image.info):
            writer.write(image.samples[start:stop])
        writer.commit()
    finally:
        writer.abort()


def _bands(info: PictureInfo) -> list[tuple[int, int]]:
    """Row ranges that cover a picture, a few megabytes each."""
    step = max(1, _BAND_BYTES // (info.width * info.channels * info.dtype.itemsize))
    return [(start, min(start + step, info.height)) for start in range(0, info.height, step)]
