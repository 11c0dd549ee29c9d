"""What will be made of a video: decided, and refused, before the first frame."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from superres.choice import Choice
from superres.errors import InputError, OptionError
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_av import open_video
from superres.formats.video_encode import Encoding, choose_encoding
from superres.formats.video_holds import check_container
from superres.formats.video_streams import Cut, container_of
from superres.pipeline import Upscaler
from superres.workflows.video_samples import luma_picture

__all__ = ["VideoPlan", "decide"]


@dataclass(frozen=True)
class VideoPlan:
    """Everything decided before the first frame.

    Attributes:
        source, target: files.
        name: what messages call the source.
        info: of the source.
        size: (width, height) of the result.
        encoding: of the result.
        cut: the part of the source.
        choice: the models.
    """

    source: Path
    target: Path
    name: str
    info: VideoInfo
    size: tuple[int, int]
    encoding: Encoding
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
        source, target: files.
        upscaler: its options say what is wanted.
        name: what messages call the source.
        group: pictures per group at most.

    Raises:
        OptionError, InputError, LimitError: what cannot be done, with the remedy.
    """
    options, video = upscaler.options, upscaler.options.video
    info = probe_video(source, name, options.limits)
    if info.interlaced and not video.deinterlace:
        raise InputError(f"{name}: is interlaced: --deinterlace makes whole frames of its fields")
    container = container_of(target)
    size = _whole_chroma(upscaler.target(luma_picture(info), name), info, explicit=options.size is not None)
    encoding = choose_encoding(
        info,
        size,
        container,
        group,
        codec=video.codec,
        preset=video.preset,
        quality=options.quality,
        threads=options.threads,
    )
    cut = Cut(
        None if video.start is None else info.begin + Fraction(video.start),
        None if video.end is None else info.begin + Fraction(video.end),
    )
    with open_video(source, name) as opened:
        check_container(opened, target, info, encoding, name)
    choice = upscaler.choice(luma_picture(info), max(size[0] / info.width, size[1] / info.height))
    return VideoPlan(source, target, name, info, size, encoding, cut, choice)


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
