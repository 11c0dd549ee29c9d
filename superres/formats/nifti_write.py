"""Results as NIfTI volumes: headers moved along by the half-pixel rule, files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError
from superres.formats.mapped import map_file, nameless_file, reserve
from superres.formats.nifti import nibabel
from superres.formats.placement import FilePlacement
from superres.formats.vips import output_error
from superres.geometry import scaled_affine

__all__ = ["create_volume", "enlarged_header"]

Array = npt.NDArray[Any]

#: Extension code of plain text.
_COMMENT = 6


def enlarged_header(header: Any, grid: Sequence[int], note: str) -> Any:
    """The header of a result with ``grid`` voxels along x, y and z that fill the field of view of the source.

    Affines, spacing and lengths are moved along; every other field (codes, units, repetition time, intent, value
    scaling, byte order...) and every extension stays, and a comment extension with ``note`` is added.  Slice timing is
    forgotten where the slices of the result are not those of the scan.

    Raises:
        OptionError: more voxels along an axis than this version of NIfTI can count.
    """
    old = tuple(int(length) for length in header.get_data_shape())
    shape = (*grid[: len(old)], *old[3:])
    most = np.iinfo(header["dim"].dtype).max
    if max(shape) > most:
        raise OptionError(
            f"the result would have {max(shape)} voxels along an axis, this version of NIfTI holds at most {most}: "
            "choose a smaller scale, or convert the source to NIfTI-2"
        )
    scales = [new / before for new, before in zip((*grid, 1)[:3], (*old, 1)[:3], strict=True)]
    result = header.copy()
    result.set_data_shape(shape)
    result["pixdim"][1:4] = header["pixdim"][1:4] / np.array(scales)
    # The rotation is kept as its quaternion, bit by bit; only the offset moves.
    if int(header["qform_code"]) > 0:
        offsets = scaled_affine(header.get_qform(), scales)[:3, 3]
        for field, value in zip(("qoffset_x", "qoffset_y", "qoffset_z"), offsets, strict=True):
            result[field] = value
    if int(header["sform_code"]) > 0:
        for field, row in zip(("srow_x", "srow_y", "srow_z"), scaled_affine(header.get_sform(), scales), strict=False):
            result[field] = row
    slices = header.get_dim_info()[2]
    if scales[2 if slices is None else slices] != 1:
        for field in ("slice_start", "slice_end", "slice_duration", "slice_code"):
            result[field] = 0
    nib = nibabel()
    added = nib.nifti1.Nifti1Extension(_COMMENT, note.encode())
    result.extensions = type(header.extensions)([*header.extensions, added])
    if not bytes(header["descrip"].item()).strip(b"\0 "):
        result["descrip"] = note.encode()[:79]
    result["vox_offset"] = 0  # nibabel computes it
    return result


@contextlib.contextmanager
def create_volume(target: Path, header: Any, *, overwrite: bool, source: Path) -> Iterator[Array]:
    """A result in the making: zeros of the header's shape and dtype, first axis fastest, memory-mapped.

    Leaving without error writes the file whole: compressed when the target's name ends in ``.nii.gz``.

    Raises:
        OptionError: the target's name ends neither in ``.nii`` nor in ``.nii.gz``.
        OutputError: the target exists, is the source, or cannot be written; nothing is left behind.
    """
    packed = target.name.lower().endswith(".nii.gz")
    if not packed and target.suffix.lower() != ".nii":
        raise OptionError(f"{target}: a NIfTI volume becomes .nii or .nii.gz; name the result so, without --format")
    place = FilePlacement(target, overwrite=overwrite, source=source)
    try:
        start = io.BytesIO()
        header.write_to(start)
        offset, shape, dtype = header.get_data_offset(), header.get_data_shape(), header.get_data_dtype()
        with contextlib.ExitStack() as stack:
            result = stack.enter_context(os.fdopen(os.dup(place.descriptor), "r+b"))
            file = stack.enter_context(nameless_file(target.parent)) if packed else result
            reserve(file.fileno(), offset + math.prod(shape) * dtype.itemsize, str(target))
            values = map_file(file, dtype, shape, offset, write=True)
            yield values
            try:
                file.seek(0)  # mapping it has moved to its end
                file.write(start.getvalue())
                file.flush()
                cast(np.memmap[Any, Any], values).flush()
                if packed:
                    file.seek(0)
                    # No name and no time inside: the same volume gives the same bytes.
                    with gzip.GzipFile("", "wb", 6, result, mtime=0) as squeezed:
                        shutil.copyfileobj(file, squeezed, 2**20)
                    result.flush()
            except OSError as exc:
                raise output_error(str(target), exc) from exc
        place.commit()
    finally:
        place.discard()
