"""Options that mean nothing to a source are refused, not ignored."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from superres.errors import OptionError
from superres.formats.frame_names import frame_pattern
from superres.formats.kinds import split_name
from superres.formats.table import format_of_name, format_of_suffix
from superres.options import VideoOptions

if TYPE_CHECKING:
    from superres.pipeline import Options

__all__ = ["check_options", "no_compression"]

_GUIDED = (None, "geotiff", "nifti")
_VOLUMES = ("nifti", "dicom", "dicom-series")
_VIDEOS = ("video", "frames")


def check_options(options: Options, kind: str | None, called: str, target: Path | None) -> None:
    """Check what was asked for against what the source is.

    Args:
        options: all of them.
        kind: of the source, a name of :data:`superres.formats.kinds.KINDS`; None for a picture.
        called: what messages call the source.
        target: None for a stream.

    Raises:
        OptionError: an option that is for another kind of source, or a format that the target's name contradicts.
    """
    raster, volume, what = options.raster, options.volume, kind or "a picture"
    if raster.guide is not None and kind not in _GUIDED:
        raise OptionError(f"{called}: {kind} takes no guide, only pictures, NIfTI and GeoTIFF do: leave out --guide")
    if kind != "geotiff" and (raster.bands or raster.cog):
        raise OptionError(f"{called}: is {what}; --bands and --cog are for GeoTIFF: leave them out")
    if kind not in _VOLUMES and (volume.axes or volume.isotropic):
        raise OptionError(f"{called}: is {what}; --axes and --isotropic are for volumes: leave them out")
    if kind not in _VIDEOS:
        chosen = (entry.name for entry in fields(VideoOptions) if getattr(options.video, entry.name) != entry.default)
        given = [f"--{name.replace('_', '-')}" for name in chosen]
        if given:
            raise OptionError(f"{called}: is {what}; for video alone, leave out: {', '.join(given)}")
    elif options.compression != "fast" and target is not None and frame_pattern(target) is None:
        raise no_compression(options, f"{called}: becomes a video's file")
    if kind in (*_VIDEOS, "nifti") and target is not None and options.format is not None:
        _check_format(options.format, target)


def no_compression(options: Options, what: str) -> OptionError:
    """The error of what is compressed in a way of its own; ``what`` begins its message."""
    return OptionError(f"{what}; --compression {options.compression} is for PNG and TIFF pictures: leave it out")


def _check_format(wanted: str, target: Path) -> None:
    """Of a video's or volume's file the suffix alone says what it becomes."""
    (stem, suffix), meant = split_name(target), f".{wanted.lower().lstrip('.')}"
    if frame_pattern(target) is not None and format_of_name(wanted) == format_of_suffix(suffix):
        return  # pictures have several suffixes
    if suffix.lower() != meant:
        raise OptionError(
            f"format {wanted!r}: {target} is named as a file of another: leave --format out, or name {stem}{meant} "
            "with -o"
        )
