"""Which axes of a volume grow, and to what: decided before anything is read."""

from __future__ import annotations

from dataclasses import dataclass

from superres.chain import LARGEST_SCALE
from superres.errors import OptionError
from superres.geometry import scaled_length
from superres.options import VolumeOptions
from superres.workflows.through_plane import crossing_axes

__all__ = ["Grid", "Growth", "plan_growth"]

#: Voxels along x, y and z.
Grid = tuple[int, int, int]

_LETTERS = "xyz"
_DEFAULT_SCALE = 4.0


@dataclass(frozen=True)
class Growth:
    """How a volume grows.

    Attributes:
        before, after: voxels along x, y and z.
        in_plane: the two axes that grow together, picture by picture, if any.
        through: the axis that then grows alone, if any.
    """

    before: Grid
    after: Grid
    in_plane: tuple[int, int] | None
    through: int | None

    @property
    def between(self) -> Grid:
        """Voxels after the in-plane axes have grown."""
        x, y, z = (
            after if self.in_plane and k in self.in_plane else self.before[k] for k, after in enumerate(self.after)
        )
        return x, y, z

    @property
    def pictures(self) -> int:
        """How many go through networks."""
        count = 0 if self.in_plane is None else self.before[3 - sum(self.in_plane)]
        if self.through is not None:
            crossing = crossing_axes(self.between, self.through)
            count += sum(self.between[3 - self.through - across] for across in crossing)
        return count

    @property
    def shown(self) -> tuple[int, int]:
        """The two axes that tell most about the growth."""
        if self.in_plane is not None:
            return self.in_plane
        through = 2 if self.through is None else self.through
        return (through, 1) if through == 0 else (0, through)


def plan_growth(
    grid: Grid, spacing: tuple[float, float, float], scale: float | None, options: VolumeOptions, name: str
) -> Growth:
    """Decide which axes grow, and to what.

    Without ``options.axes`` these are the two in-plane ones: those with the smallest spacing, the first ones among
    equals; an axis of a single voxel is in-plane only when there is no other.  With ``options.isotropic`` the axis with
    the largest spacing grows until its spacing is the (larger) one of the other two; these stay, or, when a scale is
    given, grow by it, and the thick axis to the spacing that they then have.

    Args:
        grid: voxels along x, y and z.
        spacing: of the same axes.
        scale: above 1 and at most 16; 4 when None and not isotropic.
        name: for messages.

    Raises:
        OptionError: the options contradict each other or the volume, or nothing would grow.
    """
    if scale is not None and not 1 < scale <= LARGEST_SCALE:
        raise OptionError(f"scale {scale:g}: expected more than 1 and at most {LARGEST_SCALE}")
    order = sorted(range(3), key=lambda axis: (grid[axis] == 1, spacing[axis], axis))
    scales = [1.0, 1.0, 1.0]
    if options.isotropic:
        growing = _isotropic(grid, spacing, scale, options, name, scales)
    else:
        growing = _axes(options.axes, name) or order[:2]
        for axis in growing:
            scales[axis] = _DEFAULT_SCALE if scale is None else scale
    x, y, z = (scaled_length(length, factor) for length, factor in zip(grid, scales, strict=True))
    growing = [axis for axis in order if axis in growing and (x, y, z)[axis] != grid[axis]]
    if not growing:
        what = "its spacing is the same along all axes" if options.isotropic else "it would stay as it is"
        raise OptionError(f"{name}: {what} at {' x '.join(map(str, grid))} voxels: use a larger --scale")
    pair = sorted(growing[:2])
    in_plane = (pair[0], pair[1]) if len(growing) > 1 else None
    return Growth(grid, (x, y, z), in_plane, growing[-1] if len(growing) != 2 else None)


def _axes(letters: str, name: str) -> list[int]:
    text = letters.lower()
    if len(set(text)) != len(text) or not set(text) <= set(_LETTERS):
        raise OptionError(f"{name}: axes {letters!r}: expected some of x, y and z, each once, such as xy")
    return [_LETTERS.index(letter) for letter in text]


def _isotropic(
    grid: Grid,
    spacing: tuple[float, float, float],
    scale: float | None,
    options: VolumeOptions,
    name: str,
    scales: list[float],
) -> list[int]:
    """The axes that grow, and in ``scales`` by what."""
    if options.axes:
        raise OptionError(f"{name}: --axes {options.axes} and --isotropic were both given: give one")
    thick = max(range(3), key=lambda axis: (spacing[axis], axis))
    if min(grid) == 1:
        raise OptionError(f"{name}: is a single slice, which has no thickness to divide: leave out --isotropic")
    others = [axis for axis in range(3) if axis != thick]
    for axis in others:
        scales[axis] = scale or 1.0
    scales[thick] = (scale or 1.0) * spacing[thick] / max(spacing[axis] for axis in others)
    return [thick] if scale is None else [0, 1, 2]
