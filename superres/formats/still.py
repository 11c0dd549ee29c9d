"""Reader of still pictures through libvips: PNG, JPEG, TIFF, WebP, AVIF, and the first frame of a GIF.

PNG, JPEG and TIFF stream from top to bottom.  A picture that its orientation tag turns by a quarter or half is decoded
whole first, by libvips: into memory below 100 MB, into a temporary file above.
HEIC comes decoded from :mod:`superres.formats.heic`.
"""

from __future__ import annotations

import mmap
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from superres.errors import InputError, OptionError, UnsupportedFormatError
from superres.formats import containers, sniff
from superres.formats.base import Limits
from superres.formats.exif import exif_dpi, strip_prefix, upright, upright_xmp
from superres.formats.exif_tiff import extract_exif
from superres.formats.heic import load_heic
from superres.formats.vips import blob, full_range, input_error, vips
from superres.image import Colour, Metadata, PictureInfo

__all__ = ["StillReader", "open_still"]

_LOADERS = {
    "png": "pngload_source",
    "jpeg": "jpegload_source",
    "tiff": "tiffload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "gif": "gifload_source",
}
_DEPTHS: dict[str, tuple[str, float]] = {
    "uchar": ("uint8", 255.0),
    "ushort": ("uint16", 65535.0),
    "float": ("float32", 1.0),
}


# A file, or what is in one.
_Source = Path | bytes | mmap.mmap


@dataclass(frozen=True)
class _Facts:
    """What our own look at the container found, before libvips saw the file."""

    page: int = 0
    dpi: tuple[float, float] | None = None
    lossy: bool = False
    exif: bytes | None = None
    quality: int | None = None
    # Of CIELab in a TIFF: where the file says so, and the two bytes that say RGB.
    lab: tuple[int, bytes] | None = None


