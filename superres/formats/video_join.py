"""The result's file: enlarged pictures between the packets of all other streams, which are copied."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from superres.errors import OutputError
from superres.formats.video import VideoInfo
from superres.formats.video_av import encoding as encoding_errors
from superres.formats.video_av import pyav
from superres.formats.video_encode import Encoding
from superres.formats.video_faults import ANEW, ONE_CLOCK, Faults
from superres.formats.video_input import VideoInput
from superres.formats.video_mux import Multiplexer
from superres.formats.video_store import Group
from superres.formats.video_streams import COVER, Cut, container_of, lost_timecodes, moved_timecode

__all__ = ["decoding_times", "join_groups", "shown_durations"]


def join_groups(
    source: VideoInput,
    target: Path,
    scratch: Path,
    groups: Sequence[Group],
    info: VideoInfo,
    encoding: Encoding,
    cut: Cut,
    faults: Faults,
) -> None:
    """Write ``scratch``: the groups' packets, and those of all other streams of the source, in order of time.

    Args:
        source: what streams are copied from.
        target: names the container, and the file in messages.
        scratch: the file that is written, complete and flushed to the disk at the end.
        groups: the pictures.
        info, encoding: of the source, of the pictures.
        cut: the part of the source.
        faults: what cannot be read of the other streams goes there.

    Raises:
        OutputError: the disk is full, or the container refuses something.
    """
    try:
        with (
            source.container() as container,
            encoding_errors(str(target)),
            scratch.open("wb") as file,
            Multiplexer(file, container, container_of(target), info, encoding, cut) as result,
        ):
            for timecode in lost_timecodes(container):
                faults.add(f"the timecode {timecode} was left out: a video has one, and this is a further one")
            if cut.start is not None:
                _move_timecodes(container, result, groups, info, faults)
            header = result.begin()
            if any(group.header != header for group in groups):
                raise OutputError(
                    f"{target}: the encoder has changed since its first part was made: remove {scratch.parent} and run "
                    "the same command again"
                )
            lasting = shown_durations(groups, info, cut, whole=not source.missing_bytes())
            pictures = _pictures(groups, info, result.video, cut, lasting)
            picture = next(pictures, None)
            end = None if source.missing_bytes() else _end_of_sound(container)
            part = _Part(cut, faults, strict=container_of(target) in ("mp4", "mov"))
            for packet in _copies(container, result, part, end, faults):
                time = (packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base
                while picture is not None and picture.dts * info.time_base <= time:
                    result.write(picture)
                    picture = next(pictures, None)
                result.write(packet)
            while picture is not None:
                result.write(picture)
                picture = next(pictures, None)
            result.finish()
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        scratch.unlink(missing_ok=True)  # where the disk is full it would only be in the way
        raise


def decoding_times(groups: Sequence[Group], first_step: int) -> list[int]:
    """When each picture must be decoded, in decoding order, over all groups: strictly increasing.

    Encoders began anew with each group; their own times would overlap where groups meet.  The times of presentation,
    sorted and delayed by the depth of the deepest reordering, fit them all.

    Args:
        groups: each with times later than those of the one before.
        first_step: units between the times before the first picture's.
    """
    depth, shown = 0, []
    for group in groups:
        order = sorted(group.pts)
        rank = {pts: position for position, pts in enumerate(order)}
        depth = max(depth, max(i - rank[pts] for i, pts in enumerate(group.pts)))
        shown += order
    ahead = [shown[0] - (depth - i) * first_step for i in range(depth)] if shown else []
    return (ahead + shown)[: len(shown)]


def shown_durations(groups: Sequence[Group], info: VideoInfo, cut: Cut, *, whole: bool) -> dict[int, int]:
    """Time of each picture -> how long it stays: until the next one, the last until the stream ends.

    Decoders state durations in the order of decoding, so that of a variable rate the last one may not be the last
    picture's own.  It counts where the container's end does not: in a part, and in a file that is not ``whole``.

    Args:
        groups: at least one.
        info: of the source, whose time base everything is in.
        cut: the part of the source.
        whole: whether the source is as long as it says.
    """
    shown = [pts for group in groups for pts in sorted(group.pts)]
    lasting = [b - a for a, b in itertools.pairwise(shown)]
    last = groups[-1].last_duration or (lasting[-1] if lasting else 1)
    if cut.stop is not None:
        last = max(1, min(last, cut.units(cut.stop, info.time_base) - shown[-1]))
    elif whole and info.end is not None and info.end >= shown[-1]:
        # Of a variable rate it may end with the last picture's time: then that one is hardly shown there either.
        last = max(1, info.end - shown[-1])
    return dict(zip(shown, [*lasting, last], strict=True))


def _pictures(
    groups: Sequence[Group], info: VideoInfo, stream: Any, cut: Cut, lasting: Mapping[int, int]
) -> Iterator[Any]:
    """Packets of the pictures, with their times."""
    shift = 0 if cut.start is None else cut.units(cut.start, info.time_base)
    times = iter(decoding_times(groups, next(iter(lasting.values()))))
    for group in groups:
        for packet in group.packets():
            made = pyav().Packet(packet.data)
            made.time_base = info.time_base
            made.pts, made.dts = packet.pts - shift, next(times) - shift
            made.duration = lasting[packet.pts]
            made.is_keyframe = packet.key
            made.stream = stream
            yield made


def _end_of_sound(container: Any) -> Fraction | None:
    """When a Matroska file ends, in seconds: its packets tell no duration of their own, and the last may be short."""
    if "matroska" not in container.format.name or container.duration is None:
        return None
    return Fraction(container.duration, 1_000_000)


def _move_timecodes(
    container: Any, result: Multiplexer, groups: Sequence[Group], info: VideoInfo, faults: Faults
) -> None:
    """Let the timecode of a part begin with its first picture."""
    for tags, key, of_pictures in result.timecodes():
        old, new = tags.pop(key), None
        stream = container.streams[info.stream]
        before = _pictures_before(stream, min(groups[0].pts), info) if of_pictures else None
        if before is not None:
            new = moved_timecode(old, before, stream.base_rate)
        if new is None:
            faults.add(f"the timecode, {old} where the file begins, was left out: that of the part cannot be told")
        else:
            tags[key] = new


def _pictures_before(stream: Any, pts: int, info: VideoInfo) -> int | None:
    """How many pictures a stream has before the one at ``pts``; None where only counting them would tell."""
    rate, average, begin = stream.base_rate, stream.average_rate, stream.start_time
    # Of a constant rate the time tells.  The last picture's duration, which counts in the average, may be anything, but
    # one that lacks on the way is seen.
    if not rate or not average or begin is None or abs(average / rate - 1) * max(info.frames, 1) >= Fraction(1, 2):
        return None
    before = (pts - begin) * info.time_base * rate
    # Containers round times, to a unit at most.
    return round(before) if abs(before - round(before)) <= rate * info.time_base else None


def _copies(container: Any, result: Multiplexer, part: _Part, end: Fraction | None, faults: Faults) -> Iterator[Any]:
    """Packets of all other streams, untouched but for the shift of a part to 0, and for sound that outlasts ``end``."""
    if not result.copies:
        return
    av = pyav()
    packets = container.demux([container.streams[index] for index in result.copies])
    begins: dict[int, int] = {}
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as exc:
            faults.add(f"sound and subtitles cannot be read to their end ({exc.strerror or type(exc).__name__})")
            return
        if packet is None:
            return
        if packet.size == 0 and packet.pts is None:
            continue  # only says that a stream is over
        index = packet.stream.index
        if end is not None and packet.stream.type == "audio" and packet.pts is not None and packet.duration:
            # What the decoder takes to start lies before 0 here, and counts there.
            begin = begins.setdefault(index, min(0, packet.pts))
            left = part.cut.units(end, packet.time_base) + begin - packet.pts
            if left > 0:
                packet.duration = min(packet.duration, left)
        copy = result.copies[index]
        if part.takes(packet) and part.follows(packet, copy.time_base):
            packet.stream = copy
            yield packet


class _Part:
    """Which packets of the other streams a result gets.

    Args:
        cut: the part of the source.
        faults: what is left out goes there.
        strict: whether the container wants times of decoding that rise, not only such that do not fall.
    """

    def __init__(self, cut: Cut, faults: Faults, *, strict: bool) -> None:
        self.cut, self._faults, self._strict = cut, faults, strict
        self._begun: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._anew: set[int] = set()
        self._ended: set[int] = set()

    def takes(self, packet: Any) -> bool:
        """Whether a packet lies in the part; if so its times are moved onto the part's clock."""
        cut = self.cut
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or cut == Cut() or int(packet.stream.disposition) & COVER:
            return True
        order = packet.dts if packet.dts is not None else time
        base, kind = packet.time_base, packet.stream.type
        # Of a video that is copied, pictures are kept as long as others may refer to them.
        if cut.stop is not None and (order if kind == "video" else time) >= cut.units(cut.stop, base):
            self._ended.add(packet.stream.index)
            return False
        if cut.start is None:
            return True
        start, length = cut.units(cut.start, base), packet.duration or 0
        if time < start and time + length <= start:
            return False
        if kind == "video" and not self._can_be_shown(packet, time, start):
            return False
        late = start - time if kind == "subtitle" else 0
        if late > 0:  # on the screen when the part begins: what is left of it
            packet.pts = packet.dts = start
            packet.duration = length - late
        if packet.pts is not None:
            packet.pts -= start
        if packet.dts is not None:
            packet.dts -= start
        return True

    def _can_be_shown(self, packet: Any, time: int, start: int) -> bool:
        """Whether a picture refers to none before the part: a key frame, and what follows on it."""
        index = packet.stream.index
        if index not in self._begun and packet.is_keyframe and time >= start:
            self._begun[index] = time
        if index in self._begun and time >= self._begun[index]:
            return True
        if time >= start:
            self._faults.add(
                f"of video stream {index} the pictures before its first key frame in the part were left out"
            )
        return False

    def follows(self, packet: Any, time_base: Fraction) -> bool:
        """Whether a packet comes after the one before it, in the result's ``time_base``: containers refuse others."""
        index, kind = packet.stream.index, packet.stream.type
        if packet.dts is None:
            return True
        time = math.floor(packet.dts * packet.time_base / time_base + Fraction(1, 2))
        last = self._last.get(index)
        if index not in self._anew:
            rising = self._strict and kind in ("audio", "video")
            if last is None or time > last or (time == last and not rising):
                self._last[index] = time
                return True
            if (last - time) * time_base > ANEW:  # the pictures end there, and so does everything else
                self._anew.add(index)
        if index not in self._ended:
            self._faults.add(
                f"the clock of stream {index} ({kind}) goes back; what came late was left out: {ONE_CLOCK}"
            )
        return False
