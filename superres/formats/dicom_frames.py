"""Decoding the pixel data of a DICOM file, frame by frame, so that memory holds one frame whatever the file's size.

Which package decodes what: uncompressed samples, RLE and the envelope of compressed frames pydicom; JPEG 2000 and HTJ2K
pylibjpeg-openjpeg; JPEG-LS pyjpegls; JPEG (8 and 12 bit, lossless to 16 bit) imagecodecs, that is libjpeg-turbo.
(pylibjpeg-libjpeg is GPL, GDCM leaves out 12 bit, and pylibjpeg-rle panics on damaged frames.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from superres.errors import CorruptInputError, MissingExtraError
from superres.formats import sniff
from superres.formats.dicom_codestream import codestream_size, is_lossless_jpeg, names_colours
from superres.formats.dicom_guard import guarded, not_read

__all__ = ["JPEG_SYNTAXES", "LOSSY_SYNTAXES", "PixelSource", "iter_frames"]

Array = npt.NDArray[Any]

_BASELINE, _EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
#: JPEG as of ISO 10918-1: baseline, extended, lossless, lossless with the first predictor.
JPEG_SYNTAXES = frozenset({_BASELINE, _EXTENDED, "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
#: Those that always lose something; JPEG 2000 and JPEG-LS near-lossless need not.
LOSSY_SYNTAXES = frozenset({_BASELINE, _EXTENDED})

# The plugin of pydicom's for a transfer syntax, and the module that it needs.
_JPEG_2000 = ("pylibjpeg", "openjpeg")
_PLUGINS = {
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "jpeg_ls"),
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "jpeg_ls"),
    "1.2.840.10008.1.2.4.90": _JPEG_2000,
    "1.2.840.10008.1.2.4.91": _JPEG_2000,
    "1.2.840.10008.1.2.4.201": _JPEG_2000,
    "1.2.840.10008.1.2.4.202": _JPEG_2000,
    "1.2.840.10008.1.2.4.203": _JPEG_2000,
    "1.2.840.10008.1.2.5": ("pydicom", "pydicom"),
}


@dataclass(frozen=True)
class PixelSource:
    """Where the pixel data lies and how it is written.

    Attributes:
        place: the file, or the value itself.
        offset: of the value in the file.
        length: of the value in bytes; None for encapsulated (compressed) data.
        syntax: UID of the transfer syntax.
        options: what pydicom's decoders ask for: rows, columns, bits_allocated...
    """

    place: Path | bytes
    offset: int
    length: int | None
    syntax: str
    options: dict[str, Any]


def iter_frames(source: PixelSource, name: str) -> Iterator[Array]:
    """Decoded frames: (rows, columns) or (rows, columns, 3), RGB where the file has YBR.

    Bits above the stored ones are as in the file where it is not compressed.

    Raises:
        CorruptInputError: a frame is damaged, of another size than the header says, or missing.
        UnsupportedFormatError, MissingExtraError: there is no decoder for it.
    """
    count, frames = source.options["number_of_frames"], 0
    with sniff.open_source(source.place, name) as file:
        file.seek(source.offset)
        parts = _native(source, file, name) if source.length is not None else _encapsulated(source, file, name)
        for frame in parts:
            yield frame
            frames += 1
            if frames == count:
                return
    raise CorruptInputError(
        f"{name}: holds {frames} of the {count} frames that its header declares; get the file again"
    )


def _native(source: PixelSource, file: BinaryIO, name: str) -> Iterator[Array]:
    options = {**source.options, "correct_unused_bits": False}
    samples = options["rows"] * options["columns"] * options["samples_per_pixel"] * options["number_of_frames"]
    expected = math.ceil(samples * options["bits_allocated"] / 8)
    if options["photometric_interpretation"] == "YBR_FULL_422":
        expected = expected // 3 * 2
    # A few bytes too many are padding; a frame too many, or rows, are a header that does not belong to the data.
    if not expected <= (source.length or 0) < expected + max(2, expected // options["number_of_frames"] // 8):
        raise CorruptInputError(
            f"{name}: holds {source.length} bytes of pixels, but its header declares {options['columns']} x "
            f"{options['rows']} x {options['number_of_frames']} frame(s), which take {expected}; get the file again"
        )
    for index in range(options["number_of_frames"]):
        if options["bits_allocated"] == 1:
            yield _bits(file, source.offset, index, (options["rows"], options["columns"]))
            continue
        with guarded(name, f"frame {index + 1}"):
            from pydicom.pixels.decoders.base import get_decoder
            from pydicom.uid import UID

            frame, _ = get_decoder(UID(source.syntax)).as_array(file, index=index, **options)
        yield frame


def _bits(file: BinaryIO, offset: int, index: int, shape: tuple[int, int]) -> Array:
    """A frame of single bits, which follow each other without a gap between frames, the lowest of a byte first.

    Not through pydicom: of frames that end within a byte it reads a byte too little.
    """
    count = shape[0] * shape[1]
    first, skip = divmod(index * count, 8)
    file.seek(offset + first)
    packed = np.frombuffer(file.read(-(-(skip + count) // 8)), np.uint8)
    return np.unpackbits(packed, bitorder="little")[skip : skip + count].reshape(shape)


def _encapsulated(source: PixelSource, file: BinaryIO, name: str) -> Iterator[Array]:
    options = source.options
    with guarded(name, "the index of its frames"):
        from pydicom.encaps import generate_frames

        streams = generate_frames(
            file, number_of_frames=options["number_of_frames"], extended_offsets=options.get("extended_offsets")
        )
    for index in range(options["number_of_frames"]):
        with guarded(name, f"frame {index + 1}"):
            stream = next(streams, None)
        if stream is None:
            return
        size = codestream_size(stream)
        # Before decoding: a codec takes as much memory as the codestream, not the file's header, asks for.
        if size is not None and size != (options["columns"], options["rows"]):
            raise CorruptInputError(
                f"{name}: frame {index + 1} is {size[0]} x {size[1]} pixels, but the header says "
                f"{options['columns']} x {options['rows']}; get the file again"
            )
        if source.syntax not in JPEG_SYNTAXES and source.syntax not in _PLUGINS:
            raise not_read(name, f"frame {index + 1}")
        with guarded(name, f"frame {index + 1}"):
            frame = _jpeg(stream, source) if source.syntax in JPEG_SYNTAXES else _by_pydicom(stream, source)
        yield frame


def _by_pydicom(stream: bytes, source: PixelSource) -> Array:
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    plugin, package = _PLUGINS[source.syntax]
    decoder = get_decoder(UID(source.syntax))
    if plugin not in decoder.available_plugins:
        raise MissingExtraError(package, "medical")
    options = {key: value for key, value in source.options.items() if key != "extended_offsets"}
    options["number_of_frames"] = 1
    frame, _ = decoder.as_array(encapsulate([stream]), index=0, decoding_plugin=plugin, **options)
    return frame


def _jpeg(stream: bytes, source: PixelSource) -> Array:
    import imagecodecs

    options = source.options
    colours, lossless = options["samples_per_pixel"] == 3, is_lossless_jpeg(stream)
    ybr = colours and options["photometric_interpretation"] != "RGB"
    space = None
    if colours and lossless:
        space = "RGB"  # as they are: the DICOM header alone says which colours these are (PS3.5 8.2.1)
    elif colours and not names_colours(stream):
        # Nothing in the codestream says which colours these are: the DICOM header does.
        space = "YCBCR" if ybr else "RGB"
    decoded = imagecodecs.jpeg8_decode(stream, colorspace=space, outcolorspace="RGB" if colours else None)
    shape = (options["rows"], options["columns"], *([3] if colours else []))
    frame: Array = np.asarray(decoded).reshape(shape)
    if ybr and lossless:
        from pydicom.pixels.processing import convert_color_space

        if frame.dtype != np.uint8:
            raise NotImplementedError("YBR of more than 8 bits")
        frame = convert_color_space(frame, "YBR_FULL", "RGB")
    if frame.dtype.itemsize * 8 > options["bits_allocated"]:
        raise ValueError("more bits than the header allocates")
    dtype = np.dtype(f"{'i' if options['pixel_representation'] else 'u'}{options['bits_allocated'] // 8}")
    return frame.astype(dtype)
