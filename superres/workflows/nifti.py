"""NIfTI volumes from file to file: every time point on its own, label maps by nearest neighbour."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres import __version__
from superres.choice import Choice
from superres.errors import OptionError
from superres.formats.mapped import mapped_array
from superres.formats.nifti import Volume, open_volume, volumes
from superres.formats.nifti_write import create_volume, enlarged_header
from superres.image import Image
from superres.pipeline import Options, Result, Upscaler
from superres.workflows.growth import Growth, plan_growth
from superres.workflows.nifti_guide import GuidedVolume, guided_growth, guided_volume, open_guide
from superres.workflows.self_trained import SelfTrained
from superres.workflows.through_plane import cubic_network, own_factor, shipped_network
from superres.workflows.volume import Values, enlarge_nearest, enlarge_volume, picture_enlarger

__all__ = ["upscale_file"]

Array = npt.NDArray[Any]

_NEAREST = "nearest neighbour (label map)"


def upscale_file(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    *,
    name: str,
    report: Callable[[int, int], None] | None,
) -> Result:
    """Enlarge a NIfTI volume; see :class:`superres.workflows.Workflow`.

    ``options.volume`` says which axes grow: :func:`superres.workflows.growth.plan_growth`.  Values go through the
    networks from 0 (smallest of a volume) to 1 (largest), and come back rounded to the source's dtype and value
    scaling; each time point, each part of a complex number and each colour is a volume of its own.  Label maps take
    the nearest neighbour on every axis, and the result's ``networks`` and header say so.  Slices between slices are
    made as ``options.volume.through_plane`` says; the result's ``note`` tells how good a network of its own is.  With
    ``options.raster.guide`` the result takes the guide's grid.

    ``report`` counts pictures: slices of every orientation that goes through a network, and steps of a training.

    Raises:
        SuperresError: see :mod:`superres.errors`; then no part of a result is left behind.
    """
    started, options = time.perf_counter(), upscaler.options
    if options.size is not None:
        raise OptionError(f"{name}: a volume has no --size; give --scale, --axes or --isotropic")
    if options.quality is not None:
        raise OptionError(
            f"{name}: quality {options.quality} means nothing to NIfTI, which loses nothing: leave it out"
        )
    with open_volume(source, name, options.limits, target.parent) as volume:
        guide = open_guide(volume, options, target.parent)
        if guide is None:
            growth = plan_growth(volume.grid, volume.spacing, options.scale, options.volume, name)
        else:
            growth = guided_growth(volume, guide)
        _check_result(volume, growth, options)
        _check_through_plane(growth, options, name)
        labels = volume.is_label_map()
        guided = None if guide is None else guided_volume(volume, guide, growth, upscaler)
        networks = guided.networks if guided else (_NEAREST,) if labels else _networks(upscaler, growth)
        header = enlarged_header(volume.header, growth.after, _note(growth, networks))
        with create_volume(target, header, overwrite=options.overwrite, source=source) as result:
            note = _fill(volume, result, growth, upscaler, target.parent, labels, guided, report)
    first, second = growth.shown
    return Result(
        source=name,
        target=str(target),
        source_size=(growth.before[first], growth.before[second]),
        target_size=(growth.after[first], growth.after[second]),
        networks=networks,
        precision="exact" if labels else "bf16" if options.precision == "bf16" else "fp32",
        seconds=time.perf_counter() - started,
        note=note,
    )


def _check_through_plane(growth: Growth, options: Options, name: str) -> None:
    """Refuse a choice that would do nothing."""
    wanted = options.volume.through_plane
    if growth.through is None and wanted != "shipped":
        raise OptionError(
            f"{name}: through-plane {wanted}: no axis grows across the slices: add --isotropic or --axes xyz, or "
            "leave it out"
        )


def _check_result(volume: Volume, growth: Growth, options: Options) -> None:
    """All voxels of the result against the limit."""
    points = int(np.prod(volume.values.shape[3:], dtype=np.int64))
    (wide, high, _), (width, height, depth) = growth.before, growth.after
    options.limits.check_output(volume.name, (high, wide), (height, width), depth * points)


def _networks(upscaler: Upscaler, growth: Growth) -> tuple[str, ...]:
    """Names of the networks in the order they run.

    Raises:
        OptionError: they do not reach the factor.
    """
    scales = [after / before for before, after in zip(growth.before, growth.after, strict=True)]
    plane = Image.from_array(np.zeros((1, 1), np.float32)).info
    names: list[str] = []
    if growth.in_plane is not None:
        names += upscaler.choice(plane, max(scales[axis] for axis in growth.in_plane)).names
    if growth.through is not None:
        ends = growth.before[growth.through], growth.after[growth.through]
        names += [f"{name} through-plane" for name in _across_names(upscaler, *ends)]
    return tuple(names)


def _across_names(upscaler: Upscaler, before: int, after: int) -> tuple[str, ...]:
    """What makes ``after`` slices of ``before``."""
    wanted = upscaler.options.volume.through_plane
    if wanted == "cubic":
        return ("cubic",)
    if wanted == "self":
        return (f"self-trained x{own_factor(before, after)}",)
    return Choice(upscaler.rows(own_factor(before, after)).cards).names


def _note(growth: Growth, networks: tuple[str, ...]) -> str:
    """What the header says about the result."""
    before, after = (" x ".join(map(str, grid)) for grid in (growth.before, growth.after))
    return f"superres {__version__}: derived, {before} enlarged to {after} by {' + '.join(networks)}"


def _fill(
    volume: Volume,
    result: Array,
    growth: Growth,
    upscaler: Upscaler,
    folder: Path,
    labels: bool,
    guided: GuidedVolume | None,
    report: Callable[[int, int], None] | None,
) -> str:
    """Every volume of the file, one after the other; what they need on the way lies in ``folder``.

    Returns:
        What is to be said of it.
    """
    pairs = list(zip(volumes(volume.values), volumes(result), strict=True))
    done, total = itertools.count(1), len(pairs) * (growth.after[2] if labels else growth.pictures)
    enlarge, scratch = picture_enlarger(upscaler), partial(mapped_array, folder, np.dtype(np.float32))

    def step() -> None:
        if report:
            report(next(done), total)

    across, own = shipped_network(upscaler.rows), None
    if upscaler.options.volume.through_plane == "cubic":
        across = cubic_network
    elif upscaler.options.volume.through_plane == "self" and not labels:
        across = own = SelfTrained(volume.name, upscaler.options.threads, step)
        total += own.steps
    for part, made in pairs:
        if labels:
            enlarge_nearest(part, made, step)
        elif guided is not None:
            guided.enlarge(part, made, scratch, step)
        else:
            # Colours share one range, or their balance would change.
            values = Values(0.0, 255.0) if volume.values.dtype.names else Values.of(part, volume.name)
            enlarge_volume(part, made, growth, values, enlarge, across, scratch, step)
    return guided.note if guided else own.note if own else ""
