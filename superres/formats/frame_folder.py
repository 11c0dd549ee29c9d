"""A folder of pictures as the frames of a video."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import InputError, OptionError, UnsupportedFormatError
from superres.formats import open_reader
from superres.formats.base import Limits
from superres.formats.frame_names import TIMES_NAME, FrameTimes, listed_frames, read_times
from superres.formats.video import VideoInfo
from superres.formats.video_colour import BT709, Colours
from superres.formats.video_decode import Wanted
from superres.formats.video_faults import Faults
from superres.formats.video_pixels import pixels_of
from superres.formats.video_rgb import FrameMaker, check_matrix

__all__ = ["FolderInput"]

_USUAL_CODES = (BT709, BT709, BT709)
_USUAL = Colours(False, *_USUAL_CODES)


class FolderInput:
    """Pictures of one size, in the order of the numbers in their names.

    A :class:`superres.formats.video_input.VideoInput`.  8-bit pictures become 8-bit frames; of 16 bits 10 are kept, or
    12 in ``whole`` frames.  Colours are taken for BT.709 unless the folder's table of times says something else;
    profiles and transparency have no place in a video.

    Args:
        path: of the folder.
        name: what messages call it.
        rate: frames per second; None for the times in the folder's table.
        whole: frames with chroma at every pixel, as pictures have it, instead of 4:2:0, which players expect.

    Raises:
        InputError: the folder cannot be read, or has no pictures.
    """

    def __init__(self, path: Path, name: str, rate: Fraction | None = None, *, whole: bool = False) -> None:
        self.path, self.name, self._rate, self._whole = path, name, rate, whole
        self._pictures = listed_frames(path)

    def probe(self, limits: Limits) -> VideoInfo:
        """What the video is, by its first picture.

        Raises:
            InputError: the first picture cannot be read, or the table of times does not fit.
            OptionError: there is neither a rate nor a table of times.
            UnsupportedFormatError: pictures with transparency, or of floats.
            LimitError: they are larger than the limit.
        """
        reader = open_reader(self._pictures[0], limits=limits)
        try:
            picture = reader.info
        finally:
            reader.close()
        if picture.alpha or picture.dtype == np.float32:
            what = "has transparency" if picture.alpha else "holds floats"
            raise UnsupportedFormatError(
                f"{self._pictures[0]}: {what}, which no video here keeps: leave -o and --frame-rate out, and the "
                "pictures of the folder are enlarged one by one"
            )
        table, deep = read_times(self.path), picture.dtype != np.uint8
        times = self._times(table)
        info = VideoInfo(
            stream=0,
            codec="pictures",
            width=picture.width,
            height=picture.height,
            pixels=pixels_of(
                ("yuv444p12le" if deep else "yuv444p") if self._whole else ("yuv420p10le" if deep else "yuv420p"),
                self.name,
            ),
            colours=Colours(False, table.primaries, table.transfer, table.matrix) if table else _USUAL,
            siting="left",
            aspect=table.aspect if table else None,
            matrix=None,
            time_base=times.time_base,
            rate=self._rate or _mean_rate(times),
            frames=len(self._pictures),
            begin=Fraction(0),
            end=times.times[-1] + times.lasting,
            interlaced=False,
            mastering=None,
            light=None,
            captions=False,
            dynamic=False,
            lossless=not picture.lossy,
        )
        check_matrix(info, str(self.path / TIMES_NAME))
        return info

    def _times(self, table: FrameTimes | None) -> FrameTimes:
        """When each picture is shown."""
        count = len(self._pictures)
        if self._rate is not None:
            return FrameTimes(1 / self._rate, tuple(range(count)), 1, *_USUAL_CODES)
        if table is None:
            raise OptionError(f"{self.name}: does not say when its pictures are shown: give --frame-rate, such as 25")
        if len(table.times) != count:
            raise InputError(
                f"{self.path / TIMES_NAME}: tells of {len(table.times)} pictures, and the folder has {count}: bring "
                "back what is missing, take away what is no frame, or give --frame-rate"
            )
        return table

    def frames(self, info: VideoInfo, wanted: Wanted, faults: Faults, *, deinterlace: bool) -> Iterator[Any]:
        """Every picture as a PyAV frame; one that cannot be used is left out and told, the others keep their times."""
        table = self._times(read_times(self.path))
        maker = FrameMaker(info)
        ends = (*table.times[1:], table.times[-1] + table.lasting)
        for path, pts, end in zip(self._pictures, table.times, ends, strict=True):
            if wanted.first is not None and pts < wanted.first:
                continue
            if wanted.stop is not None and pts >= wanted.stop:
                return
            try:
                samples = _samples(path, info)
            except InputError as error:
                faults.add(f"{error}; this frame was left out")
                continue
            yield maker.frame(samples, pts, end - pts)

    @contextlib.contextmanager
    def container(self) -> Iterator[Any]:
        """A container with nothing to take over."""
        stream = SimpleNamespace(index=0, type="video", name="", disposition=1, metadata={}, time_base=None)
        yield SimpleNamespace(metadata={}, streams=[stream], format=SimpleNamespace(name="pictures"), chapters=list)

    def missing_bytes(self) -> int:
        """Nothing is known to be missing."""
        return 0

    def identity(self) -> dict[str, Any]:
        """Names, sizes and times of change of the pictures and of the table."""
        digest = hashlib.sha256()
        try:
            for path in self._pictures:
                status = path.stat()
                digest.update(repr((path.name, status.st_size, status.st_mtime_ns)).encode())
        except OSError as exc:
            raise InputError(f"{path}: cannot be read ({exc.strerror})") from exc
        table = self._times(read_times(self.path))
        return {
            "pictures": len(self._pictures),
            "sha256_of_their_states": digest.hexdigest(),
            "sha256_of_their_times": hashlib.sha256(table.text().encode()).hexdigest(),
            "whole": self._whole,
        }


def _samples(path: Path, info: VideoInfo) -> npt.NDArray[Any]:
    """A picture's samples (H, W, C).

    Raises:
        InputError: it cannot be read, or is not like the first one.
    """
    reader = open_reader(path, limits=Limits(input_pixels=max(Limits().input_pixels, info.width * info.height)))
    try:
        found = reader.info
        deep = found.dtype != np.uint8
        if found.alpha or (found.width, found.height, deep) != (info.width, info.height, info.pixels.bits > 8):
            raise InputError(
                f"{path}: is {found.width} x {found.height}, {found.dtype}{', with transparency' * found.alpha}, "
                "unlike the first picture"
            )
        return reader.read(0, found.height)
    finally:
        reader.close()


def _mean_rate(table: FrameTimes) -> Fraction:
    """Frames per second, roughly."""
    length = table.times[-1] + table.lasting - table.times[0]
    return Fraction(len(table.times), length) / table.time_base
