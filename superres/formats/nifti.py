"""NIfTI volumes: values as they are stored, in memory-mapped files; headers through nibabel.

NIfTI-1 and NIfTI-2 in one file, compressed or not.  Stored values are never put through ``scl_slope`` and
``scl_inter``: enlarging is linear in them, and the header keeps both fields.

References:
    NIfTI-1 and NIfTI-2, https://nifti.nimh.nih.gov/
"""

from __future__ import annotations

import contextlib
import gzip
import io
import logging
import math
import os
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from superres.errors import CorruptInputError, MissingExtraError, UnsupportedFormatError
from superres.formats import sniff
from superres.formats.base import Limits
from superres.formats.labels import are_labels
from superres.formats.mapped import map_file, nameless_file
from superres.formats.vips import output_error

__all__ = ["Volume", "nibabel", "open_volume", "volumes"]

Array = npt.NDArray[Any]

#: Bytes before the data that are believed to be header and extensions.
_LARGEST_HEAD = 2**25
_LABEL_INTENTS = frozenset({1002, 1003})
#: CIFTI: the axes are lists of brain locations, not a grid.  Point sets and triangles are lists, too.
_LISTS = frozenset(range(3000, 3100)) | {1008, 1009}
#: Datatypes that are refused: single bits, floats of 128 bits, pairs of them, RGBA.
_UNREAD_TYPES = frozenset({1, 1536, 2048, 2304})


def nibabel() -> Any:
    """The ``nibabel`` module.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import nibabel as module
    except ImportError as exc:
        raise MissingExtraError("nibabel", "medical") from exc
    return module


@dataclass(frozen=True)
class Volume:
    """An open NIfTI file.

    Attributes:
        values: stored values (X, Y), (X, Y, Z) or (X, Y, Z, T...), memory-mapped, read only; big-endian and structured
            (RGB) dtypes as in the file.
        header: of nibabel, with the file's extensions; its affines map indices to positions in ``xyzt_units``.
        name: what errors call it.
    """

    values: Array
    header: Any
    name: str

    @property
    def grid(self) -> tuple[int, int, int]:
        """Voxels along x, y and z; a single picture has 1 along z."""
        shape = (*self.values.shape, 1)
        return shape[0], shape[1], shape[2]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along x, y and z."""
        x, y, z = (abs(float(step)) for step in self.header["pixdim"][1:4])
        return x, y, z

    def is_label_map(self) -> bool:
        """By the header's intent, or by the values of an integer volume; see :func:`~.labels.are_labels`."""
        if int(self.header["intent_code"]) in _LABEL_INTENTS:
            return True
        if self.values.dtype.kind not in "iu":
            return False
        return are_labels(one[:, :, k] for one in volumes(self.values) for k in range(one.shape[2]))


def volumes(values: Array) -> Iterator[Array]:
    """Views (X, Y, Z) of every time point, and of each part of complex (real, imaginary) and RGB values."""
    whole = values[:, :, None] if values.ndim == 2 else values
    parts = [whole]
    if whole.dtype.names:
        parts = [whole[name] for name in whole.dtype.names]
    elif whole.dtype.kind == "c":
        parts = [whole.real, whole.imag]
    for part in parts:
        for index in np.ndindex(*whole.shape[3:]):
            yield part[(slice(None), slice(None), slice(None), *index)]


