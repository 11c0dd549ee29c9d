"""Whether a file is DICOM, and whether a folder holds a series, from the files' first bytes alone."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from pathlib import Path

from superres.errors import InputError
from superres.formats import sniff

__all__ = ["dicom_files", "is_dicom", "is_series", "other_pictures"]

# Value representations (PS3.5 6.2); the second kind has a longer header.
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_ELEMENTS = 3


def is_dicom(head: bytes) -> bool:
    """Whether a file that starts with ``head`` (:data:`superres.formats.sniff.HEAD` bytes) is a DICOM file.

    Either it has the prefix of PS3.10, or it is an older file that starts with the dataset itself: little-endian
    elements of group 2 or 8 in ascending order.
    """
    if head[128:132] == b"DICM":
        return True
    at = last = 0
    for _ in range(_ELEMENTS):
        if len(head) < at + 12:
            return False
        group, element = int.from_bytes(head[at : at + 2], "little"), int.from_bytes(head[at + 2 : at + 4], "little")
        tag = group << 16 | element
        if group not in (2, 8) or (last and tag <= last):
            return False
        kind = head[at + 4 : at + 6]
        if kind in _LONG:
            length, value = int.from_bytes(head[at + 8 : at + 12], "little"), at + 12
        elif kind in _SHORT:
            length, value = int.from_bytes(head[at + 6 : at + 8], "little"), at + 8
        else:
            length, value = int.from_bytes(head[at + 4 : at + 8], "little"), at + 8
        last, at = tag, value + length
    return True


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files of a folder in order of name, without hidden ones and the index of a medium (DICOMDIR).

    Raises:
        InputError: the folder or a file cannot be read.
    """
    return [file for file in _candidates(folder) if _starts_as_dicom(file)]


def is_series(folder: Path, other_suffixes: Collection[str]) -> bool:
    """Whether a folder holds a series: DICOM files alone, or several of them with pictures of other kinds beside.

    One DICOM file among other pictures is a picture as they are.

    Args:
        other_suffixes: lower case, with the dot, of pictures of other kinds.

    Raises:
        InputError: the folder or a file cannot be read.
    """
    files, others = _candidates(folder), set(other_pictures(folder, other_suffixes))
    enough = 2 if others else 1
    found = islice((file for file in files if file not in others and _starts_as_dicom(file)), enough)
    return len(list(found)) == enough


def other_pictures(folder: Path, other_suffixes: Collection[str]) -> list[Path]:
    """The files of a folder that have one of these suffixes; arguments and errors as of :func:`is_series`."""
    return [file for file in _candidates(folder) if file.name.lower().endswith(tuple(other_suffixes))]


def _candidates(folder: Path) -> list[Path]:
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    return [file for file in names if file.name[0] != "." and file.name.upper() != "DICOMDIR" and file.is_file()]


def _starts_as_dicom(file: Path) -> bool:
    with sniff.open_source(file, file.name) as stream:
        return is_dicom(stream.read(sniff.HEAD))
