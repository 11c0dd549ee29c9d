"""Writers of animations: GIF, WebP and APNG with their durations and loop count."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError, OutputError
from superres.formats import apng
from superres.formats.encode import Encoding, StillWriter, Timing
from superres.formats.placement import FilePlacement
from superres.formats.table import FORMATS, format_of_name, format_of_suffix
from superres.formats.vips import output_error, set_blob, vips
from superres.image import PictureInfo

__all__ = ["MAX_ROWS", "AnimationWriter", "open_animation_writer"]

MAX_ROWS = 10_000_000
"""libvips holds an animation as one column of frames, and no picture of it may be taller."""

# How often an animation may run at most: 16 bits, of which a GIF counts the repeats after the first run; PNG has 31.
_MOST_LOOPS = {"gif": 65_536, "webp": 65_535, "png": 2**31 - 1}


class AnimationWriter(Protocol):
    """An animation in the making: written beside its target, renamed over it by :meth:`commit`."""

    def write_frame(self, frame: npt.NDArray[Any]) -> None:
        """The next frame (height, width, channels).  Raises OutputError; then nothing is left behind."""

    def commit(self) -> None:
        """Finish the file and rename it into place.  Raises OutputError; then nothing is left behind."""

    def abort(self) -> None:
        """Remove every temporary file.  May be called at any time."""


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
    if kind not in _MOST_LOOPS:
        raise OptionError(f"{kind} holds no animation; choose gif, webp or png (APNG)")
    if min(durations, default=-1) < 0:
        shortest = f"one of {min(durations)} ms" if durations else "none"
        raise OptionError(f"an animation needs durations of frames, of 0 ms or more; there is {shortest}")
    if not 0 <= loop <= _MOST_LOOPS[kind]:
        raise OptionError(
            f"loop {loop}: an animated {kind} runs 1 to {_MOST_LOOPS[kind]} times, or for ever (0); choose "
            f"{'another number' if kind == 'png' else 'png'}"
        )
    if quality is not None and (kind != "webp" or not 1 <= quality <= 100):
        raise OptionError(f"quality {quality} for an animated {kind}: only WebP takes one, 1-100")
    side = FORMATS[kind].max_side
    if max(info.width, info.height) > side or info.height * len(durations) > MAX_ROWS:
        raise OptionError(
            f"{kind} holds frames up to {side} pixels per side, {MAX_ROWS} rows in all; these are {len(durations)} "
            f"frames of {info.width} x {info.height}: choose a smaller scale"
        )
    if info.dtype != np.uint8 and not (kind == "png" and info.dtype == np.uint16):
        raise OptionError(f"an animated {kind} holds 8-bit samples, not {info.dtype}")
    vips()
    place = FilePlacement(target, overwrite=overwrite, source=source)
    if kind == "png":
        return _ApngWriter(place, info, Timing(durations, loop))
    return _VipsWriter(place, info, Timing(durations, loop), kind, quality)


class _VipsWriter:
    """GIF and WebP: the frames go as one column through the writer of still pictures."""

    def __init__(self, place: FilePlacement, info: PictureInfo, timing: Timing, kind: str, quality: int | None) -> None:
        self._shape = (info.height, info.width, info.channels)
        column = replace(info, height=info.height * len(timing.durations))
        self._writer = StillWriter(place, column, column, kind, Encoding(quality), timing)

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
