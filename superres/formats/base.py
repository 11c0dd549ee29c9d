"""What a reader and a writer of pictures must offer, and the limits on what is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from superres.errors import LimitError
from superres.image import PictureInfo

__all__ = ["Limits", "Reader", "Writer"]


@dataclass(frozen=True)
class Limits:
    """Largest pictures accepted, in pixels; checked against the header, before anything is decoded.

    Attributes:
        input_pixels: width x height x frames of an input.
        output_pixels: width x height x frames of a result.
    """

    input_pixels: int = 150_000_000
    output_pixels: int = 2_000_000_000

    def check_input(self, name: str, width: int, height: int, frames: int = 1) -> None:
        """Raise :class:`LimitError` when an input is too large."""
        if width * height * frames > self.input_pixels:
            raise LimitError(
                f"{name}: declares {width} x {height} pixels x {frames} frame(s) = {width * height * frames / 1e6:.0f} "
                f"Mpx, more than the limit of {self.input_pixels / 1e6:.0f} Mpx; raise it with --max-input MPX"
            )

    def check_output(self, name: str, source: tuple[int, int], target: tuple[int, int], frames: int = 1) -> None:
        """Raise :class:`LimitError` when a result would be too large.  Sizes are (height, width)."""
        if target[0] * target[1] * frames > self.output_pixels:
            raise LimitError(
                f"{name}: {source[1]} x {source[0]} would become {target[1]} x {target[0]} x {frames} frame(s) = "
                f"{target[0] * target[1] * frames / 1e6:.0f} Mpx, more than the limit of "
                f"{self.output_pixels / 1e6:.0f} Mpx; raise it with --max-output MPX or choose a smaller scale"
            )


class Reader(Protocol):
    """An open picture.  Rows are asked for once, from top to bottom, in contiguous runs."""

    @property
    def info(self) -> PictureInfo:
        """What the picture is; known before decoding."""

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Rows ``start .. stop - 1`` as (stop - start, width, channels) of ``info.dtype``; straight alpha last.

        Raises:
            CorruptInputError: the data is damaged or ends early; the message names the file.
        """

    def close(self) -> None:
        """Free the file.  May be called twice."""


class Writer(Protocol):
    """A result in the making: written beside its target, renamed over it by :meth:`commit`."""

    @property
    def path(self) -> Path | None:
        """The target, or None when the result goes to a stream."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the picture's metadata its format cannot hold, so that it is left out; known from the start."""

    def write(self, rows: npt.NDArray[Any]) -> None:
        """The next rows (n, width, channels), of the dtype and meaning announced when the writer was opened.

        Raises:
            OutputError: the disk is full or the encoder failed; nothing is left behind.
        """

    def commit(self) -> None:
        """Finish the file, fsync it, and rename it into place.  Raises OutputError; then nothing is left behind."""

    def abort(self) -> None:
        """Remove every temporary file.  May be called at any time, also after :meth:`commit` (then it does nothing)."""
