"""HEIC pictures, decoded by libheif through the optional package ``pi-heif``.

The wheels of libvips carry a libheif without HEVC (patents), and which others have it shows only on decoding.  So there
is one way for all: ``pi-heif`` decodes the whole picture into memory, and libvips takes it from there.
"""

from __future__ import annotations

import importlib
import struct
from pathlib import Path
from typing import Any

from superres.errors import CorruptInputError, LimitError, MissingExtraError
from superres.formats import sniff
from superres.formats.base import Limits
from superres.formats.boxes import boxes, items, meta_box, number
from superres.formats.vips import full_range, input_error, set_blob, vips

__all__ = ["load_heic"]

# The coded file must fit into memory; no camera's comes near.
_MOST_BYTES = 2**30
# What pi_heif documents, and what slips through its reading of metadata and of files without pictures.
_FAILURES = (ValueError, EOFError, SyntaxError, RuntimeError, OSError, TypeError, IndexError)


def load_heic(source: Path | bytes, name: str, limits: Limits) -> Any:
    """The primary picture as a libvips image in memory: upright, alpha straight, with ICC, EXIF and XMP blocks.

    libheif turns and mirrors as the ``irot`` and ``imir`` boxes say.  The orientation in EXIF is a mere copy of them,
    and must not be applied again.

    Raises:
        MissingExtraError: ``pi-heif`` is not installed.
        LimitError: its header declares more pixels than ``limits`` allow; nothing has been decoded.
        CorruptInputError: it is damaged or cut short.
        UnsupportedFormatError: it holds something other than HEVC.
    """
    try:
        pi_heif = importlib.import_module("pi_heif")
    except ImportError as exc:
        # With the name, because in a batch the message is all that the user sees of this picture.
        raise MissingExtraError(f"{name}: pi_heif", "heic") from exc
    with sniff.open_source(source, name) as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise LimitError(f"{name}: is a HEIC file of more than {_MOST_BYTES >> 20} MiB; convert it to TIFF first")
    try:
        _check_names(data)
        opened = pi_heif.open_heif(data, convert_hdr_to_8bit=False)
        if len(opened) == 0:
            raise CorruptInputError(f"{name}: is damaged or cut short (it holds no picture); get the file again")
        image = opened[opened.primary_index]
        width, height = image.size
        limits.check_input(name, width, height)
        parts = _parts(data, alpha="a" in image.mode.lower())
        if parts:
            _check_parts(pi_heif.open_heif(_showing(data, parts), convert_hdr_to_8bit=False), len(parts), name, limits)
        pixels = bytes(image.data)
    except (*_FAILURES, struct.error) as exc:
        raise input_error(name, exc) from exc
    if image.size != (width, height):
        found = "{} x {}".format(*image.size)
        raise CorruptInputError(f"{name}: declares {width} x {height} pixels but holds {found}; get the file again")
    return _picture(pixels, image)


def _picture(pixels: bytes, image: Any) -> Any:
    """Samples of pi_heif as a libvips image.  Its mode is one of L, I;16, RGB, RGBA, RGBa; the last three also ;16."""
    letters, _, deep = image.mode.partition(";")
    picture = vips().Image.new_from_memory(pixels, *image.size, len(letters), "ushort" if deep else "uchar")
    if len(letters) == 1:
        picture = picture.copy(interpretation="grey16" if deep else "b-w")
    else:
        picture = picture.copy(interpretation="rgb16" if deep else "srgb")
    if deep:
        picture = full_range(picture, image.info["bit_depth"])
    if letters.endswith("a"):
        straight = picture.unpremultiply(max_alpha=65535 if deep else 255)
        picture = straight.rint().cast(picture.format).copy(interpretation=picture.interpretation)
    picture = picture.copy()  # the fields of a shared image must not be set
    set_blob(picture, "icc-profile-data", image.info.get("icc_profile"))
    set_blob(picture, "exif-data", image.info.get("exif"))
    set_blob(picture, "xmp-data", image.info.get("xmp"))
    return picture


def _check_parts(opened: Any, expected: int, name: str, limits: Limits) -> None:
    """Decode every tile by itself, because libheif composes a picture of those that it can read, and is silent.

    Raises:
        CorruptInputError: there are not as many tiles as expected.
    """
    if len(opened) != expected:
        raise CorruptInputError(f"{name}: is damaged ({len(opened)} of {expected} tiles remain); get the file again")
    while len(opened):
        limits.check_input(name, *opened[0].size)
        opened[0].load()
        del opened[0]  # with its pixels


def _check_names(data: bytes) -> None:
    """Refuse text that is none: up to 1.4, pi_heif does not survive it (its pull request 478).

    Raises:
        UnicodeDecodeError: the type or name of an item is no text.
    """
    for outer, first, last in boxes(data, 0, len(data)):
        if outer == b"meta":
            for kind, start, stop in boxes(data, first + 4, last):
                if kind == b"iinf":
                    for _, coding, _, text in items(data, start, stop):
                        coding.decode("ascii")
                        text.decode("utf-8")


def _parts(data: bytes, alpha: bool) -> list[int]:
    """The tiles that the primary picture (and its alpha) is composed of; empty when each is coded as one."""
    primary, kinds, references = 0, {}, []
    for kind, start, stop in boxes(data, *meta_box(data)):
        wide = data[start : start + 1] != b"\0"
        if kind == b"pitm":
            primary = number(data, start + 4, 4 if wide else 2)
        elif kind == b"iinf":
            kinds = {item: coding for item, coding, *_ in items(data, start, stop)}
        elif kind == b"iref":
            references = [
                (relation, number(data, at, 4 if wide else 2), _targets(data, at, 4 if wide else 2))
                for relation, at, _ in boxes(data, start + 4, stop)
            ]
    found = {primary}
    if alpha:
        found |= {item for relation, item, targets in references if relation == b"auxl" and primary in targets}
    whole, size = found, 0
    while len(found) > size:
        size = len(found)
        found = found.union(*(tiles for relation, item, tiles in references if relation == b"dimg" and item in found))
    return sorted(item for item in found - whole if kinds.get(item) == b"hvc1")


def _showing(data: bytes, parts: list[int]) -> bytes:
    """The file with ``parts`` (tiles, hidden as a rule) as its only pictures, the first of them the primary one."""
    changed = bytearray(data)
    for kind, start, stop in boxes(data, *meta_box(data)):
        if kind == b"pitm":
            size = 2 if data[start] == 0 else 4
            changed[start + 4 : start + 4 + size] = parts[0].to_bytes(size, "big")
        elif kind == b"iinf":
            for item, _, flag, _ in items(data, start, stop):
                changed[flag] = changed[flag] & ~1 if item in parts else changed[flag] | 1
    return bytes(changed)


def _targets(data: bytes, at: int, size: int) -> set[int]:
    """The items that the reference at ``at`` leads to; ``size`` is that of an item number."""
    first = at + size + 2
    return {number(data, first + size * index, size) for index in range(number(data, at + size, 2))}
