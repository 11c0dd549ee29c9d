"""Sources that are more than a picture: DICOM, NIfTI, GeoTIFF, video and its frames, each with a workflow of its own.

The content decides; see :mod:`superres.formats.sniff`.  A workflow is one line here and one module in
:mod:`superres.workflows`, imported only when such a source is met.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from superres.errors import CorruptInputError, InputError
from superres.formats import sniff
from superres.formats.dicom_sniff import is_dicom, is_series
from superres.formats.table import picture_suffixes
from superres.formats.tiff import TiffFile

__all__ = ["KINDS", "Kind", "is_dicom_series", "kind_of", "source_suffixes", "split_name"]


@dataclass(frozen=True)
class Kind:
    """One kind of source.

    Attributes:
        suffixes: lower case, with the dot, of such files.
        workflow: ``module:function``; see :class:`superres.workflows.Workflow`.
        results: suffixes that are written; a source with another one becomes the first of them.
        formats: what else ``--format`` may say, without a suffix of its own; the workflow knows what it means.
    """

    suffixes: tuple[str, ...]
    workflow: str
    results: tuple[str, ...]
    formats: tuple[str, ...] = ()


# Uncompressed, or lossless JPEG 2000 within DICOM.
_DICOM_FORMATS = ("dicom", "dcm", "jpeg2000", "j2k", "jp2")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "dicom": Kind((".dcm", ".dicom", ".ima"), "superres.workflows.dicom:upscale_file", (".dcm",), _DICOM_FORMATS),
        "dicom-series": Kind((), "superres.workflows.dicom_series:upscale_folder", ("",), _DICOM_FORMATS),
        "nifti": Kind((".nii", ".nii.gz"), "superres.workflows.nifti:upscale_file", (".nii.gz", ".nii")),
        "geotiff": Kind((".tif", ".tiff"), "superres.workflows.geotiff:upscale_file", (".tif", ".tiff")),
        "video": Kind(
            (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".mts", ".m2ts"),
            "superres.workflows.video:upscale_file",
            (".mkv", ".mp4", ".m4v", ".mov", ".webm"),
        ),
        # A folder of pictures, where one clip is made of them.
        "frames": Kind((), "superres.workflows.video:upscale_file", (".mkv", ".mp4", ".m4v", ".mov", ".webm")),
    }
)

# GeoTIFF keys, the three ways to place a raster, rational polynomial coefficients, and GDAL's nodata value.
_GEOGRAPHIC_TAGS = frozenset({33550, 33922, 34264, 34735, 42113, 50844})
_IMAGE_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
# A NIfTI header's magic ends at byte 348.
_NIFTI_HEAD = 352


def source_suffixes() -> frozenset[str]:
    """Suffixes (lower case, with the dot) of everything that is enlarged, pictures included."""
    return picture_suffixes() | {suffix for kind in KINDS.values() for suffix in kind.suffixes}


def is_dicom_series(folder: Path) -> bool:
    """Whether a folder holds a series, which is one source; see :func:`superres.formats.dicom_sniff.is_series`."""
    return is_series(folder, source_suffixes() - set(KINDS["dicom"].suffixes))


def split_name(path: Path) -> tuple[str, str]:
    """(stem, suffix) of a file's name, where ``.nii.gz`` is one suffix.

    >>> split_name(Path("brain.nii.gz")), split_name(Path("a.b.PNG"))
    (('brain', '.nii.gz'), ('a.b', '.PNG'))
    """
    if path.name.lower().endswith(".nii.gz") and len(path.name) > len(".nii.gz"):
        return path.name[: -len(".nii.gz")], path.name[-len(".nii.gz") :]
    return path.stem, path.suffix


def kind_of(source: Path | bytes, *, name: str | None = None) -> str | None:
    """The key of :data:`KINDS` that a source is of, or None for a plain picture and for anything unknown.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    label = sniff.display_name(source, name)
    if isinstance(source, Path) and source.is_dir():
        return "dicom-series" if is_dicom_series(source) else "frames"
    with sniff.open_source(source, label) as file:
        try:
            head = file.read(sniff.HEAD)
            if is_dicom(head):
                return "dicom"
            if _is_nifti(head):
                return "nifti"
            if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
                tiff = TiffFile(file, label)
                return "geotiff" if any(_GEOGRAPHIC_TAGS & d.fields.keys() for d in tiff.directories()[:1]) else None
        except CorruptInputError:
            return None  # the picture reader says what is wrong with it
        except OSError as error:
            raise InputError(f"{label}: cannot be read ({error})") from error
    return "video" if _is_video(head) else None


def _is_nifti(head: bytes) -> bool:
    """NIfTI-1 or NIfTI-2, compressed or not; the headers of pairs too, whose reader says how to join them."""
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, _NIFTI_HEAD)
        except zlib.error:
            return False
    second = (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:12] in second


def _is_video(head: bytes) -> bool:
    """MP4 and QuickTime, Matroska and WebM, MPEG transport stream, also a camcorder's with its packets of 192 bytes."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _IMAGE_BRANDS
    if head[4:8] in (b"moov", b"mdat", b"wide") or head.startswith(b"\x1a\x45\xdf\xa3"):
        return True
    # Three packets in a row: their length, and where the first one's mark stands.
    for length, first in ((188, 0), (192, 4)):
        marks = head[first : first + 2 * length + 1 : length]
        if marks == b"GGG":
            return True
    return False
