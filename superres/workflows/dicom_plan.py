"""What every DICOM file goes through, alone or in a series: decoded, enlarged frame by frame, described, written.

Grey samples go through the networks as modality values, colours as RGB; palettes, segmentations and single bits take
the nearest neighbour.  Padding, and indices into a supplemental palette, stand in the result where they stood.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from superres import __version__
from superres.errors import OptionError
from superres.formats.dicom import DicomFile
from superres.formats.dicom_guard import guarded
from superres.formats.dicom_identity import Identities, mark_derived
from superres.formats.dicom_overlays import scale_overlays
from superres.formats.dicom_place import scale_places
from superres.formats.dicom_values import Layout, Window, measured, normalised, restored
from superres.formats.dicom_write import check_size, describe_pixels, result_syntax, write_dicom
from superres.geometry import enlargement, nearest_indices
from superres.image import Image, PictureInfo
from superres.pipeline import Options, Result, Upscaler
from superres.workflows.odd_values import past_networks

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Enlargement", "plan_enlargement", "write_enlarged"]

Array = npt.NDArray[Any]

_NEAREST = "nearest neighbour"


@dataclass(frozen=True)
class Enlargement:
    """What is done to a file, or to every file of a series.

    Attributes:
        before: samples of the first source; the others have its rows, columns and channels.
        size: (width, height) of the results.
        window: modality values as the networks see them, one for all.
        networks: their names, in the order they run.
        precision: their arithmetic, or ``exact``.
        identities: UIDs of the results.
    """

    before: Layout
    size: tuple[int, int]
    window: Window
    networks: tuple[str, ...]
    precision: str
    identities: Identities

    @property
    def scale(self) -> tuple[float, float]:
        """Of (rows, columns)."""
        return self.size[1] / self.before.rows, self.size[0] / self.before.columns

    def result(self, source: str, target: str, seconds: float) -> Result:
        """The report of it."""
        before = self.before.columns, self.before.rows
        return Result(source, target, before, self.size, self.networks, self.precision, seconds)


def plan_enlargement(files: Sequence[DicomFile], upscaler: Upscaler, name: str) -> Enlargement:
    """Decide everything before the first frame is enlarged; every frame is decoded once for it, and so is checked.

    Args:
        files: one, or a series of the same rows, columns and kind of samples.
        upscaler: its options say what is wanted.
        name: what messages call the source.

    Raises:
        OptionError: an option that makes no sense for DICOM.
        LimitError: the results would be too large.
        InputError: a frame cannot be decoded.
    """
    before, options = files[0].layout, upscaler.options
    _check_options(options, name)
    syntaxes = [result_syntax(options.format, file.syntax, file.layout, file.name) for file in files]
    size = upscaler.target(_info(before), name, sum(file.layout.frames for file in files))
    for file, syntax in zip(files, syntaxes, strict=True):
        check_size(_after(file.layout, size), syntax, file.name)
    factor = enlargement((before.columns, before.rows), size)
    networks = (_NEAREST,) if before.labels else upscaler.choice(_info(before), factor).names
    precision = "exact" if before.labels else "bf16" if options.precision == "bf16" else "fp32"
    return Enlargement(before, size, _window(files), networks, precision, Identities())


def _check_options(options: Options, name: str) -> None:
    if options.quality is not None:
        raise OptionError(
            f"{name}: quality {options.quality} means nothing to DICOM, written without loss: leave it out"
        )
    volume = options.volume
    if volume.isotropic or set(volume.axes.lower()) - set("xy") or volume.through_plane != "shipped":
        raise OptionError(
            f"{name}: DICOM slices are enlarged in their plane only: leave out --isotropic, --axes and "
            "--through-plane, or convert the series to NIfTI first"
        )
    if options.volume.axes and sorted(options.volume.axes.lower()) != ["x", "y"]:
        raise OptionError(f"{name}: axes {options.volume.axes!r}: DICOM pictures grow along xy, both or none")


def _info(layout: Layout) -> PictureInfo:
    return PictureInfo(
        height=layout.rows,
        width=layout.columns,
        colour="rgb" if layout.channels == 3 else "grey",
        dtype=np.dtype(np.float32),
        sample_range=1.0,
        alpha=False,
        format="dicom",
        lossy=False,
    )


def _after(layout: Layout, size: tuple[int, int]) -> Layout:
    return replace(layout, rows=size[1], columns=size[0])


def _window(files: Sequence[DicomFile]) -> Window:
    """Colours use their whole range; grey values are spread from the smallest to the largest of all frames."""
    first = files[0].layout
    values = (
        measured(frame, file.layout, file.held, file.rescale(index))
        for file in files
        for index, frame in enumerate(file.frames())
    )
    if first.channels == 3 or first.labels:
        for _ in values:
            pass  # decoded all the same: damage is found before the networks have run for an hour
        return Window(0.0, float(first.highest))
    return Window.of(values)


def write_enlarged(
    file: DicomFile, plan: Enlargement, upscaler: Upscaler, stream: BinaryIO, step: Callable[[], None]
) -> None:
    """Enlarge one file into an open stream.

    Args:
        step: called after each frame.

    Raises:
        SuperresError: see :mod:`superres.errors`.
    """
    layout = _after(file.layout, plan.size)
    syntax = result_syntax(upscaler.options.format, file.syntax, layout, file.name)
    with guarded(file.name, "its header"):
        header = _enlarged_header(file, plan, layout, syntax)
    write_dicom(stream, header, layout, _enlarged_frames(file, plan, upscaler, step), syntax, file.name)


def _enlarged_header(file: DicomFile, plan: Enlargement, layout: Layout, syntax: str) -> Dataset:
    """The dataset of a result: place, overlays, description of the pixels, identity."""
    header = copy.deepcopy(file.dataset)
    scale_places(header, plan.scale)
    notes = scale_overlays(header, plan.scale)
    describe_pixels(header, layout, syntax)
    times = "x".join(dict.fromkeys(f"{s:.3g}" for s in reversed(plan.scale)))
    how = "indices and labels" if file.layout.labels else "RGB" if file.layout.channels == 3 else "modality values"
    account = (
        f"super-resolved {file.layout.columns}x{file.layout.rows} to {layout.columns}x{layout.rows} pixels by superres "
        f"{__version__} ({' + '.join(plan.networks)}, {how}); slices as acquired"
    )
    title, account = f"super-resolved x{times}", "; ".join([account, *notes])
    mark_derived(header, file.syntax, plan.identities, title, account, __version__)
    return header


def _enlarged_frames(
    file: DicomFile, plan: Enlargement, upscaler: Upscaler, step: Callable[[], None]
) -> Iterator[Array]:
    layout, (width, height) = file.layout, plan.size
    rows, columns = nearest_indices(layout.rows, height), nearest_indices(layout.columns, width)
    for index, frame in enumerate(file.frames()):
        near = frame[rows][:, columns]
        if layout.labels:
            yield near
        else:
            meaning = layout, file.held, file.rescale(index), plan.window
            yield restored(_enlarged(normalised(frame, *meaning), upscaler, near.shape), near, *meaning)
        step()


def _enlarged(unit: Array, upscaler: Upscaler, shape: tuple[int, ...]) -> Array:
    """One picture through the networks; a constant one stays constant, and odd values are interpolated."""
    if np.array_equal(unit, np.broadcast_to(unit[:1, :1], unit.shape), equal_nan=True):
        return np.broadcast_to(unit[:1, :1], shape)
    return past_networks(unit, lambda inside: upscaler.image(Image.from_array(inside)).samples.reshape(shape))
