"""``superres upscale``: many inputs, small pictures several at a time; one that fails does not stop the others."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from superres.cli.codes import OK, SOME_FAILED
from superres.cli.jobs import Job, one_clip, plan, result_suffix
from superres.cli.progress import PictureProgress
from superres.cli.together import SideBySide
from superres.errors import OptionError, OutputError, SuperresError
from superres.formats import open_reader
from superres.formats.animation import is_animated
from superres.formats.frame_names import frame_pattern
from superres.formats.kinds import kind_of, split_name
from superres.formats.video_store import work_folder_of
from superres.image import PictureInfo
from superres.pipeline import Options, Result, Upscaler

__all__ = ["run_batch"]


@dataclass(frozen=True)
class _Outcome:
    """What became of one input: a result, or why not; ``skipped`` is the target that was there already."""

    source: str
    result: Result | None = None
    error: str = ""
    skipped: str = ""

    def line(self) -> str:
        """For people."""
        if self.result is not None:
            r = self.result
            return (
                f"{r.source} → {r.target}  {r.source_size[0]}×{r.source_size[1]} → {r.target_size[0]}×"
                f"{r.target_size[1]}  {' + '.join(r.networks)} ({r.precision})  {r.seconds:.1f} s"
                + (f"  ({r.reason}; --model decides otherwise)" if r.reason else "")
                + (f"  ({r.note})" if r.note else "")
            )
        return f"{self.skipped}: there already, left as it is" if self.skipped else f"superres: {self.named_error}"

    @property
    def named_error(self) -> str:
        """The error, with the source where it does not name it."""
        return self.error if self.source in self.error else f"{self.source}: {self.error}"

    def record(self) -> dict[str, Any]:
        """For programs."""
        if self.result is not None:
            return {"status": "partial" if self.result.warnings else "done", **asdict(self.result)}
        if self.skipped:
            return {"status": "skipped", "source": self.source, "target": self.skipped, "error": ""}
        return {"status": "failed", "source": self.source, "error": self.error}


def run_batch(inputs: Sequence[str], output: str | None, options: Options, *, recursive: bool, json_lines: bool) -> int:
    """Enlarge every input; the exit code: 0 all done, 1 nothing could be done, 2 some failed or lack a damaged part.

    With several inputs a result that is there already is left as it is unless ``options.overwrite``: results appear
    whole or not at all, so a stopped run is continued by the same command.

    Raises:
        OptionError: the command makes no sense; nothing was touched.
    """
    if "-" in inputs:
        return _run_stream(inputs, output, options, json_lines)
    if output == "-":
        return _run_to_stdout(inputs, options, json_lines)
    if "" in inputs or output == "":
        raise OptionError("an input or -o is an empty text, as an unset variable of the shell is: give a name")
    given = [Path(text) for text in inputs]
    jobs = plan(given, Path(output) if output else None, _tag(options), recursive)
    clip = one_clip(given, Path(output) if output else None)
    if options.video.frame_rate is not None and not (clip and given[0].is_dir()):
        raise OptionError(
            "frame rate: is for one folder of pictures that becomes a video: name that folder, and a video with -o, "
            "such as -o clip.mp4"
        )
    several = not clip and (len(jobs) > 1 or any(path.is_dir() for path in given))
    outcomes: list[_Outcome] = []
    started = time.perf_counter()
    with (
        Upscaler(options) as upscaler,
        PictureProgress(len(jobs), json_lines=json_lines) as progress,
        SideBySide(upscaler) as together,
    ):
        taken: dict[Path, Path] = {}
        begun: deque[Callable[[], _Outcome]] = deque()

        def tell() -> None:
            outcomes.append(begun.popleft()())
            _tell(outcomes[-1], json_lines, progress)

        for job in jobs:
            progress.begin(job.source.name)
            begun.append(_begin_job(job, together, taken, several, progress))
            progress.end()
            while len(begun) > together.ahead:
                tell()
        while begun:
            tell()
    return _close(outcomes, time.perf_counter() - started, json_lines)


def _begin_job(
    job: Job, together: SideBySide, taken: dict[Path, Path], several: bool, progress: PictureProgress
) -> Callable[[], _Outcome]:
    """One input, up to its last row; what waits for the rest.  An error of ours becomes part of the report."""
    options = together.options
    try:
        suffix, info = _look(job.source, options)
        target = job.file or job.folder / (job.stem + suffix)
        if target in taken:
            raise OutputError(
                f"{job.source}: its result would be {target}, which is the result of {taken[target]}; "
                "rename one, or use -o with another folder"
            )
        taken[target] = job.source
        if several and target.exists() and not options.overwrite:
            return lambda: _Outcome(str(job.source), skipped=str(target))
        if job.file is None and not job.folder.exists():
            _make_folder(job.folder)
        if kind_of(job.source) in ("video", "frames"):
            progress.expect_frames(str(job.source), _written(target))
        result = together.begin(job.source, target, info if several else None, progress.update)
    except (SuperresError, OSError) as error:
        failed = _Outcome(str(job.source), error=str(error))
        return lambda: failed

    def outcome() -> _Outcome:
        try:
            return _Outcome(str(job.source), result())
        except (SuperresError, OSError) as error:
            return _Outcome(str(job.source), error=str(error))

    return outcome


def _written(target: Path) -> Callable[[], int] | None:
    """Tells how many bytes of a video there are so far; None where its frames become pictures."""
    folder = work_folder_of(target)

    def size() -> int:
        parts = list(folder.glob("*.group*")) + list(folder.glob(".*.group*"))
        return sum(part.stat().st_size for part in parts if part.exists())

    return None if frame_pattern(target) else size


def _look(source: Path, options: Options) -> tuple[str, PictureInfo | None]:
    """The suffix of the result, from the source's content; what a still picture is, None of anything else."""
    kind = kind_of(source)
    if kind is not None:
        suffix = result_suffix(kind, lossy=False, animated=False, wanted=options.format, suffix=split_name(source)[1])
        return suffix, None
    animated = is_animated(source)
    with closing(open_reader(source, limits=options.limits)) as reader:
        info = reader.info
    return result_suffix(info.format, info.lossy, animated, options.format), None if animated else info


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot make the folder: {error.strerror}") from error


