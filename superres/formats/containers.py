"""What the containers of PNG, JPEG and TIFF say before a decoder sees them: resolution, animation, hostile metadata."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from superres.errors import CorruptInputError, LimitError, UnsupportedFormatError
from superres.formats.exif import directory_dpi
from superres.formats.tiff import SIZES, Directory, TiffFile

__all__ = [
    "METADATA_LIMIT",
    "PngFacts",
    "TiffFacts",
    "check_gif_is_whole",
    "inspect_png",
    "inspect_tiff",
    "jpeg_dpi",
    "png_chunks",
    "webp_chunks",
]

METADATA_LIMIT = 64 * 2**20
"""Most bytes of metadata, inflated, that one file may carry: some forty times the largest printer profile."""

# Metadata chunks: real files have a handful, and libpng walks them one by one as well.
_MAX_CHUNKS = 10_000
_METRE = 0.0254


@dataclass(frozen=True)
class PngFacts:
    """What a PNG says beside its pixels: resolution in pixels per inch, and whether it is an APNG."""

    dpi: tuple[float, float] | None
    animated: bool


@dataclass(frozen=True)
class TiffFacts:
    """What a TIFF says: which page is the picture, its resolution, whether its compression loses anything; of CIELab in
    integers where the file says so, and the bytes that would say RGB."""

    page: int
    dpi: tuple[float, float] | None
    lossy: bool
    lab: tuple[int, bytes] | None
    tiff: TiffFile
    directory: Directory


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, offset of the data, length of the data) of every chunk that lies wholly inside the file."""
    end = file.seek(0, io.SEEK_END)
    at = 8
    while at + 12 <= end:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        if at + 12 + length > end:
            return
        yield head[4:], at + 8, length
        at += 12 + length


