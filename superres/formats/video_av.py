"""PyAV, imported when first used, with FFmpeg's errors translated into ours."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from superres.errors import CorruptInputError, InputError, MissingExtraError, OutputError, UnsupportedFormatError
from superres.formats.sniff import refuse_video

__all__ = ["demuxer_of", "encoding", "open_video", "pyav", "seconds_text"]

# Of a file object that Python reads; FFmpeg asks for this much at a time.
_BUFFER_BYTES = 2**18
# Two packets of a transport stream, and the time before the first one where a camcorder states it.
_HEAD = 197


def pyav() -> Any:
    """The ``av`` module.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ImportError as exc:
        raise MissingExtraError("av", "video") from exc
    return av


def demuxer_of(head: bytes, name: str) -> str:
    """FFmpeg's name of the one container format that reads a file with these first bytes.

    An allow-list by content: playlists and scripts, which make FFmpeg open other files and addresses, are not on it.

    Raises:
        UnsupportedFormatError: it is none of MP4/QuickTime, Matroska/WebM and MPEG transport stream.

    >>> demuxer_of(bytes.fromhex("1a45dfa3"), "clip"), demuxer_of(b"\\0\\0\\0 ftypisom", "clip")
    ('matroska', 'mov')
    """
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "mov"
    # Camcorders (AVCHD, .mts) put a time of four bytes before every packet of 188.
    if head[:189:188] == b"GG" or head[4:197:192] == b"GG":
        return "mpegts"
    refuse_video(head, name)
    raise UnsupportedFormatError(f"{name}: is no video that is read; expected MP4, MOV, MKV, WebM or MPEG-TS")


@contextlib.contextmanager
def open_video(source: Path, name: str) -> Iterator[Any]:
    """Open a file's container for reading, through one open file: FFmpeg gets no name and can open nothing else.

    Raises:
        InputError: there is no such file, or it cannot be read.
        UnsupportedFormatError: as :func:`demuxer_of`.
        CorruptInputError: the container's header is damaged or absent.
    """
    av = pyav()
    try:
        file = source.open("rb")
    except OSError as exc:
        raise InputError(f"{name}: cannot be read ({exc.strerror})") from exc
    with file:
        demuxer = demuxer_of(file.read(_HEAD), name)
        file.seek(0)
        try:
            # Names and titles in odd encodings travel through unchanged as surrogates.
            container = av.open(
                _Nameless(file),
                "r",
                format=demuxer,
                io_open=_refuse,
                buffer_size=_BUFFER_BYTES,
                metadata_errors="surrogateescape",
            )
        except (av.FFmpegError, ValueError) as exc:
            raise CorruptInputError(f"{name}: is damaged or cut short ({_reason(exc)}); get the file again") from exc
        try:
            yield container
        finally:
            container.close()


class _Nameless:
    """A file without its name."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    """FFmpeg asks to open something else; ``url`` says what."""
    raise PermissionError(errno.EACCES, "a video may not open other files", url)


@contextlib.contextmanager
def encoding(target: str) -> Iterator[None]:
    """Turn errors of encoders, multiplexers and the disk into OutputError; messages call the file ``target``."""
    av = pyav()
    try:
        yield
    except (av.FFmpegError, OSError, ValueError) as exc:
        if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"{target}: the disk is full; free some space and run the same command again") from exc
        raise OutputError(f"{target}: cannot be written ({_reason(exc)})") from exc


def _reason(exc: Exception) -> str:
    """What FFmpeg says, without its numbers and without a file's name."""
    text = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return text.splitlines()[0].strip() if text.strip() else type(exc).__name__


def seconds_text(seconds: float) -> str:
    """A time for people.

    >>> seconds_text(3725.04)
    '1:02:05.040'
    """
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