def _tag(options: Options) -> str:
    if options.raster.guide is not None and options.scale is None:
        return "guided"
    if options.size is None:
        return f"x{4.0 if options.scale is None else options.scale:g}"
    return "x".join(str(side) if side else "" for side in options.size)


def _run_stream(inputs: Sequence[str], output: str | None, options: Options, json_lines: bool) -> int:
    """``-``: one picture from standard input, to ``-o FILE`` or to standard output."""
    if len(inputs) > 1:
        raise OptionError("- (standard input) cannot be mixed with other inputs")
    contents = sys.stdin.buffer.read()
    with Upscaler(options) as upscaler:
        if output is not None and output != "-":
            return _run_one(
                "standard input", lambda: upscaler.file(contents, Path(output), name="standard input"), json_lines
            )
        return _run_one(
            "standard input", lambda: _to_stdout(upscaler, contents, "standard input"), json_lines, to_stderr=True
        )


def _run_to_stdout(inputs: Sequence[str], options: Options, json_lines: bool) -> int:
    """``-o -``: one picture to standard output."""
    if len(inputs) > 1:
        raise OptionError("-o - (standard output) takes one input")
    with Upscaler(options) as upscaler:
        return _run_one(inputs[0], lambda: _to_stdout(upscaler, Path(inputs[0]), None), json_lines, to_stderr=True)


def _to_stdout(upscaler: Upscaler, source: Path | bytes, name: str | None) -> Result:
    """PNG unless ``--format`` says otherwise."""
    if upscaler.options.format is None:
        upscaler.options = replace(upscaler.options, format="png")
    return upscaler.file(source, None, name=name, stream=sys.stdout.buffer)


def _run_one(source: str, work: Callable[[], Result], json_lines: bool, to_stderr: bool = False) -> int:
    """Run one job without a progress bar and tell its outcome."""
    try:
        outcome = _Outcome(source, result=work())
    except (SuperresError, OSError) as error:
        outcome = _Outcome(source, error=str(error))
    text = json.dumps(outcome.record()) if json_lines else outcome.line()
    print(text, file=sys.stderr if to_stderr or not json_lines else sys.stdout)
    return OK if outcome.result else SOME_FAILED


def _tell(outcome: _Outcome, json_lines: bool, progress: PictureProgress) -> None:
    if json_lines:
        print(json.dumps(outcome.record()), flush=True)
    else:
        progress.say(outcome.line(), error=bool(outcome.error))
        for warning in outcome.result.warnings if outcome.result else ():
            progress.say(f"superres: {outcome.source}: {warning}", error=True)


def _close(outcomes: Sequence[_Outcome], seconds: float, json_lines: bool) -> int:
    """The closing report of several inputs, and the exit code."""
    failed = [outcome for outcome in outcomes if outcome.error]
    if len(outcomes) > 1 and not json_lines:
        done = sum(outcome.result is not None for outcome in outcomes)
        skipped = sum(bool(outcome.skipped) for outcome in outcomes)
        parts = [f"{done} done"]
        parts += [f"{skipped} there already (--overwrite does them again)"] if skipped else []
        parts += [f"{len(failed)} failed"] if failed else []
        print(f"{', '.join(parts)} in {seconds:.1f} s", file=sys.stderr)
        for outcome in failed:
            print(f"  failed: {outcome.named_error}", file=sys.stderr)
    lacking = any(outcome.result is not None and outcome.result.warnings for outcome in outcomes)
    return SOME_FAILED if failed or lacking else OK
