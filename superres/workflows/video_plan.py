"""What will be made of a video: decided, and refused, before the first frame."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from superres.choice import Choice
from superres.errors import InputError, OptionError
from superres.formats.frame_folder import FolderInput
from superres.formats.frame_names import frame_pattern
from superres.formats.video import VideoInfo
from superres.formats.video_input import FileInput, VideoInput
from superres.formats.video_streams import Cut
from superres.options import VideoOptions
from superres.pipeline import Upscaler
from superres.workflows.video_pictures import pictures_result
from superres.workflows.video_result import VideoResult, file_result
from superres.workflows.video_samples import luma_picture

__all__ = ["VideoPlan", "decide"]


@dataclass(frozen=True)
class VideoPlan:
    """Everything decided before the first frame.

    Attributes:
        source: of the frames.
        info: of the source.
        size: (width, height) of the result's frames.
        result: what is made of them.
        cut: the part of the source.
        choice: the models.
    """

    source: VideoInput
    info: VideoInfo
    size: tuple[int, int]
    result: VideoResult
    cut: Cut
    choice: Choice

    @property
    def temporal(self) -> bool:
        """Whether the network carries a state from frame to frame."""
        return self.choice.cards[0].kind == "video"

    def frames(self) -> int:
        """How many frames there will be, roughly."""
        frames, rate, cut = self.info.frames, self.info.rate, self.cut
        if cut.stop is not None:
            frames = min(frames or sys.maxsize, round((cut.stop - self.info.begin) * rate))
        return max(0, frames - (0 if cut.start is None else round((cut.start - self.info.begin) * rate)))


def decide(source: Path, target: Path, upscaler: Upscaler, name: str, group: int) -> VideoPlan:
    """Look at the source, and refuse before any work what cannot be done.

    Args:
        source: a video file, or a folder with a picture of each frame.
        target: a video file, or the pattern of pictures.
        upscaler: its options say what is wanted.
        name: what messages call the source.
        group: pictures per group at most.

    Raises:
        OptionError, InputError, LimitError: what cannot be done, with the remedy.
        OutputError: the target exists, or cannot be written.
    """
    options, video, pattern = upscaler.options, upscaler.options.video, frame_pattern(target)
    opened = _input(source, name, video, pictures=pattern is not None)
    info = opened.probe(options.limits)
    if info.interlaced and not video.deinterlace:
        raise InputError(f"{name}: is interlaced: --deinterlace makes whole frames of its fields")
    size = upscaler.target(luma_picture(info), name)
    cut = Cut(
        None if video.start is None else info.begin + Fraction(video.start),
        None if video.end is None else info.begin + Fraction(video.end),
    )
    result: VideoResult
    if pattern is not None:
        result = pictures_result(opened, pattern, info, size, cut, options)
    else:
        size = _whole_chroma(size, info, explicit=options.size is not None)
        result = file_result(opened, target, info, size, cut, group, options)
    choice = upscaler.choice(luma_picture(info), max(size[0] / info.width, size[1] / info.height))
    return VideoPlan(opened, info, size, result, cut, choice)


def _input(source: Path, name: str, video: VideoOptions, *, pictures: bool) -> VideoInput:
    """The source, opened by nobody yet; ``pictures`` says what is made of it."""
    if source.is_dir():
        if video.deinterlace:
            raise OptionError(f"{name}: pictures do not say which fields they are made of: leave --deinterlace out")
        return FolderInput(source, name, video.frame_rate, whole=pictures)
    if video.frame_rate is not None:
        raise OptionError(f"{name}: has times of its own: leave --frame-rate out, it is for folders of pictures")
    return FileInput(source, name)


def _whole_chroma(size: tuple[int, int], info: VideoInfo, *, explicit: bool) -> tuple[int, int]:
    """The size of the result, of whole chroma samples: encoders take no others."""
    across, down = info.pixels.chroma or (1, 1)
    whole = size[0] - size[0] % across, size[1] - size[1] % down
    if explicit and whole != size:
        raise OptionError(
            f"size {size[0]}x{size[1]}: this video's {info.pixels.name} pixels need "
            f"{'an even width' if across > 1 else 'any width'} and {'an even height' if down > 1 else 'any height'}: "
            f"use {whole[0]}x{whole[1]}"
        )
    return whole
