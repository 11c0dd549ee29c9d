"""Writer of still pictures: rows go in from the top, an encoder runs beside, the finished file is renamed over."""

from __future__ import annotations

import atexit
import importlib
import os
import threading
import traceback
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError, OutputError
from superres.formats import finish
from superres.formats.exif_write import placeholder, room
from superres.formats.placement import FilePlacement, Placement, StreamPlacement
from superres.formats.png import write_png
from superres.formats.rowsource import RowSource
from superres.formats.table import FORMATS, format_of_name, format_of_suffix
from superres.formats.vips import output_error, set_blob, vips
from superres.image import PictureInfo

__all__ = [
    "COMPRESSIONS",
    "Encoding",
    "StillWriter",
    "Timing",
    "open_still_writer",
    "save_avif",
    "save_gif",
    "save_jpeg",
    "save_png",
    "save_tiff",
    "save_webp",
]

# Rows are queued in slices of this size, so that the encoder starts long before a band of tiles is through.
_SLICE_BYTES = 8 * 2**20

#: What a lossless result may be made for: to be written soon, or to be small.
COMPRESSIONS = ("fast", "small")

_writers: weakref.WeakSet[StillWriter] = weakref.WeakSet()


@dataclass(frozen=True)
class Encoding:
    """How samples are packed.

    Attributes:
        quality: 1-100, or None for the default of the format.
        small: whether PNG and TIFF take their time for smaller files.
    """

    quality: int | None = None
    small: bool = False


def open_still_writer(
    target: Path | None,
    info: PictureInfo,
    *,
    format: str | None = None,
    quality: int | None = None,
    compression: str = "fast",
    overwrite: bool = False,
    source: Path | None = None,
    stream: BinaryIO | None = None,
) -> StillWriter:
    """See :func:`superres.formats.open_writer`."""
    if (target is None) == (stream is None):
        raise OptionError("a result needs either a target file or a stream")
    if format is None and target is None:
        raise OptionError("a result that goes to a stream needs a format, such as png; name it with --format")
    if compression not in COMPRESSIONS:
        raise OptionError(f"compression {compression!r}: expected {' or '.join(COMPRESSIONS)}")
    kind = format_of_name(format) if format is not None else format_of_suffix(Path(str(target)).suffix)
    stored = _stored_info(info, kind, quality)
    # The encoder (and with it libvips) is loaded before the hidden file appears.
    vips()
    place: Placement
    if stream is not None:
        place = StreamPlacement(stream)
    else:
        place = FilePlacement(Path(str(target)), overwrite=overwrite, source=source)
    return StillWriter(place, info, stored, kind, Encoding(quality, compression == "small"))


def _stored_info(info: PictureInfo, kind: str, quality: int | None) -> PictureInfo:
    """What the file will hold: ``info``, with 16 bits turned into 8 where the format has no more, and without EXIF that
    it cannot hold.

    Raises:
        OptionError: the format cannot hold the picture, or the quality means nothing to it.
    """
    entry = FORMATS[kind]
    best = "TIFF" if info.dtype.kind == "f" else "PNG or TIFF"
    if not entry.writer or not entry.still:
        raise OptionError(f"{kind} is not written as a still picture; choose png, tiff, jpeg, webp or avif")
    if quality is not None and not (entry.quality and 1 <= quality <= 100):
        why = "expected 1-100" if entry.quality else f"{kind} is written without loss; omit it or choose jpeg"
        raise OptionError(f"quality {quality} for {kind}: {why}")
    if info.alpha and not entry.alpha:
        raise OptionError(f"{kind} cannot hold transparency; choose {best}, or WebP")
    if info.dtype.kind == "f" and "float32" not in entry.depths:
        raise OptionError(f"{kind} cannot hold float samples; choose TIFF")
    if max(info.width, info.height) > entry.max_side:
        raise OptionError(
            f"{kind} holds at most {entry.max_side} pixels per side, the result has {info.width} x {info.height}; "
            f"choose {best} or a smaller scale"
        )
    exif = finish.exif_of(info, kind)
    if exif is not None and len(exif) > entry.exif:
        info = replace(info, metadata=replace(info.metadata, exif=None))
    if info.dtype.name in entry.depths:
        return info
    return replace(info, dtype=np.dtype(np.uint8), sample_range=255.0)


