"""Animations: GIF, WebP and APNG as whole, composited frames, with their durations and loop count."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from superres.errors import LimitError, OptionError, OutputError
from superres.formats import apng, containers, sniff
from superres.formats.base import Limits
from superres.formats.encode import StillWriter, Timing
from superres.formats.placement import FilePlacement
from superres.formats.still import open_still
from superres.formats.table import FORMATS, format_of_name, format_of_suffix
from superres.formats.vips import blob, input_error, output_error, set_blob, vips
from superres.image import Metadata, PictureInfo

__all__ = ["Animation", "AnimationWriter", "is_animated", "open_animation", "open_animation_writer"]

_LOADERS = {"gif": "gifload_source", "webp": "webpload_source"}
_WRITTEN = ("gif", "webp", "png")
# libvips holds an animation as one column of frames, and no picture of it may be taller.
_MAX_ROWS = 10_000_000


class Animation(Protocol):
    """An open animation.  Frames are composited: each is what a viewer shows, disposal and blending resolved."""

    @property
    def info(self) -> PictureInfo:
        """Of one frame: RGB, with or without alpha (grey for some APNG); uint8 (uint16 for some APNG)."""

    @property
    def frames(self) -> int:
        """How many frames."""

    @property
    def durations(self) -> tuple[int, ...]:
        """How long each frame stays, in milliseconds, as the file states it: 0 is left to the viewer."""

    @property
    def loop(self) -> int:
        """How often the animation runs; 0 for ever."""

    def read_frame(self, index: int) -> npt.NDArray[Any]:
        """Frame ``index`` as (height, width, channels).  Ascending order is quick, going back starts anew.

        Raises:
            CorruptInputError: the data is damaged or ends early; the message names the file.
            OptionError: there is no such frame.
        """

    def close(self) -> None:
        """Free the file.  May be called twice."""


class AnimationWriter(Protocol):
    """An animation in the making: written beside its target, renamed over it by :meth:`commit`."""

    def write_frame(self, frame: npt.NDArray[Any]) -> None:
        """The next frame (height, width, channels).  Raises OutputError; then nothing is left behind."""

    def commit(self) -> None:
        """Finish the file and rename it into place.  Raises OutputError; then nothing is left behind."""

    def abort(self) -> None:
        """Remove every temporary file.  May be called at any time."""


def is_animated(source: Path | bytes, *, name: str | None = None) -> bool:
    """Whether a picture is a GIF, WebP or PNG with more than one frame.  Decodes nothing.

    Raises:
        InputError: as :func:`superres.formats.open_reader`.
    """
    label = sniff.display_name(source, name)
    with sniff.open_source(source, label) as file:
        kind = sniff.identify(file.read(sniff.HEAD), label)
        if kind == "png":
            return containers.inspect_png(file, label).animated and len(apng.parse(file, label).frames) > 1
    if kind not in _LOADERS:
        return False
    try:
        return bool(_count(_load(source, kind, 1)) > 1)
    except vips().Error as exc:
        raise input_error(label, exc) from exc


def open_animation(source: Path | bytes, *, name: str | None = None, limits: Limits | None = None) -> Animation:
    """Open a GIF, WebP or APNG; one that holds a single frame is an animation of one frame.

    Raises:
        InputError: as :func:`superres.formats.open_reader`.
        LimitError: width x height x frames exceeds the limit; nothing has been decoded.
        OptionError: the picture is of a format that has no animations.
    """
    label = sniff.display_name(source, name)
    bounds = limits or Limits()
    with sniff.open_source(source, label) as file:
        kind = sniff.identify(file.read(sniff.HEAD), label)
        if kind == "png":
            containers.inspect_png(file, label)
            return _ApngAnimation(source, apng.parse(file, label), label, bounds)
        if kind == "gif":
            containers.check_gif_is_whole(file, label)
    if kind not in _LOADERS:
        raise OptionError(f"{label}: {kind} holds no animation; expected GIF, WebP or APNG")
    return _VipsAnimation(source, kind, label, bounds)


def open_animation_writer(
    target: Path,
    info: PictureInfo,
    durations: tuple[int, ...],
    loop: int,
    *,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    source: Path | None = None,
) -> AnimationWriter:
    """Open an animation for writing; see :func:`superres.formats.open_writer`.

    Args:
        target: the file.
        info: of one resulting frame.
        durations: milliseconds per frame; their number is the number of frames.  GIF keeps hundredths of a second;
            WebP joins equal neighbours into one frame that stays as long as both.
        loop: how often it runs, 0 for ever.
        format: ``gif``, ``webp`` or ``png``; by default the suffix of ``target`` decides.
        quality: 1-100 for WebP, which is written without loss by default.
        overwrite: whether an existing file may be replaced.
        source: the input file, which must not be the target.

    Raises:
        OptionError: another format, no frames, or more than the format holds.
        OutputError: the target exists, is the source, or cannot be written.
    """
    kind = format_of_name(format) if format is not None else format_of_suffix(target.suffix)
    if kind not in _WRITTEN:
        raise OptionError(f"{kind} holds no animation; choose gif, webp or png (APNG)")
    if not durations or min(durations) < 0 or not 0 <= loop < 65_536:
        raise OptionError(f"an animation needs frames, durations >= 0 and 0 <= loop < 65536, not {durations!r}, {loop}")
    if quality is not None and (kind != "webp" or not 1 <= quality <= 100):
        raise OptionError(f"quality {quality} for an animated {kind}: only WebP takes one, 1-100")
    side = FORMATS[kind].max_side
    if max(info.width, info.height) > side or info.height * len(durations) > _MAX_ROWS:
        raise OptionError(
            f"{kind} holds frames up to {side} pixels per side, {_MAX_ROWS} rows in all; these are {len(durations)} "
            f"frames of {info.width} x {info.height}: choose a smaller scale"
        )
    if info.dtype != np.uint8 and not (kind == "png" and info.dtype == np.uint16):
        raise OptionError(f"an animated {kind} holds 8-bit samples, not {info.dtype}")
    vips()
    place = FilePlacement(target, overwrite=overwrite, source=source)
    if kind == "png":
        return _ApngWriter(place, info, Timing(durations, loop))
    return _VipsWriter(place, info, Timing(durations, loop), kind, quality)


class _VipsAnimation:
    """GIF and WebP: libvips composites the frames and gives them as one column."""

    def __init__(self, source: Path | bytes, kind: str, name: str, limits: Limits) -> None:
        self._source, self._kind, self._name = source, kind, name
        try:
            first = _load(source, kind, 1)
            count = _count(first)
            limits.check_input(name, first.width, first.height, count)
            if first.height * count > _MAX_ROWS:
                raise LimitError(f"{name}: has {count} frames of {first.height} rows, more than {_MAX_ROWS} rows in all")
            # Whether any frame is transparent shows only when all are asked for.
            self._column = _load(source, kind, -1)
        except vips().Error as exc:
            raise input_error(name, exc) from exc
        self._region: Any = None
        self._next = 0
        delays = list(self._column.get("delay")) if self._column.get_typeof("delay") else []
        self.durations: tuple[int, ...] = tuple((delays + [0] * count)[:count])
        self.loop: int = int(self._column.get("loop")) if self._column.get_typeof("loop") else 0
        self.frames: int = count
        bands = self._column.bands
        self.info = PictureInfo(
            height=first.height,
            width=first.width,
            colour="rgb" if bands > 2 else "grey",
            dtype=np.dtype(np.uint8),
            sample_range=255.0,
            alpha=bands in (2, 4),
            format=kind,
            lossy=kind == "webp" and open_still(source, kind, name, limits).info.lossy,
            metadata=Metadata(icc=blob(self._column, "icc-profile-data"), xmp=blob(self._column, "xmp-data")),
        )

    def read_frame(self, index: int) -> npt.NDArray[Any]:
        """See :class:`Animation`."""
        if self._column is None or not 0 <= index < self.frames:
            raise OptionError(f"{self._name}: frame {index} asked of {self.frames}, or after closing")
        height, width = self.info.height, self.info.width
        try:
            if self._region is None or index < self._next:
                self._column = _load(self._source, self._kind, -1)
                self._region, self._next = vips().Region.new(self._column), 0
            # The decoder runs forward only, so frames that are passed over are decoded as well.
            for frame in range(self._next, index + 1):
                data = self._region.fetch(0, frame * height, width, height)
        except vips().Error as exc:
            self._region = None
            raise input_error(self._name, exc) from exc
        self._next = index + 1
        return np.frombuffer(data, np.uint8).reshape(height, width, self.info.channels)

    def close(self) -> None:
        """See :class:`Animation`."""
        self._column = self._region = None


class _ApngAnimation:
    """APNG: libvips decodes single frames, the compositing is ours."""

    def __init__(self, source: Path | bytes, header: apng.ApngHeader, name: str, limits: Limits) -> None:
        self._source, self._header, self._name = source, header, name
        limits.check_input(name, header.width, header.height, len(header.frames))
        self.frames: int = len(header.frames)
        self.durations: tuple[int, ...] = tuple(frame.duration for frame in header.frames)
        self.loop: int = header.loop
        still = open_still(source, "png", name, limits)
        self.info: PictureInfo = replace(still.info, alpha=still.info.alpha or self._uncovered())
        still.close()
        self._canvas: npt.NDArray[Any] | None = None
        self._next = 0

    def read_frame(self, index: int) -> npt.NDArray[Any]:
        """See :class:`Animation`."""
        if not 0 <= index < self.frames:
            raise OptionError(f"{self._name}: frame {index} asked of {self.frames}")
        if self._canvas is None or index < self._next:
            self._canvas = np.zeros((self.info.height, self.info.width, self.info.channels), self.info.dtype)
            self._next = 0
        shown = self._canvas
        for frame in self._header.frames[self._next : index + 1]:
            shown = self._show(frame)
        self._next = index + 1
        return shown

    def close(self) -> None:
        """See :class:`Animation`."""
        self._canvas = None

    def _uncovered(self) -> bool:
        """Whether some frame may leave transparent pixels on a canvas that starts out empty."""
        frames = self._header.frames
        full = (self._header.width, self._header.height)
        return (frames[0].width, frames[0].height) != full or any(frame.dispose == 1 for frame in frames)

    def _show(self, frame: apng.ApngFrame) -> npt.NDArray[Any]:
        """Lay a frame on the canvas; what is shown.  The canvas is left as its disposal wants it."""
        canvas = self._canvas
        if canvas is None:
            raise OptionError(f"{self._name}: has been closed")
        with sniff.open_source(self._source, self._name) as file:
            png = apng.standalone(file, self._header, frame)
        rows = open_still(png, "png", self._name, Limits()).read(0, frame.height)
        if rows.shape[2] < canvas.shape[2]:
            opaque = np.full((*rows.shape[:2], 1), self.info.sample_range, rows.dtype)
            rows = np.concatenate([rows, opaque], axis=2)
        area = canvas[frame.y : frame.y + frame.height, frame.x : frame.x + frame.width]
        before = area.copy()
        area[...] = _over(rows, before, self.info) if frame.blend == 1 and self.info.alpha else rows
        shown = canvas.copy()
        if frame.dispose == 1:
            area[...] = 0
        elif frame.dispose == 2:
            area[...] = before
        return shown


class _VipsWriter:
    """GIF and WebP: the frames go as one column through the writer of still pictures."""

    def __init__(
        self, place: FilePlacement, info: PictureInfo, timing: Timing, kind: str, quality: int | None
    ) -> None:
        self._shape = (info.height, info.width, info.channels)
        column = replace(info, height=info.height * len(timing.durations))
        self._writer = StillWriter(place, column, column, kind, quality, timing)

    def write_frame(self, frame: npt.NDArray[Any]) -> None:
        """See :class:`AnimationWriter`."""
        if frame.shape != self._shape:
            raise OptionError(f"a frame is {frame.shape}, expected {self._shape}")
        self._writer.write(frame)

    def commit(self) -> None:
        """See :class:`AnimationWriter`."""
        self._writer.commit()

    def abort(self) -> None:
        """See :class:`AnimationWriter`."""
        self._writer.abort()


class _ApngWriter:
    """APNG: libvips compresses each frame as a PNG, whose pixel chunks are taken over."""

    def __init__(self, place: FilePlacement, info: PictureInfo, timing: Timing) -> None:
        self._place, self._info, self._timing = place, info, timing
        self._written = self._sequence = 0
        self._done = False

    def write_frame(self, frame: npt.NDArray[Any]) -> None:
        """See :class:`AnimationWriter`."""
        info = self._info
        if self._done or self._written == len(self._timing.durations):
            raise OutputError(f"{self._place.path}: has all of its frames, or has been finished")
        if frame.shape != (info.height, info.width, info.channels) or frame.dtype != info.dtype:
            raise OptionError(f"a frame is {frame.dtype} {frame.shape}, expected {info.dtype} {info.height} rows ...")
        try:
            self._put(b"".join(self._chunks(self._encode(frame))))
        except (OSError, vips().Error) as exc:
            self.abort()
            raise output_error(str(self._place.path), exc) from exc
        self._written += 1

    def commit(self) -> None:
        """See :class:`AnimationWriter`."""
        try:
            if self._done or self._written != len(self._timing.durations):
                raise OutputError(
                    f"{self._place.path}: got {self._written} of {len(self._timing.durations)} frames; nothing was kept"
                )
            self._put(apng.chunk(b"IEND", b""))
            self._place.commit()
        except OSError as exc:
            raise output_error(str(self._place.path), exc) from exc
        finally:
            self.abort()

    def abort(self) -> None:
        """See :class:`AnimationWriter`."""
        self._done = True
        self._place.discard()

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._place.descriptor, rest) :]

    def _encode(self, frame: npt.NDArray[Any]) -> bytes:
        module, info = vips(), self._info
        format = "uchar" if info.dtype == np.uint8 else "ushort"
        picture = module.Image.new_from_memory(
            np.ascontiguousarray(frame).data, info.width, info.height, info.channels, format
        )
        spaces = {"uchar": ("b-w", "srgb"), "ushort": ("grey16", "rgb16")}[format]
        picture = picture.copy(interpretation=spaces[info.colour == "rgb"])
        first = self._written == 0
        set_blob(picture, "icc-profile-data", info.metadata.icc if first else None)
        set_blob(picture, "xmp-data", info.metadata.xmp if first else None)
        return bytes(picture.pngsave_buffer(compression=6, filter="all", keep="icc:xmp" if first else "none"))

    def _chunks(self, png: bytes) -> list[bytes]:
        """The chunks of a frame: of the first one with everything, of the others only the pixels."""
        first = self._written == 0
        control = apng.frame_control(0, self._info.width, self._info.height, self._timing.durations[self._written])
        out: list[bytes] = [apng.SIGNATURE] if first else [self._numbered(control)]
        started = False
        for kind, data in apng.picture_data(png):
            if kind == b"IDAT":
                if first and not started:
                    counts = len(self._timing.durations).to_bytes(4, "big") + self._timing.loop.to_bytes(4, "big")
                    out += [apng.chunk(b"acTL", counts), self._numbered(control)]
                started = True
                out.append(apng.chunk(kind, data) if first else self._numbered(apng.chunk(b"fdAT", bytes(4) + data)))
            elif first and kind not in (b"IEND", b"pHYs"):
                out.append(apng.chunk(kind, data))
        return out

    def _numbered(self, complete: bytes) -> bytes:
        """An animation chunk with the next running number as its first value."""
        data = self._sequence.to_bytes(4, "big") + complete[12:-4]
        self._sequence += 1
        return apng.chunk(complete[4:8], data)


def _over(top: npt.NDArray[Any], below: npt.NDArray[Any], info: PictureInfo) -> npt.NDArray[Any]:
    """Lay straight-alpha samples over others, both (H, W, C) with alpha last."""
    a = top[..., -1:].astype(np.float64) / info.sample_range
    b = below[..., -1:].astype(np.float64) / info.sample_range * (1 - a)
    alpha = a + b
    colours = top[..., :-1] * a + below[..., :-1] * b
    colours /= np.where(alpha == 0, 1, alpha)
    return np.rint(np.concatenate([colours, alpha * info.sample_range], axis=2)).astype(top.dtype)


def _load(source: Path | bytes, kind: str, frames: int) -> Any:
    module = vips()
    if isinstance(source, bytes):
        stream = module.Source.new_from_memory(source)
    else:
        with source.open("rb") as file:
            stream = module.Source.new_from_descriptor(file.fileno())
    return getattr(module.Image, _LOADERS[kind])(stream, n=frames, access="sequential", fail_on="error")


def _count(picture: Any) -> int:
    return int(picture.get("n-pages")) if picture.get_typeof("n-pages") else 1
