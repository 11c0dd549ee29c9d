"""A result's container: its streams, their tags, and what FFmpeg must be told so that it rounds and drops nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, BinaryIO

from superres.formats.video import VideoInfo
from superres.formats.video_av import pyav
from superres.formats.video_encode import CODECS, Encoding, configure
from superres.formats.video_streams import Cut, copied_streams, cut_chapters, timecode_tags

__all__ = ["Multiplexer"]

# Of the file that was, not of its content; or counted anew by the multiplexer.
_FILE_TAGS = re.compile(r"major_brand|minor_version|compatible_brands|encoder", re.IGNORECASE)
_VIDEO_TAGS = re.compile(r"(encoder|duration|bps|number_of_(frames|bytes)|_statistics_.*)(-\w+)?", re.IGNORECASE)
# What MP4's own tag list can name; with others beside them all go into its list of free names.
_MP4_TAGS = re.compile(
    "(title|artist|album_artist|composer|album|date|encoder|comment|genre|copyright|grouping|lyrics|description|synopsis|"
    "show|episode_id|network|keywords|season_number|episode_sort|track|disc|media_type|hd_video|gapless_playback|"
    r"compilation|creation_time|location|language|timecode)(-\w+)?",
    re.IGNORECASE,
)
_LARGEST_TIMESCALE = 2**31 - 1


class Multiplexer:
    """A result's container in the making.  A context manager; without :meth:`finish` the file is left unfinished.

    Args:
        file: open for writing, and seekable.
        source: the open input container.
        container: FFmpeg's name.
        info: of the source.
        encoding: of the pictures.
        cut: the part that is made.

    Attributes:
        video: the output stream of the pictures.
        copies: index of a source stream -> its output stream.
    """

    def __init__(
        self, file: BinaryIO, source: Any, container: str, info: VideoInfo, encoding: Encoding, cut: Cut
    ) -> None:
        self._file, self._info, self._encoding, self._cut = file, info, encoding, cut
        self._finished = False
        tags = {key: value for key, value in source.metadata.items() if not _FILE_TAGS.fullmatch(key)}
        streams = copied_streams(source, info)
        options = _container_options(container, tags, [info.time_base, *(s.time_base for s in streams)])
        self._output = pyav().open(
            file, "w", format=container, container_options=options, metadata_errors="surrogateescape"
        )
        self.copies: dict[int, Any] = {}
        for stream in source.streams:
            if stream.index == info.stream:
                self.video = self._add_video(stream)
                for key, value in timecode_tags(source).items():
                    self.video.metadata.setdefault(key, value)
            elif stream in streams:
                self.copies[stream.index] = self._add_copy(stream)
        self._output.metadata.update(tags)
        self._output.set_chapters(cut_chapters(source.chapters(), cut))

    def __enter__(self) -> Multiplexer:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._finished:
            # PyAV would still write the container's end when it lets go of it, unless the file is closed.
            self._file.close()

    def _add_video(self, stream: Any) -> Any:
        video = self._output.add_stream(CODECS[self._encoding.codec].encoder)
        configure(video.codec_context, self._encoding)
        video.time_base = self._info.time_base
        video.disposition = stream.disposition
        video.metadata.update({k: v for k, v in stream.metadata.items() if not _VIDEO_TAGS.fullmatch(k)})
        if self._info.matrix is not None:
            video.set_display_matrix(_scaled_matrix(self._info, self._encoding.size))
        return video

    def _add_copy(self, stream: Any) -> Any:
        # "Opaque" copies what the stream says of itself, also of video, such as a cover picture.
        copy = self._output.add_stream_from_template(stream, opaque=True)
        copy.time_base = stream.time_base
        copy.disposition = stream.disposition
        whole = self._cut == Cut()
        copy.metadata.update({k: v for k, v in stream.metadata.items() if whole or not _VIDEO_TAGS.fullmatch(k)})
        if stream.type == "video" and stream.average_rate:
            copy.codec_context.framerate = stream.average_rate
        return copy

    def timecodes(self) -> list[tuple[Any, str, bool]]:
        """Every ``timecode``: tags that hold it, its key, and whether it is that of the pictures or the whole file.

        Tags can be changed before :meth:`begin`.
        """
        own = [self._output.metadata, self.video.metadata]
        copied = [stream.metadata for stream in self.copies.values()]
        held = [(tags, True) for tags in own] + [(tags, False) for tags in copied]
        return [(tags, key, of_pictures) for tags, of_pictures in held for key in tags if key.lower() == "timecode"]

    def begin(self) -> bytes:
        """Write the container's header; the encoder's own header, as it went in."""
        self._output.start_encoding()
        return self.video.codec_context.extradata or b""

    def write(self, packet: Any) -> None:
        """The next packet, already of one of the output streams."""
        self._output.mux_one(packet)

    def finish(self) -> None:
        """Write the container's end."""
        self._output.close()
        self._finished = True


def _container_options(container: str, tags: Mapping[str, str], time_bases: Sequence[Fraction]) -> dict[str, str]:
    """Times and tags that MP4 and QuickTime would otherwise round and drop."""
    if container not in ("mp4", "mov"):
        return {}
    # When a stream begins is written in units of the movie, by default milliseconds.
    scale = math.lcm(*(base.denominator for base in time_bases))
    options = {"movie_timescale": str(scale)} if scale <= _LARGEST_TIMESCALE else {}
    free = any(not _MP4_TAGS.fullmatch(key) for key in tags)
    return {**options, "movflags": "+use_metadata_tags"} if free else options


def _scaled_matrix(info: VideoInfo, size: tuple[int, int]) -> tuple[int, ...]:
    """The display matrix for the larger picture: only its shift, in pixels, grows."""
    a = list(info.matrix or ())
    a[6] = round(a[6] * size[0] / info.width)
    a[7] = round(a[7] * size[1] / info.height)
    return tuple(a)
