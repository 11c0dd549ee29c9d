"""What is made of the enlarged frames of a video: a file, or a picture of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from superres.errors import OutputError
from superres.formats.placement import FilePlacement
from superres.formats.video import VideoInfo
from superres.formats.video_av import encoding as encoding_errors
from superres.formats.video_encode import CODECS, Encoding, Packet, choose_encoding, encode_group
from superres.formats.video_faults import Faults
from superres.formats.video_holds import check_container
from superres.formats.video_input import VideoInput
from superres.formats.video_join import join_groups
from superres.formats.video_store import WorkFolder
from superres.formats.video_streams import Cut, container_of
from superres.pipeline import Options

__all__ = ["FileResult", "VideoResult", "file_result"]


class VideoResult(Protocol):
    """A result in the making.  Its parts are groups of pictures in a working folder."""

    def description(self) -> Mapping[str, Any]:
        """Everything that its groups depend on beside the frames, as JSON takes it."""

    def packets(self, frames: Iterable[Any], first: int, scratch: Path) -> Iterator[tuple[bytes, Packet]]:
        """Take the frames of a group in; a header and a packet for each, in decoding order.

        Args:
            frames: enlarged PyAV frames.
            first: number of the first one, counted from 1.
            scratch: a file that may be written meanwhile.

        Raises:
            OutputError: the disk is full, or an encoder failed.
        """

    def finish(self, source: VideoInput, work: WorkFolder, faults: Faults) -> None:
        """Put the result in its place, of all groups.  Raises OutputError; then the groups stay."""


@dataclass(frozen=True)
class FileResult:
    """A video file with the enlarged pictures, and everything else that the source has.

    Attributes:
        target: the file.
        info: of the source.
        encoding: of the pictures.
        cut: the part of the source.
        overwrite: whether the file may be replaced.
    """

    target: Path
    info: VideoInfo
    encoding: Encoding
    cut: Cut
    overwrite: bool

    def description(self) -> Mapping[str, Any]:
        """See :class:`VideoResult`."""
        encoding = self.encoding
        return {
            "size": encoding.size,
            "encoder": CODECS[encoding.codec].encoder,
            "encoder_options": dict(encoding.options),
            "encoder_threads": encoding.threads,
        }

    def packets(self, frames: Iterable[Any], first: int, scratch: Path) -> Iterator[tuple[bytes, Packet]]:
        """See :class:`VideoResult`; each group has an encoder of its own."""
        with encoding_errors(str(self.target)):
            yield from encode_group(self.encoding, frames)

    def finish(self, source: VideoInput, work: WorkFolder, faults: Faults) -> None:
        """Join the groups, and rename the file over the target; a link is followed, not replaced."""
        scratch = work.scratch()
        join_groups(source, self.target, scratch, work.groups, self.info, self.encoding, self.cut, faults)
        real = Path(os.path.realpath(self.target))
        if not self.overwrite and os.path.lexists(real):
            raise OutputError(f"{self.target}: has appeared meanwhile; replace it with --overwrite")
        try:
            scratch.replace(real)
        except OSError as exc:
            raise OutputError(
                f"{self.target}: cannot be written ({exc.strerror}); its parts stay for the next run"
            ) from exc


def file_result(
    source: VideoInput, target: Path, info: VideoInfo, size: tuple[int, int], cut: Cut, group: int, options: Options
) -> FileResult:
    """Decide how a file is made, and refuse what cannot be.

    Args:
        source: of the video.
        target: the file; its suffix names the container.
        info: of the source.
        size: (width, height) of the result.
        cut: the part of the source.
        group: pictures per group at most.
        options: of the run.

    Raises:
        OptionError: a container, codec or setting that does not fit.
        OutputError: the target cannot be written.
    """
    FilePlacement(target, overwrite=options.overwrite, source=source.path).discard()  # refuses what it must
    video = options.video
    encoding = choose_encoding(
        info,
        size,
        container_of(target),
        group,
        codec=video.codec,
        preset=video.preset,
        quality=options.quality,
        threads=options.threads,
    )
    with source.container() as opened:
        check_container(opened, target, info, encoding, source.name)
    return FileResult(target, info, encoding, cut, options.overwrite)
