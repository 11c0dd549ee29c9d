"""DICOM files: what they hold and what their samples mean.  PS3.3 and PS3.5 of the standard.

A file is opened from its header alone; frames are decoded one by one.  Everything that has no pixels (structured
reports, documents, waveforms...) is refused, and so are tiled slides, whose frames are parts of one picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy.typing as npt

from superres.errors import CorruptInputError, LimitError, UnsupportedFormatError
from superres.formats import sniff
from superres.formats.base import Limits
from superres.formats.dicom_frames import PixelSource, iter_frames
from superres.formats.dicom_guard import guarded
from superres.formats.dicom_meaning import held_values, layout_of, rescales_of
from superres.formats.dicom_values import Held, Layout, Rescale

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["DicomFile", "open_dicom"]

Array = npt.NDArray[Any]

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class DicomFile:
    """An open DICOM picture or stack of pictures.

    Attributes:
        name: what messages call it.
        dataset: everything before the pixel data.
        syntax: UID of the transfer syntax.
        layout: of its samples.
        held: samples that are no measurements.
        rescales: to modality values, one for all frames or one per frame.
        source: where the pixels are.
    """

    name: str
    dataset: Dataset
    syntax: str
    layout: Layout
    held: Held
    rescales: tuple[Rescale, ...]
    source: PixelSource

    def rescale(self, frame: int) -> Rescale:
        """Of a frame, counted from 0."""
        return self.rescales[frame] if len(self.rescales) > 1 else self.rescales[0]

    def frames(self) -> Iterator[Array]:
        """Decoded samples of each frame, (rows, columns) or (rows, columns, 3) RGB, of ``layout.dtype``.

        Raises:
            InputError: a frame is damaged, or there is no decoder for it.
            MissingExtraError: its decoder is not installed.
        """
        for frame in iter_frames(self.source, self.name):
            yield frame.astype(self.layout.dtype, copy=False)


def open_dicom(source: Path, name: str, limits: Limits) -> DicomFile:
    """Read a file's header.

    Raises:
        UnsupportedFormatError: it holds no picture, or one of a kind that is not read.
        CorruptInputError: its header is damaged or contradicts itself.
        LimitError: it declares more pixels than ``limits`` allow.
        MissingExtraError: pydicom is not installed.
    """
    with sniff.open_source(source, name) as file:
        dataset, syntax = _header(source, file, name, limits)
        _refuse_what_is_no_picture(dataset, name)
        with guarded(name, "its description of the pixels"):
            layout, options = layout_of(dataset, name)
        limits.check_input(name, layout.columns, layout.rows, layout.frames)
        with guarded(name, "its description of the pixels"):
            held, rescales = held_values(dataset, layout), rescales_of(dataset, layout)
        with guarded(name, "its pixel data"):
            pixels = _pixels(source, file, dataset, syntax, options, name)
    return DicomFile(name, dataset, syntax, layout, held, rescales, pixels)


def _header(source: Path, file: BinaryIO, name: str, limits: Limits) -> tuple[Dataset, str]:
    """The dataset up to the pixels (with them when it is deflated), and the transfer syntax."""
    with guarded(name, "its header"):
        import pydicom

        bare = file.read(132)[128:] != b"DICM"
        if not bare and str(pydicom.filereader.read_file_meta_info(source).get("TransferSyntaxUID", "")) == _DEFLATED:
            meta = pydicom.filereader.read_file_meta_info(source)
            _check_inflated(file, 132 + 12 + int(meta.FileMetaInformationGroupLength), name, limits)
            file.seek(0)
            return pydicom.dcmread(file), _DEFLATED
        file.seek(0)
        dataset = pydicom.dcmread(file, stop_before_pixels=True, force=bare)
        dataset.buffer = None  # the file will be closed
        implicit, little = dataset.original_encoding
        guessed = _IMPLICIT if implicit else _EXPLICIT if little else _BIG_ENDIAN
        return dataset, str(dataset.file_meta.get("TransferSyntaxUID", None) or guessed)


def _check_inflated(file: BinaryIO, offset: int, name: str, limits: Limits) -> None:
    """Refuse a deflated dataset that would take more memory than the largest picture that is accepted."""
    # Three samples of 16 bits per pixel, and room for everything else that a header may hold.
    allowed = limits.input_pixels * 6 + 2**24
    inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    file.seek(offset)
    while not inflate.eof and (part := inflate.unconsumed_tail or file.read(2**16)):
        size += len(inflate.decompress(part, 2**20))
        if size > allowed:
            raise LimitError(
                f"{name}: inflates to more than {allowed / 1e6:.0f} MB, the most that a picture within the limit of "
                f"{limits.input_pixels / 1e6:.0f} Mpx takes; raise it with --max-input MPX"
            )


def _refuse_what_is_no_picture(dataset: Dataset, name: str) -> None:
    with guarded(name, "its header"):
        kind = dataset.get("SOPClassUID", None) or dataset.file_meta.get("MediaStorageSOPClassUID", None)
        # The name of a class of objects, from pydicom's dictionary; a private class has only its number.
        called = "" if kind is None or kind.is_private else f" ({kind.name})"
        has_rows, tiled = "Rows" in dataset and "Columns" in dataset, "TotalPixelMatrixColumns" in dataset
    if not has_rows:
        raise UnsupportedFormatError(
            f"{name}: is a DICOM file without a picture{called}; superres enlarges images and segmentations"
        )
    if tiled:
        raise UnsupportedFormatError(
            f"{name}: is a slide in tiles{called}, which would show seams; convert it to a TIFF first"
        )


def _pixels(
    source: Path, file: BinaryIO, dataset: Dataset, syntax: str, options: dict[str, Any], name: str
) -> PixelSource:
    """Find the pixel data: the next element of the file, or the last of a deflated dataset."""
    if syntax == _DEFLATED:
        value = dataset.PixelData
        del dataset.PixelData
        return PixelSource(value, 0, len(value), syntax, {**options, "pixel_vr": "OW"})
    implicit, little = dataset.original_encoding
    order: Literal["little", "big"] = "little" if little else "big"
    head = file.read(8)
    tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)
    if tag != 0x7FE00010 or len(head) < 8:
        raise CorruptInputError(f"{name}: ends before its pixel data; get the file again")
    long = not implicit and head[4:6] in (b"OB", b"OW", b"UN")
    if long:
        length = int.from_bytes(file.read(4), order)
    else:
        length = int.from_bytes(head[4:8] if implicit else head[6:8], order)
    offset = file.tell()
    there = file.seek(0, 2) - offset
    if length != _UNDEFINED and length > there:
        raise CorruptInputError(f"{name}: ends {length - there} bytes before the end of its pixels; get the file again")
    options = {**options, "pixel_vr": "OW" if implicit else head[4:6].decode("ascii", "replace")}
    if "ExtendedOffsetTable" in dataset and "ExtendedOffsetTableLengths" in dataset:
        options["extended_offsets"] = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    return PixelSource(source, offset, None if length == _UNDEFINED else length, syntax, options)
