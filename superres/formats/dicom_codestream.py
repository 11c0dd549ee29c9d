"""What a compressed picture says of itself before it is decoded: size, process, whether its colours have a name."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["codestream_size", "is_lossless_jpeg", "names_colours"]

# Start of codestream, and the marker of the segment that holds the size.
_JPEG_2000_START = b"\xff\x4f\xff\x51"


def names_colours(stream: bytes) -> bool:
    """Whether a JPEG has a JFIF or Adobe segment, by which decoders know its colours."""
    return any(
        (marker == 0xE0 and stream[at : at + 4] == b"JFIF") or (marker == 0xEE and stream[at : at + 5] == b"Adobe")
        for marker, at in _segments(stream)
    )


def is_lossless_jpeg(stream: bytes) -> bool:
    """Whether it is a JPEG of process 14, which knows nothing of colours: it holds its samples as they were."""
    return any(marker == 0xC3 for marker, _ in _segments(stream))


def codestream_size(stream: bytes) -> tuple[int, int] | None:
    """(width, height) that a JPEG, JPEG-LS or JPEG 2000 codestream declares; None for anything else."""
    start = 0
    if stream.startswith(b"\0\0\0\x0cjP  "):  # against the standard, but met: the boxes of a JP2 file around it
        start = max(0, stream.find(_JPEG_2000_START))
    if stream.startswith(_JPEG_2000_START, start) and len(stream) >= start + 24:
        right, bottom, left, top = (
            int.from_bytes(stream[at : at + 4], "big") for at in range(start + 8, start + 24, 4)
        )
        return right - left, bottom - top
    for marker, at in _segments(stream):
        # Start of frame, JPEG-LS's too; 0xC4, 0xC8 and 0xCC are tables.
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return int.from_bytes(stream[at + 3 : at + 5], "big"), int.from_bytes(stream[at + 1 : at + 3], "big")
    return None


def _segments(stream: bytes) -> Iterator[tuple[int, int]]:
    """(marker, where its contents begin) of the segments of a JPEG, up to its first scan."""
    if not stream.startswith(b"\xff\xd8"):
        return
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF and stream[at + 1] != 0xDA:
        if stream[at + 1] == 0xFF:  # fill bytes may come before a marker
            at += 1
            continue
        yield stream[at + 1], at + 4
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