@contextlib.contextmanager
def open_volume(source: Path, name: str, limits: Limits, folder: Path) -> Iterator[Volume]:
    """Open a NIfTI file; a compressed one is unpacked into a nameless file in ``folder``.

    Raises:
        UnsupportedFormatError: a header/data pair, a list instead of a grid, or values of a kind that is not read.
        CorruptInputError: the header contradicts itself, or the data ends early.
        LimitError: the header declares more voxels than ``limits`` allow; no data has been read.
        OutputError: there is no room in ``folder``.
        MissingExtraError: nibabel is not installed.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(sniff.open_source(source, name))
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = stack.enter_context(gzip.GzipFile(fileobj=file)) if packed else file
        header = _read_header(cast(BinaryIO, stream), name)
        shape, dtype = _grid_of(header, name)
        limits.check_input(name, shape[0], shape[1], math.prod(shape[2:]))
        offset, size = header.get_data_offset(), math.prod(shape) * dtype.itemsize
        if packed:
            file = stack.enter_context(nameless_file(folder))
            _unpack(cast(BinaryIO, stream), file, offset + size, name, folder)
        held = os.fstat(file.fileno()).st_size
        if held < offset + size:
            raise CorruptInputError(
                f"{name}: ends after {held} of {offset + size} bytes that its header declares; get the file again"
            )
        yield Volume(map_file(file, dtype, shape, offset), header, name)


def _read_header(stream: BinaryIO, name: str) -> Any:
    """nibabel's header, checked and with extensions, from the start of a file."""
    nib = nibabel()
    try:
        head = stream.read(nib.Nifti2Header.single_vox_offset)
        second = head[4:7] in (b"n+2", b"ni2")
        if head[4:7] == b"ni2" or (not second and head[344:347] == b"ni1"):
            raise UnsupportedFormatError(
                f"{name}: is the header of a .hdr/.img pair; make it one file first: "
                'nibabel.save(nibabel.load("a.hdr"), "a.nii.gz")'
            )
        kind = nib.Nifti2Header if second else nib.Nifti1Header
        header = kind(head[: kind.sizeof_hdr], check=False)
        if int(header["datatype"]) in _UNREAD_TYPES:
            raise UnsupportedFormatError(
                f"{name}: has values of the NIfTI datatype {int(header['datatype'])}; expected integers, float or "
                "complex of up to 64 bits per part, or RGB: convert them first"
            )
        header.check_fix(_silent(), 40)
        offset = header.get_data_offset()
        if offset > _LARGEST_HEAD:
            raise CorruptInputError(f"{name}: its header declares {offset} bytes of extensions; get the file again")
        head += stream.read(max(0, offset - len(head)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # extensions of odd length are padded when they are written
            header.extensions = kind.from_fileobj(io.BytesIO(head[:offset]), check=False).extensions
        header.get_qform(coded=True)
    except _header_errors(nib) as exc:
        raise CorruptInputError(f"{name}: its NIfTI header is damaged ({exc}); get the file again") from exc
    return header


def _silent() -> logging.Logger:
    """Takes what nibabel says about headers that it could repair; what it could not comes as an exception."""
    logger = logging.getLogger("superres.formats.nifti.header")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    return logger


def _header_errors(nib: Any) -> tuple[type[Exception], ...]:
    """What nibabel and gzip raise for a header that cannot be."""
    own = (nib.spatialimages.HeaderDataError, nib.wrapstruct.WrapStructError)
    return (*own, ValueError, OverflowError, EOFError, OSError, zlib.error)


def _grid_of(header: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of the stored values."""
    shape = tuple(int(length) for length in header.get_data_shape())
    dtype = np.dtype(header.get_data_dtype())
    code = int(header["intent_code"])
    if code in _LISTS:
        raise UnsupportedFormatError(
            f"{name}: holds no grid of voxels but a list (intent code {code}, as CIFTI and surfaces have): "
            "map it to a volume first"
        )
    if len(shape) < 2 or min(shape) < 1:
        raise UnsupportedFormatError(f"{name}: has the shape {shape}; expected two to seven axes of at least 1")
    if not np.isfinite(header["pixdim"][1:4]).all():
        raise CorruptInputError(f"{name}: its header states no spacing of the voxels; get the file again")
    return shape, dtype


def _unpack(stream: BinaryIO, file: BinaryIO, size: int, name: str, folder: Path) -> None:
    """The first ``size`` bytes, which are all that the header has declared, of a compressed file."""
    done = 0
    while done < size:
        try:
            if not done:
                stream.seek(0)
            block = stream.read(min(2**20, size - done))
            if done + len(block) == size:
                stream.read(1)  # at the end of the file: compares the checksum
        except (EOFError, OSError, zlib.error) as exc:
            raise CorruptInputError(f"{name}: is damaged or cut short ({exc}); get the file again") from exc
        if not block:
            return
        try:
            file.write(block)
            file.flush()
        except OSError as exc:
            raise output_error(str(folder), exc) from exc
        done += len(block)
