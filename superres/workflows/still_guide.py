"""A picture sharpened by a finer one of the same place, such as a thermal or a depth picture by a photograph."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from superres.chain import LARGEST_SCALE
from superres.errors import InputError, OptionError
from superres.formats import open_reader, open_writer
from superres.formats.animation import is_animated
from superres.formats.base import Limits
from superres.geometry import nearest_indices
from superres.image import Image
from superres.pipeline import Options, Result, Upscaler
from superres.planes import without_gaps
from superres.workflows.bands import ValueRange, stored
from superres.workflows.guided_planes import GuidedPlanes, block_means, fitted_planes
from superres.workflows.volume import picture_enlarger

__all__ = ["upscale_guided"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

#: Windows per axis that a guide is tried on, and their side, in pixels of the source.
_TRIALS, _SIDE = 3, 160


def upscale_guided(
    source: Path | bytes,
    target: Path | None,
    upscaler: Upscaler,
    *,
    name: str,
    stream: BinaryIO | None,
    report: Callable[[int, int], None] | None,
) -> Result:
    """Enlarge a picture to the size of its guide, ``options.raster.guide``; every channel on its own.

    Both are held in memory.  The two must show the same place to the pixel: nothing is registered here.

    Args:
        source, target, name, stream: as for :meth:`superres.pipeline.Upscaler.file`.
        report: called with (channels done, channels in all).

    Raises:
        OptionError: transparency, an animation, channels that the guide does not have, or another scale or size than
            the guide's.
        InputError: the guide is not larger by one whole number.
        SuperresError: see :mod:`superres.errors`; then no part of a result is left behind.
    """
    started, options = time.perf_counter(), upscaler.options
    image, guide_path = _read(source, name, options.limits), options.raster.guide
    if guide_path is None:
        raise OptionError(f"{name}: there is no guide: give one with --guide")
    guide, info = _read(guide_path, str(guide_path), options.limits), image.info
    if info.alpha:
        raise OptionError(f"{name}: has transparency, which no guide can sharpen: remove its alpha channel first")
    factor = _factor(image, guide, name, str(guide_path), options)
    size = info.width * factor, info.height * factor
    options.limits.check_output(name, (info.height, info.width), (size[1], size[0]), 1)
    features = _features(guide, options.raster.guide_bands, str(guide_path))
    samples, fitted = np.empty((size[1], size[0], info.channels), info.dtype), []
    # Opened first: what cannot be written is to fail at once.
    writer = open_writer(
        target,
        info.scaled(size[1], size[0]),
        format=options.format,
        quality=options.quality,
        compression=options.compression,
        overwrite=options.overwrite,
        source=source if isinstance(source, Path) else None,
        stream=stream,
    )
    try:
        for channel in range(info.channels):
            plane = image.samples[:, :, channel]
            planes, samples[:, :, channel] = _sharpened(plane, features, factor, upscaler, info.sample_range)
            fitted.append(planes)
            if report:
                report(channel + 1, info.channels)
        writer.write(samples)
        writer.commit()
    finally:
        writer.abort()  # does nothing after a commit
    share = min(planes.share for planes in fitted)
    plain = upscaler.choice(Image.from_array(np.zeros((1, 1), np.float32)).info, factor).names if share < 1 else ()
    return Result(
        source=name,
        target=str(target) if target else "standard output",
        source_size=(info.width, info.height),
        target_size=size,
        networks=(*max((planes.names for planes in fitted), key=len), *plain),
        precision="bf16" if options.precision == "bf16" else "fp32",
        seconds=time.perf_counter() - started,
        warnings=writer.warnings,
        note=min(fitted, key=lambda one: (one.tried, one.share)).told(str(guide_path)),
    )


def _read(source: Path | bytes, name: str, limits: Limits) -> Image:
    if is_animated(source, name=name):
        raise OptionError(f"{name}: is an animation: neither it nor a guide may be one; take a single picture")
    with closing(open_reader(source, name=name, limits=limits)) as reader:
        return Image(reader.read(0, reader.info.height), reader.info)


def _factor(image: Image, guide: Image, name: str, guide_name: str, options: Options) -> int:
    """By which the guide is larger."""
    height, width, high, wide = image.info.height, image.info.width, guide.info.height, guide.info.width
    factor = wide // width
    if not 2 <= factor <= LARGEST_SCALE or (wide, high) != (factor * width, factor * height):
        near = min(max(2, round(wide / width)), LARGEST_SCALE)
        raise InputError(
            f"{guide_name}: cannot guide {name}: it is {wide} x {high}, expected {width} x {height} times a whole "
            f"number, 2 to {LARGEST_SCALE}: cut both to the same place, resize it to {near * width} x {near * height}"
        )
    if options.size is not None or options.scale not in (None, factor):
        asked = f"size {options.size}" if options.size is not None else f"scale {options.scale:g}"
        raise OptionError(f"{asked}: the guide {guide_name} is x{factor} of {name}: leave --scale and --size out")
    return factor


def _features(guide: Image, bands: Sequence[int], name: str) -> list[Floats]:
    """Colours of the guide, 0 to 1, without gaps; transparency says nothing."""
    count = guide.info.channels - guide.info.alpha
    wrong = [band for band in bands if not 1 <= band <= count]
    if wrong:
        raise OptionError(f"{name}: has no channel {wrong[0]}: expected 1 to {count}")
    chosen = [band - 1 for band in bands] or list(range(count))
    return [
        without_gaps(guide.samples[:, :, k].astype(np.float32) / np.float32(guide.info.sample_range)) for k in chosen
    ]


def _sharpened(
    plane: Array, features: Sequence[Floats], factor: int, upscaler: Upscaler, largest: float
) -> tuple[GuidedPlanes, Array]:
    """How a channel (h, w) is made, and its samples (factor * h, factor * w); gaps stand where they were."""
    finite = np.isfinite(plane)
    values = ValueRange.robust(plane[finite])
    low = without_gaps(values.normalised(plane))
    reduced = [block_means(one, (factor, factor)) for one in features]
    pairs = [(low[window], [one[window] for one in reduced]) for window in _windows(low.shape)]
    plain = picture_enlarger(upscaler) if upscaler.serves_without_guide else None
    planes = fitted_planes(pairs, factor, upscaler.guided(factor), plain)
    made = stored(values.restored(planes.enlarge(low, features)), plane.dtype, largest)
    if not finite.all():
        near = np.ix_(nearest_indices(low.shape[0], made.shape[0]), nearest_indices(low.shape[1], made.shape[1]))
        made = np.where(finite[near], made, plane[near])
    return planes, made


def _windows(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Spread evenly; all of a small picture."""
    rows, columns = (
        [slice(0, n)]
        if n <= _TRIALS * _SIDE
        else [slice(int(start), int(start) + _SIDE) for start in np.linspace(0, n - _SIDE, _TRIALS)]
        for n in shape
    )
    for row in rows:
        for column in columns:
            yield row, column
