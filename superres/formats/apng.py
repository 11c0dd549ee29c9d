"""Animated PNG, which libvips does not know: its chunks are taken apart into plain PNGs and put together again."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from superres.errors import CorruptInputError
from superres.formats.containers import png_chunks

__all__ = ["SIGNATURE", "ApngFrame", "ApngHeader", "chunk", "frame_control", "parse", "picture_data", "standalone"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

# What belongs to the decoding of every frame: palette, transparency, sample depth.
_SHARED = (b"PLTE", b"tRNS", b"sBIT")


@dataclass(frozen=True)
class ApngFrame:
    """One frame as stored: a rectangle, how long it stays, and how it meets its neighbours.

    Attributes:
        x, y, width, height: where it lies on the canvas.
        duration: in milliseconds.
        dispose: what happens to its rectangle afterwards: 0 stays, 1 is cleared, 2 is put back as it was before.
        blend: 0 replaces what is there, 1 is laid over it.
        data: offset and length of its pieces of compressed pixels in the file.
    """

    x: int
    y: int
    width: int
    height: int
    duration: int
    dispose: int
    blend: int
    data: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ApngHeader:
    """The canvas and the frames of an animated PNG.

    Attributes:
        width, height: of the canvas.
        loop: how often it runs, 0 for ever.
        frames: in order.
        header: data of the IHDR chunk.
        shared: complete chunks that every frame needs.
    """

    width: int
    height: int
    loop: int
    frames: tuple[ApngFrame, ...]
    header: bytes
    shared: bytes


def parse(file: BinaryIO, name: str) -> ApngHeader:
    """Read the structure of an animated PNG, but no pixels.

    Raises:
        CorruptInputError: chunks are missing, out of order, or a frame leaves the canvas.
    """
    header, shared, loop, declared = b"", b"", 0, 0
    controls: list[bytes] = []
    pieces: list[list[tuple[int, int]]] = []
    for kind, at, length in png_chunks(file):
        if kind == b"IDAT":
            # Pixels before the first frame control are a picture for readers that know no animation.
            if controls:
                pieces[-1].append((at, length))
        elif kind == b"fdAT":
            if not controls or length < 4:
                raise CorruptInputError(f"{name}: has animation data without a frame; get the file again")
            pieces[-1].append((at + 4, length - 4))
        elif kind in (b"IHDR", b"acTL", b"fcTL") or kind in _SHARED:
            file.seek(at)
            data = file.read(length)
            if kind == b"IHDR":
                header = data
            elif kind == b"acTL" and length == 8:
                declared, loop = struct.unpack(">II", data)
            elif kind == b"fcTL":
                controls.append(data)
                pieces.append([])
            else:
                shared += chunk(kind, data)
    if len(header) != 13 or len(controls) != declared or not controls or not all(pieces):
        raise CorruptInputError(f"{name}: has {len(controls)} of {declared} animation frames; get the file again")
    width, height = struct.unpack(">II", header[:8])
    frames = [_frame(control, parts, width, height, name) for control, parts in zip(controls, pieces, strict=True)]
    if frames[0].dispose == 2:
        # The specification: before the first frame there is nothing to put back, so its area is cleared.
        frames[0] = replace(frames[0], dispose=1)
    return ApngHeader(width, height, loop, tuple(frames), header, shared)


def _frame(control: bytes, parts: list[tuple[int, int]], width: int, height: int, name: str) -> ApngFrame:
    if len(control) != 26:
        raise CorruptInputError(f"{name}: has a damaged animation frame; get the file again")
    _, w, h, x, y, numerator, denominator, dispose, blend = struct.unpack(">IIIIIHHBB", control)
    if not (w and h and x + w <= width and y + h <= height and dispose <= 2 and blend <= 1):
        raise CorruptInputError(f"{name}: has an animation frame of {w} x {h} at {x}, {y} outside {width} x {height}")
    # A denominator of 0 means hundredths of a second.
    return ApngFrame(x, y, w, h, round(1000 * numerator / (denominator or 100)), dispose, blend, tuple(parts))


def standalone(file: BinaryIO, header: ApngHeader, frame: ApngFrame) -> bytes:
    """One frame as a plain PNG file."""
    parts = [SIGNATURE, chunk(b"IHDR", struct.pack(">II", frame.width, frame.height) + header.header[8:])]
    parts.append(header.shared)
    for at, length in frame.data:
        file.seek(at)
        parts.append(chunk(b"IDAT", file.read(length)))
    parts.append(chunk(b"IEND", b""))
    return b"".join(parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A complete PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def frame_control(sequence: int, width: int, height: int, duration: int) -> bytes:
    """The chunk that announces a full frame, which replaces the one before.

    Args:
        sequence: running number over all animation chunks.
        width, height: of the canvas.
        duration: in milliseconds; from 65,536 on kept to hundredths of a second.
    """
    timing = (duration, 1000) if duration < 65_536 else (min(65_535, round(duration / 10)), 100)
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, *timing, 0, 0))


def picture_data(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, data) of every chunk of a PNG file in memory."""
    for kind, at, length in png_chunks(io.BytesIO(png)):
        yield kind, png[at : at + length]
