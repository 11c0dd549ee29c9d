"""Video encoders: which one, set up how, and one group of pictures at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from superres.errors import OptionError, near_match
from superres.formats.video import VideoInfo
from superres.formats.video_av import pyav

__all__ = ["CODECS", "Codec", "Encoding", "Packet", "choose_encoding", "configure", "encode_group"]

_X_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
# More gain nothing at these sizes, and encoders refuse some hundreds.
_MOST_THREADS = 16
# Encoders that drop the captions inside the pictures.
_CAPTIONLESS = ("av1", "vp9")


@dataclass(frozen=True)
class Codec:
    """An encoder and the choices that it takes.

    Attributes:
        encoder: FFmpeg's name.
        presets: from one end of its list to the other.
        preset: the default.
        quality: (least, largest) of its constant rate factor; less is better and larger.
        default_quality: chosen high, because a result is meant to be looked at closely.
        containers: that hold it, by FFmpeg's names; its own answer for QuickTime is wrong.
        least: shortest side in pixels: below it x265 4.1 writes beyond its memory and SVT-AV1 4.1 crashes.
    """

    encoder: str
    presets: tuple[str, ...]
    preset: str
    quality: tuple[int, int]
    default_quality: int
    containers: tuple[str, ...]
    least: int


_APPLE, _OPEN = ("matroska", "mp4", "mov"), ("matroska", "mp4", "webm")

CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        "h264": Codec("libx264", _X_PRESETS, "medium", (0, 51), 18, _APPLE, 2),
        "hevc": Codec("libx265", _X_PRESETS, "fast", (0, 51), 20, _APPLE, 64),
        "av1": Codec("libsvtav1", tuple(map(str, range(14))), "8", (1, 63), 27, _OPEN, 64),
        "vp9": Codec("libvpx-vp9", tuple(map(str, range(9))), "4", (0, 63), 27, _OPEN, 2),
    }
)


@dataclass(frozen=True)
class Encoding:
    """An encoder set up for one result.  Equal settings give equal bytes.

    Attributes:
        codec: a key of :data:`CODECS`.
        info: of the source.
        size: (width, height) of the result.
        options: of the encoder, by FFmpeg's names.
        threads: that the encoder uses; x264's and x265's decisions depend on it, so it is fixed for a result.
        tag: four letters for MP4 and QuickTime, empty for the usual ones.
    """

    codec: str
    info: VideoInfo
    size: tuple[int, int]
    options: Mapping[str, str]
    threads: int
    tag: str = ""


@dataclass(frozen=True)
class Packet:
    """One encoded picture.

    Attributes:
        data: its bytes.
        pts: time of presentation, in units of the source's time base.
        key: whether decoding can begin here.
    """

    data: bytes = field(repr=False)
    pts: int
    key: bool


def choose_encoding(
    info: VideoInfo,
    size: tuple[int, int],
    container: str,
    group: int,
    *,
    codec: str = "",
    preset: str = "",
    quality: int | None = None,
    threads: int = 0,
) -> Encoding:
    """Decide the encoder and its settings.

    Args:
        info: of the source.
        size: (width, height) of the result.
        container: ``mp4``, ``mov``, ``matroska`` or ``webm``.
        group: pictures per group at most; each group begins with a key frame and needs no other one.
        codec: a key of :data:`CODECS`; by default H.264 for 8 bits and HEVC for more, in WebM VP9 and AV1.
        preset: of the encoder's own list.
        quality: constant rate factor of the encoder; less is better.
        threads: cores, 0 for all.

    Raises:
        OptionError: an unknown codec or preset, a quality out of range, or a codec that cannot hold the source's pixels
            or captions.
    """
    deep = info.pixels.bits > 8
    codec = codec or (("av1" if deep else "vp9") if container == "webm" else ("hevc" if deep else "h264"))
    if codec not in CODECS:
        raise OptionError(f"codec {codec!r} is unknown: expected one of {', '.join(CODECS)}{near_match(codec, CODECS)}")
    entry = CODECS[codec]
    preset = preset or entry.preset
    if preset not in entry.presets:
        listed = ", ".join(entry.presets)
        raise OptionError(f"preset {preset!r} is none of {codec}'s: expected one of {listed}")
    factor = entry.default_quality if quality is None else quality
    if not entry.quality[0] <= factor <= entry.quality[1]:
        least, largest = entry.quality
        raise OptionError(f"quality {factor}: {codec} takes {least} to {largest} (its CRF: less is better)")
    if min(size) < entry.least:
        small = "vp9" if container == "webm" else "h264"
        raise OptionError(
            f"codec {codec}: {size[0]} x {size[1]} is too small, its encoder takes {entry.least} x {entry.least} and "
            f"more: use --codec {small}"
        )
    if not _takes(codec, info):
        raise OptionError(
            f"codec {codec} cannot hold this video's {info.pixels.name} pixels: {_other_codec(info, size, container)}"
        )
    if info.captions and codec in _CAPTIONLESS:
        raise OptionError(f"codec {codec} would lose the captions inside the pictures: use --codec h264 or hevc")
    cores = min(threads or os.cpu_count() or 1, _MOST_THREADS)
    options = {
        "flags": "+global_header+cgop",  # headers apart, as containers want them; groups that stand alone
        "g": str(group),
        "field_order": "progressive",
        "chroma_sample_location": info.siting,
        **_own_options(codec, preset, factor, info, cores),
    }
    tag = "hvc1" if codec == "hevc" and container in ("mp4", "mov") else ""  # without it Apple's players refuse
    return Encoding(codec, info, size, MappingProxyType(options), cores, tag)


def _takes(codec: str, info: VideoInfo) -> bool:
    """Whether a codec's encoder takes a video's pixels."""
    return info.pixels.name in [found.name for found in pyav().Codec(CODECS[codec].encoder, "w").video_formats]


def _other_codec(info: VideoInfo, size: tuple[int, int], container: str) -> str:
    """The remedy where a codec cannot hold the pixels."""
    lossy = _CAPTIONLESS if info.captions else ()
    fitting = [c for c in CODECS if _takes(c, info) and min(size) >= CODECS[c].least and c not in lossy]
    here = [codec for codec in fitting if container in CODECS[codec].containers]
    if here:
        return f"use --codec {_any_of(here)}"
    if fitting:
        return f"use --codec {_any_of(fitting)}, in an .mkv file"
    return (
        "no codec here fits; convert it first, for example with  "
        "ffmpeg -i IN -pix_fmt yuv444p10 -c:v ffv1 -c:a copy OUT.mkv"
    )


def _any_of(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _own_options(codec: str, preset: str, quality: int, info: VideoInfo, threads: int) -> dict[str, str]:
    """What each encoder calls its preset, its quality, and HDR10 metadata."""
    mastering, light = info.mastering, info.light
    levels = f"{light[0]},{light[1]}" if light else ""
    if codec == "vp9":
        return {"crf": str(quality), "cpu-used": preset, "deadline": "good", "row-mt": "1"}
    if codec == "av1":
        extra = [f"lp={threads}"]
        extra += [f"mastering-display={mastering.decimals()}"] if mastering else []
        extra += [f"content-light={levels}"] if levels else []
        return {"crf": str(quality), "preset": preset, "svtav1-params": ":".join(extra)}
    if codec == "hevc":
        extra = ["log-level=error", "open-gop=0", f"pools={threads}"]
        extra += [f"master-display={mastering.integers()}"] if mastering else []
        extra += [f"max-cll={levels}"] if levels else []
        return {"crf": str(quality), "preset": preset, "a53cc": "1", "x265-params": ":".join(extra)}
    extra = [f"mastering-display={mastering.integers()}"] if mastering else []
    extra += [f"cll={levels}"] if levels else []
    joined = {"x264-params": ":".join(extra)} if extra else {}
    return {"crf": str(quality), "preset": preset, **joined}


def configure(context: Any, encoding: Encoding) -> None:
    """Set a PyAV encoder context up: sizes, time base, aspect, every colour tag, options."""
    # SVT-AV1 writes to standard error by itself; this asks it for errors alone, unless the user has chosen.
    os.environ.setdefault("SVT_LOG", "1")
    info = encoding.info
    context.width, context.height = encoding.size
    context.pix_fmt = info.pixels.name
    context.time_base = info.time_base
    context.framerate = info.rate
    context.bit_rate = 0  # quality is constant, not size
    if info.aspect is not None:
        context.sample_aspect_ratio = info.aspect
    colours = info.colours
    context.color_range, context.colorspace = colours.range_code, colours.matrix
    context.color_primaries, context.color_trc = colours.primaries, colours.transfer
    context.thread_count = encoding.threads
    context.options = dict(encoding.options)
    if encoding.tag:
        context.codec_tag = encoding.tag


def encode_group(encoding: Encoding, frames: Iterable[Any]) -> Iterator[tuple[bytes, Packet]]:
    """Encode frames with a fresh encoder, so that nothing before or after them matters.

    Yields:
        The encoder's header and a packet, in decoding order.
    """
    context = pyav().CodecContext.create(CODECS[encoding.codec].encoder, "w")
    configure(context, encoding)
    for frame in frames:
        yield from _packets(context, frame)
    yield from _packets(context, None)


def _packets(context: Any, frame: Any) -> Iterator[tuple[bytes, Packet]]:
    for packet in context.encode(frame):
        yield context.extradata or b"", Packet(bytes(packet), packet.pts, packet.is_keyframe)