def webp_chunks(descriptor: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, offset, offset of what follows) of every chunk of a WebP."""
    at = 12
    while len(head := os.pread(descriptor, 8, at)) == 8:
        size = int.from_bytes(head[4:], "little")
        behind = at + 8 + size + size % 2  # chunks have even lengths
        yield head[:4], at, behind
        at = behind


def inspect_png(file: BinaryIO, name: str) -> PngFacts:
    """Walk the chunks of a PNG.

    Raises:
        LimitError: compressed metadata inflates to more than :data:`METADATA_LIMIT`.
        CorruptInputError: there are absurdly many metadata chunks.
    """
    dpi: tuple[float, float] | None = None
    animated = seen_pixels = False
    chunks = inflated = 0
    for kind, at, length in png_chunks(file):
        if kind in (b"IDAT", b"fdAT"):
            seen_pixels = True
            continue
        chunks += 1
        if chunks > _MAX_CHUNKS and kind != b"fcTL":
            raise CorruptInputError(f"{name}: has more than {_MAX_CHUNKS} metadata chunks; save it again without them")
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            file.seek(at)
            inflated += _inflated_size(kind, file.read(length), METADATA_LIMIT - inflated)
            if inflated > METADATA_LIMIT:
                raise LimitError(
                    f"{name}: its compressed metadata ({kind.decode()}) inflates to more than "
                    f"{METADATA_LIMIT >> 20} MiB; save it again without metadata"
                )
        elif kind == b"pHYs" and length == 9:
            file.seek(at)
            dpi = _phys_dpi(file.read(9)) or dpi
        elif kind == b"acTL":
            animated = animated or not seen_pixels
    return PngFacts(dpi, animated)


def _phys_dpi(data: bytes) -> tuple[float, float] | None:
    x, y = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    # Unit 0 states an aspect ratio only.
    if data[8] != 1 or not (0 < x * _METRE < 1e6 and 0 < y * _METRE < 1e6):
        return None
    # Rounded, because whole pixels per metre cannot hold 300 dpi exactly.
    return round(x * _METRE, 2), round(y * _METRE, 2)


def _inflated_size(kind: bytes, data: bytes, allowance: int) -> int:
    """Bytes that a text or profile chunk takes in memory; stops soon after ``allowance``."""
    at = data.find(b"\0") + 1
    if kind == b"iTXt":
        if data[at : at + 1] != b"\x01":
            return len(data)
        language = data.find(b"\0", at + 2)
        at = data.find(b"\0", language + 1) + 1
    else:
        at += 1
    engine = zlib.decompressobj()
    total, rest = 0, data[at:]
    try:
        while rest and total <= allowance and not engine.eof:
            total += len(engine.decompress(rest, 2**20))
            rest = engine.unconsumed_tail
    except zlib.error:
        # Damaged text is the decoder's to judge: libpng skips it and the pixels stay usable.
        return total
    return total


def jpeg_dpi(file: BinaryIO) -> tuple[float, float] | None:
    """Resolution in pixels per inch from the JFIF segment of a JPEG, or None when it states none."""
    file.seek(0)
    head = file.read(20)
    if len(head) < 20 or head[2:4] != b"\xff\xe0" or head[6:11] != b"JFIF\0":
        return None
    x, y = int.from_bytes(head[14:16], "big"), int.from_bytes(head[16:18], "big")
    factor = {1: 1.0, 2: 2.54}.get(head[13])
    return (x * factor, y * factor) if factor and x and y else None


#: Sum of the example table for luminance in the standard (ITU-T T.81, table K.1), which libjpeg scales by its quality.
_LUMINANCE_TABLE = 3688

_QUANTISATION, _SCAN = 0xDB, 0xDA


def jpeg_quality(file: BinaryIO) -> int | None:
    """How well a JPEG was compressed, 1 to 100 in libjpeg's measure, or None when it does not say before its pixels.

    From the sum of its first quantisation table, so that encoders with tables of their own (cameras, Photoshop) get the
    quality at which libjpeg would round as coarsely.
    """
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != _SCAN:
        length = int.from_bytes(head[2:], "big") - 2
        if head[1] != _QUANTISATION:
            file.seek(max(0, length), 1)
            continue
        table = file.read(max(0, length))
        bytes_each = 1 + (table[0] >> 4 > 0) if table else 1
        values = [
            int.from_bytes(table[at : at + bytes_each], "big") for at in range(1, 1 + 64 * bytes_each, bytes_each)
        ]
        percent = 100 * sum(values) / _LUMINANCE_TABLE
        if len(table) <= 64 * bytes_each or not percent:
            return None
        return round(min(100.0, max(1.0, (200 - percent) / 2 if percent <= 100 else 5000 / percent)))
    return None


def check_gif_is_whole(file: BinaryIO, name: str) -> None:
    """Walk the blocks of a GIF: its decoder would show the frame before in place of one that is cut short.

    A missing end mark is forgiven: many encoders forget it, and no picture is lost.

    Raises:
        CorruptInputError: the file ends within a block.
    """
    file.seek(0)
    data = file.read()
    at = 13 + _colour_table(data, 10)
    while at < len(data) and data[at] != 0x3B:
        if data[at] == 0x2C:
            at += 11 + _colour_table(data, at + 9)
        elif data[at] == 0x21:
            at += 2
        else:
            # Rubbish between blocks: the decoder stops here as well, and knows what it has.
            return
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    if at > len(data):
        raise CorruptInputError(f"{name}: is cut short within a frame; get the file again")


def _colour_table(data: bytes, at: int) -> int:
    """Bytes of the colour table that the flags at ``at`` announce."""
    return 3 << ((data[at] & 7) + 1) if at < len(data) and data[at] & 0x80 else 0


_LOSSY = {6: "JPEG", 7: "JPEG", 33003: "JPEG 2000", 34712: "JPEG 2000", 50001: "WebP", 34887: "LERC", 50002: "JPEG XL"}
_MEANINGS = {0, 1, 2, 3, 5, 6, 8}
_PHOTOMETRIC, _EXTRA_SAMPLES = 262, 338


def inspect_tiff(file: BinaryIO, name: str) -> TiffFacts:
    """Find the one picture of a TIFF and check that its samples are of a kind that is read.

    Reduced-resolution copies and transparency masks (NewSubfileType 1 and 4) are passed over.  A file with several
    full pages is refused: enlarging only the first would lose the others silently.

    Raises:
        CorruptInputError: the directories form a circle or leave the file.
        UnsupportedFormatError: several pages; raw sensor data; samples other than 1-8 or 16-bit unsigned or 32-bit
            float; more channels than grey, RGB or CMYK with alpha; one more channel that is no alpha.
    """
    tiff = TiffFile(file, name)
    directories = tiff.directories()
    full = [i for i, d in enumerate(directories) if not _is_auxiliary(tiff, d)] or [0]
    if len(full) > 1:
        raise UnsupportedFormatError(f"{name}: holds {len(full)} pages; split it (tiffsplit) and name one page")
    directory = directories[full[0]]
    _check_samples(tiff, directory, name)
    lossy = int(tiff.first_number(directory, 259, 1)) in _LOSSY
    lab: tuple[int, bytes] | None = None
    if tiff.first_number(directory, _PHOTOMETRIC, 1) == 8 and tiff.first_number(directory, 339, 1) != 3:
        field = directory.fields[_PHOTOMETRIC]
        lab = field.offset, (2).to_bytes(SIZES[field.type], "little" if tiff.order == "<" else "big")
    return TiffFacts(full[0], directory_dpi(tiff, directory), lossy, lab, tiff, directory)


def _is_auxiliary(tiff: TiffFile, directory: Directory) -> bool:
    flags = int(tiff.first_number(directory, 254, 0))
    return bool(flags & 0b101) or tiff.first_number(directory, 255, 1) == 2


def _check_samples(tiff: TiffFile, directory: Directory, name: str) -> None:
    bits = {int(value) for value in tiff.numbers(directory, 258)} or {1}
    kinds = {int(value) for value in tiff.numbers(directory, 339)} or {1}
    photometric = int(tiff.first_number(directory, _PHOTOMETRIC, 1))
    channels = int(tiff.first_number(directory, 277, 1))
    # Sample format 4 means undefined, which everyone reads as unsigned.
    unsigned = kinds <= {1, 4} and len(bits) == 1 and bits <= {1, 2, 4, 8, 16}
    if not unsigned and not (kinds == {3} and bits == {32}):
        label = {2: "signed integer", 3: "floating-point", 5: "complex", 6: "complex"}.get(max(kinds), "unsigned")
        depth = str(max(bits)) if len(bits) == 1 else "mixed"
        raise UnsupportedFormatError(
            f"{name}: has {depth}-bit {label} samples; expected 8 or 16-bit unsigned or 32-bit float: convert it first"
        )
    if photometric not in _MEANINGS:
        raise UnsupportedFormatError(
            f"{name}: has samples of kind {photometric} (raw, LogLuv or ICCLab); develop or convert it first"
        )
    most = 5 if photometric == 5 else 4 if photometric in (2, 6, 8) else 2
    if channels > most:
        raise UnsupportedFormatError(f"{name}: has {channels} channels; a picture of this kind has at most {most}")
    extras = tiff.numbers(directory, _EXTRA_SAMPLES)
    if photometric == 8 and (channels < 3 or (channels == most and 1 in extras)):
        kind = "premultiplied transparency" if 1 in extras else f"{channels} channel(s)"
        raise UnsupportedFormatError(
            f"{name}: is CIELab with {kind}; expected L, a and b, and at most straight transparency (ExtraSamples 2): "
            "convert it to RGB first"
        )
    # Where the field is absent, everyone takes one more channel for alpha.
    if channels == most and 0 in extras:
        raise UnsupportedFormatError(
            f"{name}: has a channel beside its colours of which it does not say what it is (ExtraSamples 0), expected "
            "transparency (1 or 2); save it without that channel, or, if it is transparency, mark it as such: "
            "tiffset -s 338 1 2 FILE"
        )
