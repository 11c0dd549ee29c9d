"""Animations: GIF, WebP and APNG as whole, composited frames, with their durations and loop count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from superres.errors import LimitError, OptionError
from superres.formats import apng, containers, sniff
from superres.formats.animation_write import MAX_ROWS, AnimationWriter, open_animation_writer
from superres.formats.base import Limits
from superres.formats.still import open_still
from superres.formats.vips import blob, input_error, vips
from superres.image import Metadata, PictureInfo

__all__ = ["Animation", "AnimationWriter", "is_animated", "open_animation", "open_animation_writer"]

_LOADERS = {"gif": "gifload_source", "webp": "webpload_source"}


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


class _VipsAnimation:
    """GIF and WebP: libvips composites the frames and gives them as one column."""

    def __init__(self, source: Path | bytes, kind: str, name: str, limits: Limits) -> None:
        self._source, self._kind, self._name = source, kind, name
        try:
            first = _load(source, kind, 1)
            count = _count(first)
            limits.check_input(name, first.width, first.height, count)
            if first.height * count > MAX_ROWS:
                raise LimitError(f"{name}: has {count} frames of {first.height} rows, more than {MAX_ROWS} in all")
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


def _over(top: npt.NDArray[Any], below: npt.NDArray[Any], info: PictureInfo) -> npt.NDArray[Any]:
    """Lay straight-alpha samples over others, both (H, W, C) with alpha last."""
    a = top[..., -1:].astype(np.float64) / info.sample_range
    b = below[..., -1:].astype(np.float64) / info.sample_range * (1 - a)
    alpha = a + b
    colours = top[..., :-1] * a + below[..., :-1] * b
    colours /= np.where(alpha == 0, 1, alpha)
    samples: npt.NDArray[Any] = np.rint(np.concatenate([colours, alpha * info.sample_range], axis=2)).astype(top.dtype)
    return samples


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
