"""A network for one volume, trained on its own slices: sharp along both axes, they show what is lacking across them.

References:
    C. Zhao et al., "SMORE: A Self-Supervised Anti-Aliasing and Super-Resolution Algorithm for MRI Using Deep Learning",
    IEEE TMI 40(3), 2021.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from superres.errors import InputError, MissingExtraError
from superres.planes import without_gaps
from superres.resize import axis_resampler
from superres.workflows.through_plane import PlaneNetwork, own_factor

if TYPE_CHECKING:
    from superres.networks.rows import RowNetwork
    from superres.training.rows import RowTraining

__all__ = ["STEPS", "SelfTrained", "own_planes"]

Floats = npt.NDArray[np.float32]

#: Of the training.
STEPS = 200
#: Its peak learning rate: a quarter of what a network that knows nothing begins with, not to shake off what it knows.
_RATE = 1e-3
#: Slices that are learnt from, and of which the middle is taken, at most.
_SLICES, _SIDE = 64, 512
#: One slice of so many is held out, to measure on.
_HELD_OUT = 8
#: Mean squares of what cubic interpolation lacks, of a range of 1, below which there is nothing to learn.
_NOTHING = 1e-10
#: Thick rows that a slice must make up, to teach anything.
_FEWEST = 4


class SelfTrained:
    """Makes networks for planes across the slices; see :data:`~superres.workflows.through_plane.MakeNetwork`.

    The first volume that it is given trains the network, at other ones (time points, parts of complex numbers) the same
    one is used.

    Args:
        name: what errors call the file.
        threads: cores, 0 for all.
        step: called after each step of the training, of which there are :attr:`steps`.
        steps: of the training.
        shipped: whether it begins with the shipped start (:mod:`superres.training.row_start`) or with nothing.

    Attributes:
        steps: of the training.

    Raises:
        MissingExtraError: PyTorch is not installed.
    """

    def __init__(
        self, name: str, threads: int, step: Callable[[], None], *, steps: int = STEPS, shipped: bool = True
    ) -> None:
        self._name, self._step, self._shipped = name, step, shipped
        self._training = _training(threads, steps, shipped=shipped)
        self._network: RowNetwork | None = None
        self._gain = 0.0

    @property
    def steps(self) -> int:
        """Of the training."""
        return self._training.steps

    @property
    def note(self) -> str:
        """What is to be said of the network, for people; empty before there is one."""
        if self._network is None:
            return ""
        return (
            f"across the slices a network of its own, trained for {self.steps} steps: {self._gain:+.1f} dB over cubic "
            "interpolation on slices held out"
        )

    def __call__(self, volume: Floats, axis: int, length: int) -> PlaneNetwork:
        """The network for planes across the slices: (n, w) -> (``length``, w), n = ``volume.shape[axis]``.

        Raises:
            InputError: the slices are too few or too small to learn from, or what was learnt from them is no better
                than cubic interpolation.
        """
        from superres.training.rows import enlarge_rows

        samples = volume.shape[axis]
        if self._network is None:
            self._network, self._gain = self._trained(volume, axis, own_factor(samples, length))
        network, threads = self._network, self._training.threads
        fitted = axis_resampler(samples * network.scale, length)

        def enlarge(plane: Floats) -> Floats:
            if np.all(plane == plane[0, 0]):  # the empty ground, which is to stay so to the last bit
                return np.full((length, plane.shape[1]), plane[0, 0], np.float32)
            large = enlarge_rows(network, plane, threads)
            return large if len(large) == length else fitted.apply(large, 0)

        return PlaneNetwork(enlarge)

    def _trained(self, volume: Floats, axis: int, factor: int) -> tuple[RowNetwork, float]:
        """The network, and by how many dB it is better than cubic interpolation on slices that it has not seen."""
        from superres.training.rows import enlarge_rows, thick_rows, train_rows

        shown, held = own_planes(volume, axis, factor)
        if not shown or not held:
            grid = " x ".join(map(str, volume.shape))
            raise InputError(
                f"{self._name}: a network of its own cannot be learnt from {grid} voxels: expected two slices or more, "
                f"of {_FEWEST * factor} voxels or more along a side; use --through-plane shipped or cubic"
            )
        start = _start(factor) if self._shipped else None
        network = train_rows(shown, factor, self._training, self._step, start)
        own = interpolated = 0.0
        nothing = _NOTHING * sum(plane.size for plane in held)
        for plane in held:
            truth = plane[: len(plane) // factor * factor]
            thick = thick_rows(truth, factor)
            cubic = axis_resampler(len(thick), len(truth)).apply(thick, 0)
            own += _squares(enlarge_rows(network, thick, self._training.threads) - truth)
            interpolated += _squares(cubic - truth)
        if own > interpolated > nothing:
            raise InputError(
                f"{self._name}: a network trained on its slices is {10 * math.log10(own / interpolated):.1f} dB worse "
                "than cubic interpolation on slices held out: use --through-plane shipped or cubic"
            )
        return network, 10 * math.log10(interpolated / own) if interpolated > nothing < own else 0.0


def own_planes(volume: Floats, axis: int, factor: int) -> tuple[list[Floats], list[Floats]]:
    """Pictures within the slices, each along both of its axes: those to learn from and those held out.

    At most 64 slices, spread evenly, of which the middle 512 x 512 voxels are taken; gaps (NaN, infinity) are filled
    from around.  Axes too short to make up some thick rows are left out.

    Args:
        volume: (X, Y, Z) float32.
        axis: across the slices.
        factor: by which slices are thicker than voxels within them.
    """
    slices = np.moveaxis(volume, axis, 0)
    middle = tuple(slice(max(0, (n - _SIDE) // 2), (n + _SIDE) // 2) for n in slices.shape[1:])
    places = np.unique(np.linspace(0, len(slices) - 1, min(_SLICES, len(slices))).round().astype(int))
    shown: list[Floats] = []
    held: list[Floats] = []
    for count, place in enumerate(places):
        picture = without_gaps(np.asarray(slices[place])[middle])
        planes = [one for one in (picture, picture.T) if len(one) >= _FEWEST * factor and one.shape[1] > 1]
        # From the middle of the eight on: the outermost slice shows least.
        (held if count % _HELD_OUT == min(_HELD_OUT, len(places)) // 2 else shown).extend(planes)
    return shown, held


def _squares(difference: Floats) -> float:
    return float(np.sum(difference.astype(np.float64) ** 2))


def _training(threads: int, steps: int, *, shipped: bool) -> RowTraining:
    try:
        from superres.training.rows import RowTraining
    except ImportError as error:
        raise MissingExtraError("torch", "train") from error
    return RowTraining(steps=steps, rate=_RATE if shipped else RowTraining.rate, threads=threads)


def _start(factor: int) -> RowNetwork:
    from superres.training.row_start import row_start

    return row_start(factor)
