"""Where the frames of a video come from: a file, or a folder of pictures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from superres.errors import InputError
from superres.formats.base import Limits
from superres.formats.video import VideoInfo, probe_video
from superres.formats.video_av import open_video
from superres.formats.video_decode import Wanted, read_frames
from superres.formats.video_faults import Faults
from superres.formats.video_whole import missing_bytes

__all__ = ["FileInput", "VideoInput"]

_SAMPLE_BYTES = 2**20


class VideoInput(Protocol):
    """A source of frames."""

    @property
    def path(self) -> Path:
        """Of the file or folder."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def probe(self, limits: Limits) -> VideoInfo:
        """What the video is.  Raises InputError and its kinds, as :func:`superres.formats.video.probe_video`."""

    def frames(self, info: VideoInfo, wanted: Wanted, faults: Faults, *, deinterlace: bool) -> Iterator[Any]:
        """PyAV frames in order of time; see :func:`superres.formats.video_decode.read_frames`."""

    def container(self) -> AbstractContextManager[Any]:
        """The open container whose other streams, chapters and tags a result takes over."""

    def missing_bytes(self) -> int:
        """How many bytes lack at the end; 0 when none, or unknown."""

    def identity(self) -> dict[str, Any]:
        """What tells whether it is the same as before, as JSON takes it.  Raises InputError when it cannot be read."""


@dataclass(frozen=True)
class FileInput:
    """A video file; see :class:`VideoInput`.

    Attributes:
        path: of the file.
        name: what messages call it.
    """

    path: Path
    name: str

    def probe(self, limits: Limits) -> VideoInfo:
        """See :func:`superres.formats.video.probe_video`."""
        return probe_video(self.path, self.name, limits)

    def frames(self, info: VideoInfo, wanted: Wanted, faults: Faults, *, deinterlace: bool) -> Iterator[Any]:
        """See :func:`superres.formats.video_decode.read_frames`."""
        return read_frames(self.path, self.name, info, wanted, faults, deinterlace=deinterlace)

    def container(self) -> AbstractContextManager[Any]:
        """See :func:`superres.formats.video_av.open_video`."""
        return open_video(self.path, self.name)

    def missing_bytes(self) -> int:
        """See :func:`superres.formats.video_whole.missing_bytes`."""
        return missing_bytes(self.path)

    def identity(self) -> dict[str, Any]:
        """Its size, time of change, beginning and end."""
        try:
            status = self.path.stat()
            with self.path.open("rb") as file:
                digest = hashlib.sha256(file.read(_SAMPLE_BYTES))
                file.seek(max(0, status.st_size - _SAMPLE_BYTES), os.SEEK_SET)
                digest.update(file.read(_SAMPLE_BYTES))
        except OSError as exc:
            raise InputError(f"{self.path}: cannot be read ({exc.strerror})") from exc
        return {"bytes": status.st_size, "changed": status.st_mtime_ns, "sha256_of_ends": digest.hexdigest()}
