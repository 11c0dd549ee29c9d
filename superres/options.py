"""What can be chosen for sources that are more than a picture: volumes, rasters, video."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from superres.errors import OptionError, near_match

__all__ = ["THROUGH_PLANE", "RasterOptions", "VideoOptions", "VolumeOptions"]

#: What can make slices between the slices of a volume.
THROUGH_PLANE = ("shipped", "self", "cubic")

# Beyond any camera, and fine enough for every container's clock.
_HIGHEST_RATE = 10_000


@dataclass(frozen=True)
class VolumeOptions:
    """For NIfTI volumes.

    Attributes:
        axes: which array axes grow, such as ``xy`` or ``xyz``; empty for the two in-plane axes.
        isotropic: bring thick slices to the in-plane spacing, by a factor of their own; the other axes stay.
        through_plane: what makes slices between slices: ``shipped``, networks trained on photographs; ``self``, one
            that is trained further on the slices of this volume, which takes longer and PyTorch; or ``cubic``
            interpolation.

    Raises:
        OptionError: another ``through_plane``.
    """

    axes: str = ""
    isotropic: bool = False
    through_plane: str = "shipped"

    def __post_init__(self) -> None:
        if self.through_plane not in THROUGH_PLANE:
            raise OptionError(
                f"through-plane {self.through_plane!r}: expected {', '.join(THROUGH_PLANE[:-1])} or {THROUGH_PLANE[-1]}"
                f"{near_match(self.through_plane, THROUGH_PLANE)}"
            )


@dataclass(frozen=True)
class RasterOptions:
    """For GeoTIFF rasters; the guide for NIfTI volumes and pictures, too.

    Attributes:
        bands: bands of the result, counted from 1; empty for all.
        cog: write a cloud-optimised GeoTIFF.
        guide: a sharp source of the same kind and place, whose grid the result takes and whose detail sharpens it;
            None for none.
        guide_bands: bands or channels of the guide that are used, counted from 1; empty for all.
    """

    bands: tuple[int, ...] = ()
    cog: bool = False
    guide: Path | None = None
    guide_bands: tuple[int, ...] = ()


@dataclass(frozen=True)
class VideoOptions:
    """For video.

    Attributes:
        codec: ``h264``, ``hevc``, ``av1`` or ``vp9``; empty to choose by the source and the container.
        preset: of the encoder, from its own list; empty for its default here.
        start, end: seconds of the source to begin and to stop at; None for all of it.
        deinterlace: make frames of interlaced fields; without it interlaced video is refused.
        reuse: copy the results of blocks that differ from the frame before by no more than so many 8-bit steps; 0
            for blocks that are equal; None to compute all of every frame.
        frame_rate: frames per second of a folder of pictures that becomes a video; None for the times in the folder's
            own table.

    Raises:
        OptionError: times that are negative or out of order, a negative ``reuse``, or a rate that is not above 0.
    """

    codec: str = ""
    preset: str = ""
    start: float | None = None
    end: float | None = None
    deinterlace: bool = False
    reuse: int | None = None
    frame_rate: Fraction | None = None

    def __post_init__(self) -> None:
        begin = 0.0 if self.start is None else self.start
        if not 0 <= begin < math.inf or (self.end is not None and not begin < self.end < math.inf):
            raise OptionError(
                f"start {self.start}, end {self.end}: expected seconds of at least 0, and the end after the start"
            )
        if self.reuse is not None and not 0 <= self.reuse <= 255:
            raise OptionError(f"reuse {self.reuse}: expected a difference of 0 to 255 steps")
        if self.frame_rate is not None and not 0 < self.frame_rate <= _HIGHEST_RATE:
            raise OptionError(
                f"frame rate {self.frame_rate}: expected more than 0 and at most {_HIGHEST_RATE} per second"
            )