class StillReader:
    """Rows of one still picture; see :class:`superres.formats.base.Reader`."""

    def __init__(self, picture: Any, info: PictureInfo, name: str, source: _Source) -> None:
        self._picture: Any = picture
        # libvips reads what lies in memory there, and pyvips does not keep it.
        self._source: _Source | None = source
        self._info = info
        self._name = name
        self._next = 0
        self._area: Any = None
        self._area_thread = 0

    @property
    def info(self) -> PictureInfo:
        """What the picture is; known before decoding."""
        return self._info

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Rows ``start .. stop - 1`` as (stop - start, width, channels) of ``info.dtype``; straight alpha last.

        Raises:
            CorruptInputError: the data is damaged or ends early; the message names the file.
            OptionError: the rows do not continue the ones read before, leave the picture, or it has been closed.
        """
        if self._picture is None or start != self._next or not start < stop <= self._info.height:
            state = "closed" if self._picture is None else f"at row {self._next} of {self._info.height}"
            raise OptionError(f"{self._name}: rows {start}..{stop} asked of a reader that is {state}")
        try:
            data = self._region().fetch(0, start, self._info.width, stop - start)
        except vips().Error as exc:
            raise input_error(self._name, exc) from exc
        self._next = stop
        rows = np.frombuffer(data, dtype=self._info.dtype)
        return rows.reshape(stop - start, self._info.width, self._info.channels)

    def close(self) -> None:
        """Free the file.  May be called twice."""
        self._picture = self._area = self._source = None

    def _region(self) -> Any:
        """A window on the picture, made anew when another thread takes over: libvips ties it to one thread.

        Not ``crop().write_to_memory()``: at its end libvips drops the decoder's cached lines, and the next rows
        would count as read out of order.
        """
        thread = threading.get_ident()
        if self._area is None or self._area_thread != thread:
            self._area, self._area_thread = vips().Region.new(self._picture), thread
        return self._area


def open_still(source: Path | bytes, kind: str, name: str, limits: Limits) -> StillReader:
    """Open a picture whose content has been recognised as ``kind``.

    Raises:
        LimitError: its header declares more pixels than ``limits`` allow.
        CorruptInputError: its header is damaged.
        UnsupportedFormatError: its samples or colours are of a kind that is not read.
        MissingExtraError: it is HEIC, and the package that decodes that is not installed.
    """
    with sniff.open_source(source, name) as file:
        facts = _inspect(file, kind, name)
    try:
        # libvips 8.18 fails on CIELab of 8 bits, and takes transparency beside 16 bits for signed.
        coded = source if facts.lab is None else _edited(source, *facts.lab)
        # HEIC is decoded at once, and comes upright.
        heic = kind == "heic"
        picture, orientation = (load_heic(source, name, limits), 1) if heic else _load(coded, kind, name, facts, limits)
        metadata = _metadata(picture, facts)
        picture, metadata = _to_display_colours(picture, metadata, facts, name)
        if orientation != 1:
            if orientation >= 5 and metadata.dpi is not None:
                metadata = Metadata(metadata.icc, metadata.exif, metadata.xmp, (metadata.dpi[1], metadata.dpi[0]))
            picture = picture.autorot()
        info = _describe(picture, kind, facts, metadata, name)
    except vips().Error as exc:
        raise input_error(name, exc) from exc
    return StillReader(picture, info, name, coded)


def _inspect(file: BinaryIO, kind: str, name: str) -> _Facts:
    if kind == "png":
        return _Facts(dpi=containers.inspect_png(file, name).dpi)
    if kind == "jpeg":
        return _Facts(dpi=containers.jpeg_dpi(file), lossy=True, quality=containers.jpeg_quality(file))
    if kind == "tiff":
        tiff = containers.inspect_tiff(file, name)
        exif = extract_exif(tiff.tiff, tiff.directory)
        return _Facts(tiff.page, tiff.dpi, tiff.lossy, exif, lab=tiff.lab)
    if kind == "webp":
        return _Facts(lossy=_webp_is_lossy(file))
    return _Facts(lossy=kind in ("avif", "heic"))


def _webp_is_lossy(file: BinaryIO) -> bool:
    """Whether the first picture chunk of a WebP is VP8 (lossy) rather than VP8L."""
    at = 12
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return False
        if head[:4] == b"ANMF":
            at += 8 + 16
        elif head[:4] in (b"VP8 ", b"VP8L"):
            return head[:4] == b"VP8 "
        else:
            at += 8 + int.from_bytes(head[4:], "little") + (head[4] & 1)


def _load(source: _Source, kind: str, name: str, facts: _Facts, limits: Limits) -> tuple[Any, int]:
    """The lazily decoded picture as stored, checked against the limits, and its orientation (1-8).

    AVIF comes upright.
    """
    picture = _open(source, kind, facts, "sequential")
    limits.check_input(name, picture.width, picture.height)
    if kind == "avif":
        # libheif has already turned it as its irot and imir boxes say; turning by EXIF would do it twice.
        depth = picture.get("bits-per-sample") if picture.get_typeof("bits-per-sample") else 16
        return full_range(picture, depth), 1
    orientation = picture.get("orientation") if picture.get_typeof("orientation") else 1
    if orientation not in range(1, 9):
        orientation = 1
    if orientation > 2:
        # Turning needs pixels out of order: let libvips decode the whole picture first.
        picture = _open(source, kind, facts, "random")
    return picture, orientation


def _open(source: _Source, kind: str, facts: _Facts, access: str) -> Any:
    """Call the one loader that belongs to the recognised signature; libvips never guesses."""
    module = vips()
    # Always a "source", never a file name: libvips caches by file name and would miss that a file has changed.
    if isinstance(source, Path):
        with source.open("rb") as file:
            # libvips duplicates the descriptor, so ours can be closed at once.
            stream = module.Source.new_from_descriptor(file.fileno())
    else:
        stream = module.Source.new_from_memory(source)
    options: dict[str, Any] = {"access": access, "fail_on": "error"}
    if kind == "tiff":
        options["page"] = facts.page
    return getattr(module.Image, _LOADERS[kind])(stream, **options)


def _edited(source: Path | bytes, at: int, data: bytes) -> _Source:
    """A file as if it had ``data`` at ``at``; pages of it come into memory as they are read."""
    if isinstance(source, bytes):
        return source[:at] + data + source[at + len(data) :]
    with source.open("rb") as file:
        edited = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    edited[at : at + len(data)] = data
    return edited


def _metadata(picture: Any, facts: _Facts) -> Metadata:
    raw_exif = facts.exif or blob(picture, "exif-data")
    exif = None if raw_exif is None else upright(strip_prefix(raw_exif))
    xmp = blob(picture, "xmp-data")
    dpi = facts.dpi or (None if exif is None else exif_dpi(exif))
    return Metadata(
        icc=blob(picture, "icc-profile-data"), exif=exif, xmp=None if xmp is None else upright_xmp(xmp), dpi=dpi
    )


def _to_display_colours(picture: Any, metadata: Metadata, facts: _Facts, name: str) -> tuple[Any, Metadata]:
    """Convert CMYK and Lab to sRGB; leave grey and RGB, with whatever profile, as they are."""
    space = picture.interpretation
    deep = picture.format == "ushort"
    if facts.lab is not None:
        picture = _lab_to_srgb(picture)
    elif space == "cmyk":
        # "cmyk" is libvips' own profile, for files that carry none.
        picture = picture.icc_transform(
            "srgb", embedded=True, input_profile="cmyk", depth=16 if deep else 8, black_point_compensation=True
        )
    elif space == "lab":
        # Of floats, which only libvips writes, with its own white D65.
        picture = picture.colourspace("rgb16")
    elif space in ("b-w", "srgb", "rgb", "rgb16", "grey16", "scrgb", "multiband"):
        return picture, metadata
    else:
        raise UnsupportedFormatError(f"{name}: has {space} colours; expected grey, RGB, CMYK or Lab: convert it first")
    profile = vips().Image.profile_load("srgb")
    return picture, Metadata(icc=bytes(profile), exif=metadata.exif, xmp=metadata.xmp, dpi=metadata.dpi)


def _lab_to_srgb(picture: Any) -> Any:
    """sRGB of CIELab as TIFF stores it, of the same depth; alpha stays as it is.

    L is unsigned; a and b are two's complement, in 16 bits with 8 of them behind the point.  The white is D50: TIFF
    leaves it open, and Adobe's technical notes on TIFF of 2002, which others follow, say so.
    """
    deep = picture.format == "ushort"
    sign, unit = (0x8000, 1 / 256) if deep else (0x80, 1.0)
    lifted = picture.extract_band(0, n=3) ^ [0, sign, sign]
    lab = lifted.linear([100 / (2 * sign - 1), unit, unit], [0, -128, -128]).copy(interpretation="lab")
    colours = lab.icc_export(output_profile="srgb", depth=16 if deep else 8)
    return colours.bandjoin(picture[3]) if picture.bands == 4 else colours


def _describe(picture: Any, kind: str, facts: _Facts, metadata: Metadata, name: str) -> PictureInfo:
    depth = _DEPTHS.get(picture.format)
    if depth is None or not 1 <= picture.bands <= 4:
        raise UnsupportedFormatError(
            f"{name}: has {picture.bands} channels of {picture.format}; expected 1-4 of 8 or 16 bit or float"
        )
    if picture.width < 1 or picture.height < 1:
        raise InputError(f"{name}: is {picture.width} x {picture.height} pixels")
    colour: Colour = "grey" if picture.bands < 3 else "rgb"
    return PictureInfo(
        height=picture.height,
        width=picture.width,
        colour=colour,
        dtype=np.dtype(depth[0]),
        sample_range=depth[1],
        alpha=picture.bands in (2, 4),
        format=kind,
        lossy=facts.lossy,
        metadata=metadata,
        quality=facts.quality,
    )
