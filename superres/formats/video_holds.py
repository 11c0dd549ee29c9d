"""Whether a container can hold a result: asked before any work, so that nothing is dropped silently."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

from superres.errors import OptionError, OutputError
from superres.formats.video import VideoInfo
from superres.formats.video_av import encoding as encoding_errors
from superres.formats.video_av import pyav
from superres.formats.video_encode import CODECS, Encoding
from superres.formats.video_mux import Multiplexer
from superres.formats.video_streams import CONTAINERS, COVER, Cut, container_of, copied_streams

__all__ = ["check_container"]


def check_container(source: Any, target: Path, info: VideoInfo, encoding: Encoding, name: str) -> None:
    """Refuse, before any work, a container that cannot hold the result: nothing is dropped silently.

    Args:
        source: the open input container.
        target: the result's file.
        info: of the source.
        encoding: of the result's pictures.
        name: what messages call the source.

    Raises:
        OptionError: it cannot; the message names the stream and the remedy.
    """
    container = container_of(target)
    if container not in CODECS[encoding.codec].containers:
        fitting = [key for key, codec in CODECS.items() if container in codec.containers]
        raise OptionError(
            f"{target}: cannot hold {encoding.codec}: use --codec {' or '.join(fitting)}, or an .mkv file"
        )
    if container in ("matroska", "webm") and info.aspect not in (None, 1) and encoding.codec in ("vp9", "av1"):
        # PyAV cannot set the container's aspect ratio, and these codecs have none of their own.
        raise OptionError(
            f"{target}: would lose the pixels' aspect ratio {info.aspect} with {encoding.codec}: use --codec h264 or "
            "hevc, or an .mp4 file"
        )
    streams = copied_streams(source, info)
    for stream in streams:
        if not _holds(container, stream, source):
            fitting = [s for s, c in CONTAINERS.items() if s != ".m4v" and all(_holds(c, t, source) for t in streams)]
            remedy = (
                f"use -o with {' or '.join(fitting)}"
                if fitting
                else f"take it out first:  ffmpeg -i IN -map 0 -map -0:{stream.index} -c copy OUT"
            )
            raise OptionError(f"{target}: cannot hold stream {stream.index} of {name} ({_described(stream)}): {remedy}")
    try:
        with encoding_errors(str(target)), Multiplexer(io.BytesIO(), source, container, info, encoding, Cut()) as trial:
            trial.begin()
    except OutputError as exc:
        other = ".mp4" if container == "matroska" else ".mkv"
        raise OptionError(
            f"{target}: its container refuses the streams of {name}: use -o with {other} ({exc})"
        ) from exc


def _holds(container: str, stream: Any, source: Any) -> bool:
    if stream.type == "attachment":
        return container == "matroska"
    if stream.type == "data":
        # Of cameras and the like; they know no other home.
        return container in ("mp4", "mov") and "mov" in source.format.name
    if stream.codec_context is None:
        return False
    if container in ("mp4", "mov") and int(stream.disposition) & COVER:
        return stream.codec_context.codec.canonical_name in ("mjpeg", "png", "bmp")
    return stream.codec_context.codec.name in _supported(container)


@functools.cache
def _supported(container: str) -> frozenset[str]:
    """Names of all codecs that a container holds."""
    with pyav().open(io.BytesIO(), "w", format=container) as output:
        return frozenset(output.supported_codecs)


def _described(stream: Any) -> str:
    name = getattr(stream, "name", None) or (stream.codec_context.codec.name if stream.codec_context else None)
    return f"{stream.type}, {name or 'unknown'}"
