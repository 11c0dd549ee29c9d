"""Video from file to file: the same clip, larger, with everything else in the file kept.

Frames are decoded, enlarged and encoded side by side in three threads with short queues between them.  The work is done
in groups of :data:`GROUP_FRAMES` pictures, each encoded by an encoder of its own and kept in a working folder, so that
a run that was stopped goes on where it was: the result is the same, byte for byte, however often it was.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from superres.errors import CorruptInputError
from superres.formats.video import VideoInfo
from superres.formats.video_decode import Wanted
from superres.formats.video_faults import Faults
from superres.formats.video_input import VideoInput
from superres.formats.video_pixels import plane
from superres.formats.video_scale import FrameScaler
from superres.formats.video_store import WorkFolder
from superres.pipeline import Result, Upscaler
from superres.queueing import prefetched
from superres.workflows.networks import networks_for
from superres.workflows.video_job import describe_job
from superres.workflows.video_luma import LumaEnlarger
from superres.workflows.video_plan import VideoPlan, decide
from superres.workflows.video_samples import luma_picture
from superres.workflows.video_temporal import WARM_FRAMES, TemporalEnlarger, temporal_frames

__all__ = ["GROUP_FRAMES", "upscale_file"]

#: Pictures between forced key frames: what a stopped run may have to do again, and how finely a player can seek.
GROUP_FRAMES = 120
# Pictures that wait between decoder and networks.
_AHEAD = 3
# Those between networks and encoder: as many as these bytes hold, within bounds.  An encoder that ends a group empties
# itself, tens of pictures at once, and the networks go on meanwhile.
_WAITING_BYTES, _WAITING = 64 * 2**20, (3, 48)
_WARNINGS = 20


def upscale_file(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    *,
    name: str,
    report: Callable[[int, int], None] | None,
) -> Result:
    """Enlarge a video; see :class:`superres.workflows.Workflow`.

    Of the file's video streams the first that is no cover picture is enlarged, luma by the networks and chroma by
    Lanczos; a model of kind ``video`` remembers what it saw, others take every frame alone.  Sizes are rounded down to
    whole chroma samples.  All other streams are copied packet by packet; every frame keeps its time (Matroska and WebM
    count milliseconds), and chapters, tags, rotation, aspect ratio, bit depth and HDR10 metadata go along.  Range,
    primaries, transfer and matrix are stated in the result, also where the source left them to the player.
    ``options.quality`` is the encoder's constant rate factor.

    The source may be a folder with a picture of each frame (:mod:`superres.formats.frame_folder`), and the target a
    pattern such as ``frames/%06d.png``: then every frame becomes a picture, with a table of their times beside them.

    What cannot be read of a damaged file is left out and told in the result's ``warnings``.  A stopped run leaves its
    finished groups in a hidden folder beside the target, and the same command goes on from there.

    ``report`` counts frames.

    Raises:
        SuperresError: see :mod:`superres.errors`; then there is no result, but there may be a working folder.
    """
    started = time.perf_counter()
    plan, faults = decide(source, target, upscaler, name, GROUP_FRAMES), Faults()
    networks = networks_for(upscaler, luma_picture(plan.info), plan.size)
    job = describe_job(plan.source, upscaler.options, plan.result.description(), plan.cut, networks, GROUP_FRAMES)
    with WorkFolder(target, job) as work:
        _make_groups(plan, upscaler, work, faults, report)
        plan.result.finish(plan.source, work, faults)
        told = dict.fromkeys(text for group in work.groups for text in group.faults)
        work.finish()
    return Result(
        source=name,
        target=str(target),
        source_size=(plan.info.width, plan.info.height),
        target_size=plan.size,
        networks=networks.names,
        precision=networks.precision,
        seconds=time.perf_counter() - started,
        reason=plan.choice.reason,
        warnings=_shortened([*_losses(plan.source, plan.info), *dict.fromkeys((*told, *faults.all()))]),
    )


def _losses(source: VideoInput, info: VideoInfo) -> list[str]:
    """What is known to be lacking without decoding."""
    missing = source.missing_bytes()
    losses = [f"the file is cut short: {missing} bytes are missing; what is there was enlarged"] if missing else []
    if info.dynamic:
        losses.append("HDR10+ metadata of single frames cannot be kept; that of the whole video was")
    return losses


def _shortened(warnings: list[str]) -> tuple[str, ...]:
    """A badly damaged file has one for every picture."""
    more = len(warnings) - _WARNINGS
    return (*warnings[:_WARNINGS], f"and {more} more of the kind") if more > 0 else tuple(warnings)


def _make_groups(
    plan: VideoPlan,
    upscaler: Upscaler,
    work: WorkFolder,
    faults: Faults,
    report: Callable[[int, int], None] | None,
) -> None:
    """Decode, enlarge and encode what is not there yet."""
    base, cut = plan.info.time_base, plan.cut
    done = sum(len(group.pts) for group in work.groups)
    if work.groups and len(work.groups[-1].pts) < GROUP_FRAMES:
        return  # the last group of all
    wanted = Wanted(
        _resumed_at(plan, work) if work.groups else None if cut.start is None else math.ceil(cut.start / base),
        None if cut.stop is None else math.ceil(cut.stop / base),
    )
    total, stopped = plan.frames(), threading.Event()
    deinterlace = upscaler.options.video.deinterlace
    decoded = plan.source.frames(plan.info, wanted, faults, deinterlace=deinterlace)
    frames = _enlarged(prefetched(decoded, depth=_AHEAD), plan, upscaler, done, stopped)
    with closing(prefetched(frames, depth=_waiting(plan))) as large:
        try:
            while (first := next(large, None)) is not None:
                durations: list[int] = []
                pictures = _counted(
                    itertools.chain([first], itertools.islice(large, GROUP_FRAMES - 1)), durations, done, total, report
                )
                work.add(plan.result.packets(pictures, done + 1, work.scratch()), durations, faults.all)
                done += len(durations)
        finally:
            stopped.set()  # an interrupt waits for one tile, not for those of a frame
    if not work.groups:
        raise CorruptInputError(f"{plan.source.name}: has no picture in the part asked for that can be decoded")


def _waiting(plan: VideoPlan) -> int:
    """How many pictures of the result may wait for the encoder."""
    width, height = plan.size
    held = 3 * width * height * (2 if plan.info.pixels.bits > 8 else 1)  # chroma at full size, to be safe
    return min(max(_WAITING_BYTES // held, _WAITING[0]), _WAITING[1])


def _resumed_at(plan: VideoPlan, work: WorkFolder) -> int:
    """Time of the first frame that is needed after the finished groups."""
    if not plan.temporal:
        return max(work.groups[-1].pts) + 1
    needed = [pts for group in work.groups[-1 - WARM_FRAMES // GROUP_FRAMES :] for pts in group.pts]
    return sorted(needed)[-WARM_FRAMES:][0]


def _enlarged(
    frames: Generator[Any, None, None], plan: VideoPlan, upscaler: Upscaler, done: int, stopped: threading.Event
) -> Iterator[Any]:
    """Frames of the result; ends early once ``stopped`` is set."""
    scaler = FrameScaler(plan.info, plan.size)
    if plan.temporal:
        enlarger = TemporalEnlarger(upscaler, plan.info, plan.size, stopped)
        with closing(frames):
            for frame, large in temporal_frames(frames, enlarger, done, GROUP_FRAMES, stopped):
                yield scaler.enlarged(frame, large)
        return
    luma = LumaEnlarger(upscaler, plan.info, plan.size, upscaler.options.video.reuse, stopped)
    with closing(frames):
        for number, frame in enumerate(frames, done):
            if number % GROUP_FRAMES == 0:
                luma.forget()  # so that a group does not depend on those before it
            large = luma.enlarge(plane(frame, 0))
            if stopped.is_set():
                return
            yield scaler.enlarged(frame, large)


def _counted(
    frames: Iterable[Any], durations: list[int], done: int, total: int, report: Callable[[int, int], None] | None
) -> Iterator[Any]:
    """The same frames; each is reported and its duration written down."""
    for number, frame in enumerate(frames, done + 1):
        durations.append(int(frame.duration or 0))
        yield frame
        if report:
            report(number, max(number, total))
