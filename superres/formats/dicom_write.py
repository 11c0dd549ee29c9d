"""Writing a DICOM file frame by frame: pydicom writes everything before the pixels, which follow as they come.

What comes after the pixel data in a file (padding, digital signatures) is not written: it held for other pixels.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from superres.errors import LimitError, OptionError
from superres.formats.dicom_guard import guarded
from superres.formats.dicom_identity import IMPLEMENTATION_UID
from superres.formats.dicom_values import Layout

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["check_size", "describe_pixels", "result_syntax", "write_dicom"]

Array = npt.NDArray[Any]

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
# What --format may say, and the transfer syntax that it asks for.
_UNCOMPRESSED, _COMPRESSED = ("dicom", "dcm"), ("jpeg2000", "j2k", "jp2")
_MOST_BYTES = 2**32 - 2
_LARGEST_SIDE = 65535


def result_syntax(wanted: str | None, syntax: str, layout: Layout, name: str) -> str:
    """The transfer syntax of a result.

    Uncompressed: implicit VR where the source has it, so that not one byte of what is only carried along changes.

    Args:
        wanted: ``--format``: None, ``dicom`` or ``jpeg2000`` (lossless).
        syntax: of the source.

    Raises:
        OptionError: a format that DICOM files are not written in.
    """
    if wanted is not None and wanted.lower().lstrip(".") in _COMPRESSED:
        if layout.bits_allocated == 1:
            raise OptionError(f"{name}: has single bits, which JPEG 2000 does not hold in DICOM: leave out --format")
        return _JPEG_2000_LOSSLESS
    if wanted is not None and wanted.lower().lstrip(".") not in _UNCOMPRESSED:
        raise OptionError(
            f"{name}: DICOM files are written as DICOM, not as {wanted}: use --format dicom, --format jpeg2000 "
            "(lossless, within DICOM), or none"
        )
    return _IMPLICIT if syntax == _IMPLICIT else _EXPLICIT


def check_size(layout: Layout, syntax: str, name: str) -> None:
    """Whether a DICOM file can hold a result.

    Raises:
        LimitError: it cannot.
    """
    if max(layout.rows, layout.columns) > _LARGEST_SIDE:
        raise LimitError(
            f"{name}: would become {layout.columns} x {layout.rows} pixels; a DICOM picture has at most "
            f"{_LARGEST_SIDE} on a side: choose a smaller scale"
        )
    if syntax != _JPEG_2000_LOSSLESS and _bytes(layout) > _MOST_BYTES:
        raise LimitError(
            f"{name}: would hold {_bytes(layout) / 1e9:.1f} GB of pixels, more than an uncompressed DICOM file can: "
            "use --format jpeg2000 or a smaller scale"
        )


def describe_pixels(dataset: Dataset, layout: Layout, syntax: str) -> None:
    """Make a dataset describe samples of ``layout`` in a file of the transfer syntax, in place."""
    dataset.Rows, dataset.Columns = layout.rows, layout.columns
    dataset.SamplesPerPixel = layout.channels
    compressed_colours = syntax == _JPEG_2000_LOSSLESS and layout.channels == 3
    dataset.PhotometricInterpretation = "YBR_RCT" if compressed_colours else layout.photometric
    dataset.BitsAllocated, dataset.BitsStored = layout.bits_allocated, layout.bits_stored
    dataset.HighBit, dataset.PixelRepresentation = layout.bits_stored - 1, int(layout.signed)
    if layout.channels == 3:
        dataset.PlanarConfiguration = 0
    elif "PlanarConfiguration" in dataset:
        del dataset.PlanarConfiguration


def write_dicom(
    stream: BinaryIO, dataset: Dataset, layout: Layout, frames: Iterable[Array], syntax: str, name: str
) -> None:
    """Write a file.

    Args:
        stream: open for writing.
        dataset: everything before the pixels; of :func:`describe_pixels`.
        layout: of the frames.
        frames: (rows, columns) or (rows, columns, 3) of ``layout.dtype``, one after the other.
        syntax: of :func:`result_syntax`.
        name: what messages call the source.

    Raises:
        CorruptInputError: something that the source's header carries cannot be written.
        SuperresError: what making the frames raises.
    """
    header = io.BytesIO()
    with guarded(name, "its header"):
        import pydicom
        from pydicom.uid import UID

        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        dataset.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
        dataset.file_meta.ImplementationVersionName = "SUPERRES"
        dataset.preamble = None  # what another format may have in there describes other pixels
        _swap_words(dataset)
        pydicom.dcmwrite(header, dataset, enforce_file_format=True)
    stream.write(header.getvalue())
    if syntax == _JPEG_2000_LOSSLESS:
        _write_compressed(stream, layout, frames, name)
    else:
        _write_native(stream, layout, frames, syntax)


def _bytes(layout: Layout) -> int:
    """Of all samples, uncompressed, filled up to an even number."""
    bits = layout.rows * layout.columns * layout.channels * layout.frames * layout.bits_allocated
    return -(-bits // 16) * 2


def _write_native(stream: BinaryIO, layout: Layout, frames: Iterable[Array], syntax: str) -> None:
    tag, length = struct.pack("<HH", 0x7FE0, 0x0010), struct.pack("<L", _bytes(layout))
    words = b"OW" if layout.bits_allocated > 8 else b"OB"
    stream.write(tag + (length if syntax == _IMPLICIT else words + b"\0\0" + length))
    written, bits = 0, np.empty(0, np.uint8)
    for frame in frames:
        if layout.bits_allocated == 1:
            # Frames follow each other bit by bit, the lowest bit of a byte first (PS3.5 8.1.1).
            bits = np.concatenate([bits, frame.ravel().astype(np.uint8)])
            whole = bits.size // 8 * 8
            part, bits = np.packbits(bits[:whole], bitorder="little").tobytes(), bits[whole:]
        else:
            part = np.ascontiguousarray(frame).tobytes()
        written += stream.write(part)
    rest = np.packbits(bits, bitorder="little").tobytes()
    stream.write(rest + b"\0" * (_bytes(layout) - written - len(rest)))


def _write_compressed(stream: BinaryIO, layout: Layout, frames: Iterable[Array], name: str) -> None:
    """An item per frame, after an empty table of offsets, which is optional (PS3.5 A.4)."""
    stream.write(struct.pack("<HH", 0x7FE0, 0x0010) + b"OB\0\0" + struct.pack("<L", 0xFFFFFFFF) + _item(b""))
    for frame in frames:
        stream.write(_item(_jpeg_2000(np.ascontiguousarray(frame), layout, name)))
    stream.write(struct.pack("<HHL", 0xFFFE, 0xE0DD, 0))


def _item(contents: bytes) -> bytes:
    even = contents + b"\0" * (len(contents) % 2)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(even)) + even


def _jpeg_2000(frame: Array, layout: Layout, name: str) -> bytes:
    """One frame, without loss; not by pydicom's encoder, which takes no picture of less than 32 pixels."""
    fits = frame.min() >= layout.lowest and frame.max() <= layout.highest
    with guarded(name, "its result"):
        import imagecodecs

        # Padding need not fit into the bits stored.
        bits = layout.bits_stored if fits else layout.bits_allocated
        return bytes(
            imagecodecs.jpeg2k_encode(frame, 0, codecformat="j2k", reversible=True, mct=True, bitspersample=bits)
        )


def _swap_words(dataset: Dataset) -> None:
    """Turn binary words that were read from a big-endian file around: pydicom passes these on as they are."""
    if dataset.original_encoding != (False, False):
        return
    sizes = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
    for element in dataset.iterall():
        if element.VR in sizes and isinstance(element.value, bytes):
            size = sizes[element.VR]
            whole = element.value[: len(element.value) // size * size]
            element.value = np.frombuffer(whole, f">u{size}").astype(f"<u{size}").tobytes()
