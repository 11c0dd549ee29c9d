"""A NIfTI volume sharpened by a finer one of the same place, such as T2 by T1: plane by plane, as far as that helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.chain import LARGEST_SCALE
from superres.errors import InputError, OptionError
from superres.formats.nifti import Volume, open_volume, volumes
from superres.geometry import nearest_indices
from superres.image import Image
from superres.pipeline import Options, Upscaler
from superres.planes import without_gaps
from superres.resize import axis_resampler, resize
from superres.workflows.bands import ValueRange
from superres.workflows.growth import Grid, Growth
from superres.workflows.guided_planes import GuidedPlanes, block_means, fitted_planes, hats
from superres.workflows.odd_values import past_networks
from superres.workflows.through_plane import crossing_axes, nearer_means
from superres.workflows.volume import Values, picture_enlarger

__all__ = ["GuidedVolume", "VolumeGuide", "guided_growth", "guided_volume", "open_guide", "volume_factors"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

#: How far, in the guide's voxels, its grid may be from the result's: what rounding in a header amounts to.
_TOLERANCE = 0.05
#: Slices that a guide is fitted and tried on, and the side of their middle that is used.
_SLICES, _SIDE = 8, 160


@dataclass(frozen=True)
class VolumeGuide:
    """A guide over a volume.

    Attributes:
        values: (X', Y', Z') float32, 0 to 1 but for odd ones, without gaps.
        factors: of its voxels that lie along a voxel of the volume, on each axis.
        name: what errors call it.
    """

    values: Floats
    factors: tuple[int, int, int]
    name: str


def open_guide(volume: Volume, options: Options, folder: Path) -> VolumeGuide | None:
    """The guide that options name, read into memory; None for none.

    Args:
        volume: that is to be sharpened.
        options: name the guide.
        folder: where a compressed guide may be unpacked.

    Raises:
        InputError: it cannot be read, is no single volume of real values, or does not lie over the volume as it must.
        OptionError: options that a guide leaves no room for, or a volume that it cannot sharpen.
    """
    path = options.raster.guide
    if path is None:
        return None
    chosen = options.volume
    if options.scale is not None or chosen.axes or chosen.isotropic or chosen.through_plane != "shipped":
        raise OptionError(
            f"{volume.name}: the guide says by what each axis grows: leave out --scale, --axes, --isotropic and "
            "--through-plane"
        )
    if options.raster.guide_bands:
        raise OptionError(f"{path}: a volume has no bands: leave out --guide-bands")
    if volume.is_label_map():
        raise OptionError(f"{volume.name}: is a label map, which no guide can sharpen: leave out --guide")
    _single(volume, volume.name)
    with open_volume(path, str(path), options.limits, folder) as guide:
        whole = _single(guide, str(path))
        factors = volume_factors(volume, guide)
        values = np.stack([without_gaps(whole[:, :, k].astype(np.float32)) for k in range(whole.shape[2])], axis=2)
    return VolumeGuide(ValueRange.robust(values).normalised(values), factors, str(path))


def _single(volume: Volume, name: str) -> Array:
    """The only volume of a file."""
    parts = list(volumes(volume.values))
    if len(parts) != 1:
        raise InputError(f"{name}: holds {len(parts)} volumes or parts of values, with a guide expected one: split it")
    return parts[0]


def volume_factors(volume: Volume, guide: Volume) -> tuple[int, int, int]:
    """How many voxels of a guide lie along one of a volume, on each axis.

    Raises:
        InputError: its axes point elsewhere, its voxels are no whole fraction, or it covers another field of view.
    """
    ours, theirs = (np.asarray(one.header.get_best_affine(), np.float64) for one in (volume, guide))
    steps, fine = np.linalg.norm(ours[:3, :3], axis=0), np.linalg.norm(theirs[:3, :3], axis=0)
    remedy = (
        f"bring it to the field of view of {volume.name} first, in whole fractions of its voxels, such as with "
        "nibabel.processing.resample_from_to"
    )
    if not (steps.all() and fine.all()):
        raise InputError(f"{guide.name}: cannot guide {volume.name}: an affine without extent; {remedy}")
    ratios = steps / fine
    factors = np.rint(ratios)
    if (np.abs(ours[:3, :3] / steps - theirs[:3, :3] / fine) > 1e-3).any():
        raise InputError(f"{guide.name}: cannot guide {volume.name}: its axes point elsewhere; {remedy}")
    off = np.abs(ratios - factors) * volume.grid > _TOLERANCE
    if off.any() or not (factors >= 1).all() or not 1 < factors.max() <= LARGEST_SCALE:
        told = " x ".join(f"{ratio:.6g}" for ratio in ratios)
        raise InputError(
            f"{guide.name}: cannot guide {volume.name}: its voxels are smaller by {told}, expected whole numbers, 1 to "
            f"{LARGEST_SCALE}, and one of them above 1; {remedy}"
        )
    # The centre of our first voxel, counted in the guide's voxels, is where it should be or off by that much.
    place = np.linalg.solve(theirs[:3, :3], ours[:3, 3] - theirs[:3, 3]) - (factors - 1) / 2
    expected = tuple(int(f) * n for f, n in zip(factors, volume.grid, strict=True))
    if np.abs(place).max() > _TOLERANCE or guide.grid != expected:
        moved = ", ".join(f"{step:+.3f}" for step in place)
        raise InputError(
            f"{guide.name}: cannot guide {volume.name}: its first voxel is off by {moved} of its voxels, and it has "
            f"{' x '.join(map(str, guide.grid))}, expected {' x '.join(map(str, expected))}; {remedy}"
        )
    x, y, z = (int(factor) for factor in factors)
    return x, y, z


def guided_growth(volume: Volume, guide: VolumeGuide) -> Growth:
    """To the guide's grid: two axes together where they grow alike, and the one with the thickest voxels alone.

    Raises:
        InputError: the axes grow in a way that pictures of it cannot.
    """
    order = sorted(range(3), key=lambda axis: (volume.spacing[axis], axis))
    growing = [axis for axis in order if guide.factors[axis] > 1]
    pair = sorted(growing[:2]) if len(growing) > 1 else []
    if pair and guide.factors[pair[0]] != guide.factors[pair[1]]:
        raise InputError(
            f"{guide.name}: its voxels are smaller by {' x '.join(map(str, guide.factors))}: expected the same of the "
            "two axes within the slices; resample it so first"
        )
    x, y, z = (factor * length for factor, length in zip(guide.factors, volume.grid, strict=True))
    return Growth(
        volume.grid, (x, y, z), (pair[0], pair[1]) if pair else None, growing[-1] if len(growing) != 2 else None
    )


def guided_volume(volume: Volume, guide: VolumeGuide, growth: Growth, upscaler: Upscaler) -> GuidedVolume:
    """Fit a guide to a volume, and try how far it is worth following.

    Raises:
        ModelError, OptionError, InferenceError: the networks cannot be loaded, or failed.
    """
    (source,) = volumes(volume.values)
    values = Values.of(source, volume.name)
    third = growth.through if growth.in_plane is None else 3 - sum(growth.in_plane)
    slices, sharp = (np.moveaxis(one, third or 0, 0) for one in (source, block_means(guide.values, guide.factors)))
    middle = tuple(slice(max(0, (n - _SIDE) // 2), (n + _SIDE) // 2) for n in slices.shape[1:])
    # Evenly, without the outermost ones, which show least.
    places = np.unique(((np.arange(_SLICES) + 0.5) * len(slices) / _SLICES).astype(int))
    pairs = [(without_gaps(values.normalised(np.asarray(slices[k])))[middle], hats(sharp[k][middle])) for k in places]
    plain = picture_enlarger(upscaler) if upscaler.serves_without_guide else None

    def fitted(factor: int) -> GuidedPlanes:
        return fitted_planes(pairs, factor, upscaler.guided(factor), plain)

    inner = None if growth.in_plane is None else fitted(guide.factors[growth.in_plane[0]])
    across = None if growth.through is None else fitted(guide.factors[growth.through])
    grey = Image.from_array(np.zeros((1, 1), np.float32)).info
    names: list[str] = []
    for planes, suffix in ((inner, ""), (across, " through-plane")):
        if planes is not None:
            unguided = upscaler.choice(grey, planes.factor).names if planes.share < 1 else ()
            names += [name + suffix for name in (*planes.names, *unguided)]
    return GuidedVolume(values, guide, growth, inner, across, tuple(names))


@dataclass(frozen=True)
class GuidedVolume:
    """Enlarges one volume by a guide.

    Attributes:
        values: of the volume.
        guide: over it.
        growth: to the guide's grid.
        inner, across: what makes planes within the slices and across them; None where these do not grow.
        networks: their names, in the order they run.
    """

    values: Values
    guide: VolumeGuide
    growth: Growth
    inner: GuidedPlanes | None
    across: GuidedPlanes | None
    networks: tuple[str, ...]

    @property
    def note(self) -> str:
        """What is to be said of the guide, where it does little."""
        planes = (planes for planes in (self.inner, self.across) if planes is not None)
        return min(planes, key=lambda one: (one.tried, one.share)).told(self.guide.name)

    def enlarge(
        self, source: Array, result: Array, scratch: Callable[[Grid], Floats], step: Callable[[], None]
    ) -> None:
        """Enlarge the volume, a few slices in memory beside the guide; see :func:`.volume.enlarge_volume`.

        Args:
            source: (X, Y, Z), ``growth.before``, integers or floats.
            result: filled; ``growth.after``.
            scratch: makes a float32 array that need not lie in memory.
            step: called after each picture.
        """
        between = scratch(self.growth.between)
        if self.inner is None or self.growth.in_plane is None:
            for k in range(source.shape[2]):
                between[:, :, k] = self.values.normalised(source[:, :, k])
        else:
            self._enlarge_slices(self.inner, self.growth.in_plane, source, between, step)
        whole = between
        if self.across is not None and self.growth.through is not None:
            whole = scratch(self.growth.after)
            self._enlarge_axis(self.across, self.growth.through, between, whole, step)
        for k in range(whole.shape[2]):
            result[:, :, k] = self.values.stored(whole[:, :, k], result.dtype)

    def _enlarge_slices(
        self, inner: GuidedPlanes, axes: tuple[int, int], source: Array, between: Floats, step: Callable[[], None]
    ) -> None:
        """Every slice, by the mean of the guide's slices that lie in it."""
        third = 3 - sum(axes)
        thick = block_means(self.guide.values, [self.guide.factors[k] if k == third else 1 for k in range(3)])
        pictures, sharp, made = (np.moveaxis(one, axes, (1, 2)) for one in (source, thick, between))
        for index in range(len(pictures)):
            plane = self.values.normalised(np.asarray(pictures[index]))
            guide = sharp[index]
            made[index] = _enlarged(plane, made.shape[1:], lambda low, g=guide: inner.enlarge(low, hats(g)))  # type: ignore[misc]
            step()

    def _enlarge_axis(
        self, planes: GuidedPlanes, axis: int, between: Floats, whole: Floats, step: Callable[[], None]
    ) -> None:
        """The mean of both orientations across the slices; as :func:`.through_plane.enlarge_axis`."""
        for turn, across in enumerate(crossing_axes(between.shape, axis)):
            order = (3 - axis - across, axis, across)
            pictures, sharp, made = (np.moveaxis(one, order, (0, 1, 2)) for one in (between, self.guide.values, whole))
            for index in range(len(pictures)):
                guide = sharp[index]
                plane = _enlarged(
                    np.asarray(pictures[index]),
                    made.shape[1:],
                    lambda low, g=guide: _rows(planes, low, g),  # type: ignore[misc]
                )
                made[index] = plane if turn == 0 else (made[index] + plane) / 2
                step()


def _rows(planes: GuidedPlanes, low: Floats, guide: Floats) -> Floats:
    """(n, w) -> (factor * n, w): both axes enlarged, the one within the slices brought back by area averages."""
    width = low.shape[1]
    wide = planes.factor * width
    large = planes.enlarge(low, hats(resize(guide, (len(guide), wide))))
    return nearer_means(low, axis_resampler(wide, width, "area").apply(large, 1))


def _enlarged(plane: Floats, size: tuple[int, ...], enlarge: Callable[[Floats], Floats]) -> Floats:
    """A plane with gaps put back where they were; a constant one stays so."""
    if np.array_equal(plane, np.broadcast_to(plane[0, 0], plane.shape), equal_nan=True):
        return np.full(size, plane[0, 0], np.float32)
    finite = np.isfinite(plane)
    large = past_networks(plane, lambda inside: enlarge(without_gaps(inside)))
    if finite.all():
        return large
    near = np.ix_(nearest_indices(plane.shape[0], size[0]), nearest_indices(plane.shape[1], size[1]))
    return np.where(finite[near], large, plane[near])