@dataclass(frozen=True)
class Timing:
    """How an animation plays: milliseconds per frame, and how often it runs (0: for ever)."""

    durations: tuple[int, ...]
    loop: int

    def describe(self, picture: Any, height: int) -> None:
        """Tell libvips that a picture ``height`` rows tall is a column of frames."""
        module = vips()
        picture.set_type(module.GValue.gint_type, "page-height", height // len(self.durations))
        picture.set_type(module.GValue.gint_type, "n-pages", len(self.durations))
        picture.set_type(module.GValue.array_int_type, "delay", list(self.durations))
        picture.set_type(module.GValue.gint_type, "loop", self.loop)


class StillWriter:
    """A result in the making; see :class:`superres.formats.base.Writer`.

    Args:
        place: where it goes.
        info: the rows that will be written.
        stored: what the file holds: as ``info``, or 8 bits where ``info`` has 16, or without its EXIF.
        kind: format name.
        encoding: how it is packed.
        timing: for an animation, whose frames are written below one another as one tall picture.
    """

    def __init__(
        self,
        place: Placement,
        info: PictureInfo,
        stored: PictureInfo,
        kind: str,
        encoding: Encoding,
        timing: Timing | None = None,
    ) -> None:
        self._place = place
        self._info, self._stored = info, stored
        self._kind, self._encoding, self._timing = kind, encoding, timing
        self._exif = finish.exif_of(stored, kind)
        self._rows = RowSource(stored)
        self._row = 0
        self._done = False
        self._failure: Exception | None = None
        self._callbacks: Any = None
        # A daemon, so that a forgotten writer cannot keep the interpreter alive; _abort_all ends it first.
        self._encoder = threading.Thread(target=self._encode, name=f"encode-{kind}", daemon=True)
        _writers.add(self)
        self._encoder.start()

    @property
    def path(self) -> Path | None:
        """The target, or None when the result goes to a stream."""
        return self._place.path

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the metadata is left out; see :class:`superres.formats.base.Writer`."""
        exif = self._info.metadata.exif
        if exif is None or self._stored.metadata.exif is not None:
            return ()
        return (
            f"EXIF of {len(exif)} bytes is left out, because {self._kind} holds at most {FORMATS[self._kind].exif}; "
            "choose PNG, TIFF, WebP or AVIF to keep it",
        )

    def write(self, rows: npt.NDArray[Any]) -> None:
        """The next rows (n, width, channels), of the dtype and meaning announced when the writer was opened.

        The array may be reused as soon as this returns.

        Raises:
            OptionError: rows of another shape or dtype, or too many; the writer stays usable.
            OutputError: the disk is full or the encoder failed; nothing is left behind.
        """
        if self._done:
            raise OutputError(f"{self._name}: has been finished or aborted already")
        expected = (self._info.width, self._info.channels)
        if rows.ndim != 3 or rows.shape[1:] != expected or rows.dtype != self._info.dtype:
            raise OptionError(
                f"{self._name}: rows are {rows.dtype} {rows.shape}, expected {self._info.dtype} (n, {expected[0]}, "
                f"{expected[1]})"
            )
        if self._row + len(rows) > self._info.height:
            raise OptionError(f"{self._name}: {self._row + len(rows)} rows for a picture of {self._info.height}")
        step = max(1, _SLICE_BYTES // max(1, rows[:1].nbytes))
        try:
            for start in range(0, len(rows), step):
                data = memoryview(self._as_stored(rows[start : start + step]).tobytes())
                if not self._rows.put(data):
                    self._fail()
        except BaseException:
            self.abort()
            raise
        self._row += len(rows)

    def commit(self) -> None:
        """Finish the file, fsync it, and rename it into place.

        Raises:
            OutputError: rows are missing, the disk is full, or the encoder failed; then nothing is left behind.
        """
        if self._done:
            raise OutputError(f"{self._name}: has been finished or aborted already")
        try:
            if self._row != self._info.height:
                raise OutputError(f"{self._name}: got {self._row} of {self._info.height} rows; nothing was kept")
            self._encoder.join()
            if self._failure is not None:
                self._fail()
            self._place.commit()
            self._done = True
        finally:
            self.abort()

    def abort(self) -> None:
        """Remove every temporary file.  May be called at any time, also after :meth:`commit` (then it does nothing)."""
        if self._done:
            return
        self._done = True
        self._rows.stop()
        # Ends at its next read.  Only an encoder deep in one picture-wide step (AVIF) could take longer; the hidden
        # file has no name by then, so nothing of it remains.
        self._encoder.join(timeout=5)
        self._place.discard()

    @property
    def _name(self) -> str:
        return str(self.path) if self.path is not None else "<stream>"

    def _fail(self) -> None:
        self._encoder.join()
        reason = self._failure or OutputError("the encoder stopped early")
        raise output_error(self._name, reason) from reason

    def _as_stored(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Rows in the depth of the file; 16 bits become 8 by rounding x / 257."""
        if rows.dtype == self._stored.dtype:
            return rows
        return ((rows.astype(np.uint32) + 128) // 257).astype(np.uint8)

    def _encode(self) -> None:
        """The encoder thread: everything that happens here reaches the caller through ``_failure``."""
        try:
            self._save()
        except Exception as exc:
            # Its frames hold the libvips target, whose duplicate of our descriptor would keep the space on the disk.
            traceback.clear_frames(exc.__traceback__)
            self._failure = exc
        finally:
            # Whoever waits to put rows must learn that nobody reads any more.
            self._rows.stop()

    def _save(self) -> None:
        if self._kind == "png" and not self._encoding.small:
            with os.fdopen(os.dup(self._place.descriptor), "wb") as file:
                write_png(self._blocks(), self._stored, file)
            return
        if self._exif is not None:
            os.lseek(self._place.descriptor, room(self._kind, self._exif), os.SEEK_SET)
        target = vips().Target.new_to_descriptor(self._place.descriptor)
        module, function = FORMATS[self._kind].writer.split(":")
        save = getattr(importlib.import_module(module), function)
        save(self._picture(), target, self._stored, self._encoding)
        durations = () if self._timing is None else self._timing.durations
        finish.complete(self._place.descriptor, self._kind, self._stored, self._exif, durations)

    def _blocks(self) -> Iterator[npt.NDArray[Any]]:
        """The rows as they were put, without a detour over libvips."""
        for data in self._rows.blocks():
            yield np.frombuffer(data, self._stored.dtype).reshape(-1, self._stored.width, self._stored.channels)

    def _picture(self) -> Any:
        """The picture as libvips sees it: rows yet to come, with their metadata."""
        # Held by the writer: libvips calls back through these Python objects, but does not keep them alive.
        self._callbacks = vips().SourceCustom()
        self._callbacks.on_read(self._rows.read)
        self._callbacks.on_seek(self._rows.seek)
        meta = self._stored.metadata
        dpi = meta.dpi or (72.0, 72.0)
        picture = vips().Image.tiffload_source(self._callbacks, access="sequential", fail_on="error")
        picture = picture.copy(xres=dpi[0] / 25.4, yres=dpi[1] / 25.4)
        set_blob(picture, "icc-profile-data", meta.icc)
        set_blob(picture, "xmp-data", meta.xmp)
        set_blob(picture, "exif-data", placeholder(self._kind) if self._exif is not None else None)
        if self._timing is not None:
            self._timing.describe(picture, self._stored.height)
        return picture


def _kept(picture: Any) -> str:
    """The kinds of metadata that there are: asked to keep EXIF, libvips invents a block where there is none."""
    kinds = {"exif": "exif-data", "xmp": "xmp-data", "icc": "icc-profile-data"}
    return ":".join(kind for kind, field in kinds.items() if picture.get_typeof(field)) or "none"


def save_png(picture: Any, target: Any, info: PictureInfo, encoding: Encoding) -> None:
    """PNG in a small file; in a fast one it is :mod:`superres.formats.png` that writes it.

    Enlarged photographs are smooth, so the Paeth filter alone is as small as trying all of them; level 9 is 8 % smaller
    than 6 in nine times its time.
    """
    picture.pngsave_target(target, compression=6, filter="paeth", keep=_kept(picture))


def save_jpeg(picture: Any, target: Any, info: PictureInfo, encoding: Encoding) -> None:
    """JPEG, quality 95 by default, colour at full resolution: a picture just enlarged should not lose it again."""
    # Optimal Huffman tables save some 5 %, but hold all coefficients: 6 bytes per pixel.
    small = info.width * info.height <= 2**24
    picture.jpegsave_target(
        target, Q=encoding.quality or 95, subsample_mode="off", optimize_coding=small, keep=_kept(picture)
    )


def save_tiff(picture: Any, target: Any, info: PictureInfo, encoding: Encoding) -> None:
    """TIFF in deflated strips; BigTIFF when the plain samples come near the 4 GB that classic TIFF can address.

    Deflate's level 3 is 5 % larger than 6 in a third of its time.
    """
    size = info.height * info.width * info.channels * info.dtype.itemsize
    picture.tiffsave_target(
        target,
        compression="deflate",
        level=6 if encoding.small else 3,
        predictor="float" if info.dtype.kind == "f" else "horizontal",
        bigtiff=size > 3_900_000_000,
        resunit="inch",
        keep=_kept(picture),
    )


def save_webp(picture: Any, target: Any, info: PictureInfo, encoding: Encoding) -> None:
    """WebP, without loss unless a quality is given.  ``exact`` keeps colours under transparent pixels."""
    if encoding.quality is None:
        picture.webpsave_target(target, lossless=True, exact=True, effort=1, keep=_kept(picture))
    else:
        picture.webpsave_target(target, Q=encoding.quality, smart_subsample=True, keep=_kept(picture))


def save_avif(picture: Any, target: Any, info: PictureInfo, encoding: Encoding) -> None:
    """AVIF, quality 90 by default, colour at full resolution; 16-bit samples are kept to 12 bits."""
    depth = 8 if info.dtype.itemsize == 1 else 12
    picture.heifsave_target(
        target,
        Q=encoding.quality or 90,
        compression="av1",
        bitdepth=depth,
        effort=3,
        subsample_mode="off",
        keep=_kept(picture),
    )


def save_gif(picture: Any, target: Any, info: PictureInfo, encoding: Encoding) -> None:
    """GIF of an animation: a palette per frame where one does not serve all, equal frames kept for their timing."""
    picture.gifsave_target(target, keep_duplicate_frames=True, keep=_kept(picture))


@atexit.register
def _abort_all() -> None:
    # Runs before libvips shuts down (it was imported earlier, so it goes later): no encoder may be left in it.
    for writer in list(_writers):
        writer.abort()
