"""Which input becomes which file: pure decisions, before any picture is enlarged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from superres.errors import InputError, OptionError
from superres.formats.frame_names import frame_pattern
from superres.formats.kinds import KINDS, is_dicom_series, kind_of, source_suffixes, split_name
from superres.formats.table import FORMATS, format_of_name

__all__ = ["Job", "find_inputs", "one_clip", "output_is_folder", "plan", "result_suffix"]

# Some are read, none is written: no name for a folder that is still to be made.
_VIDEOS_NOT_WRITTEN = frozenset(
    {".avi", ".wmv", ".asf", ".flv", ".mpg", ".mpeg", ".vob", ".3gp", ".ogv", ".ts", ".mts", ".m2ts"}
)


@dataclass(frozen=True)
class Job:
    """One input and where its result goes.

    Attributes:
        source: the picture.
        folder: of the result.
        stem: of the result's name, ``photo_x4``.
        file: the exact target when the user named one, otherwise None: the suffix follows the content.
    """

    source: Path
    folder: Path
    stem: str
    file: Path | None = None


def output_is_folder(output: Path, inputs: int) -> bool:
    """Whether ``-o OUTPUT`` names a folder: it is one, there are several inputs, or it has no picture's suffix."""
    return output.is_dir() or inputs > 1 or split_name(output)[1].lower() not in source_suffixes()


def find_inputs(given: Sequence[Path], recursive: bool) -> list[tuple[Path, Path]]:
    """(picture, its subfolder below the folder that was given) for every input.

    A file is taken as it is, whatever its name.  Of a folder every file with a picture's suffix is taken, in order of
    name, and with ``recursive`` those of its subfolders too; hidden files are left out.  A folder of DICOM files is one
    input, a series; pictures of other kinds in it are inputs of their own.

    Raises:
        OptionError: nothing of that name, or a folder without pictures.
    """
    found: list[tuple[Path, Path]] = []
    for path in given:
        if path.is_dir():
            folders = [path, *(below for below in path.rglob("*") if below.is_dir())] if recursive else [path]
            folders = [folder for folder in folders if not _hidden(folder, path)]
            series = [folder for folder in folders if _is_one_source(folder, path)]
            files = [
                file
                for file in path.glob("**/*" if recursive else "*")
                if split_name(file)[1].lower() in source_suffixes() and not _hidden(file, path) and file.is_file()
            ]
            slices = KINDS["dicom"].suffixes
            alone = (f for f in files if f.parent not in series or split_name(f)[1].lower() not in slices)
            sources = sorted([*series, *alone])
            if not sources:
                hint = "" if recursive else "; subfolders are searched with --recursive"
                raise OptionError(f"{path}: no pictures in this folder{hint}")
            found += [(one, Path() if one == path else one.parent.relative_to(path)) for one in sources]
        elif path.exists():
            found.append((path, Path()))
        else:
            raise OptionError(f"{path}: no such file or folder")
    return found


def _hidden(path: Path, folder: Path) -> bool:
    """Whether it, or a folder on the way to it from ``folder``, is hidden."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_one_source(folder: Path, given: Path) -> bool:
    """Whether a folder is taken as one input: a series, or a subfolder that cannot be read, so that its job says so."""
    try:
        return is_dicom_series(folder)
    except InputError:
        if folder == given:
            raise
        return True


def one_clip(given: Sequence[Path], output: Path | None) -> bool:
    """Whether one video is made of frames, or frames of one video.

    That is when ``-o`` names a video, or a pattern for its frames, and the one input is a folder of pictures; or when
    it names a pattern and the input is a video's file.
    """
    if len(given) != 1 or output is None or output.is_dir():
        return False
    if given[0].is_dir():
        if is_dicom_series(given[0]):
            return False
        return frame_pattern(output) is not None or output.suffix.lower() in KINDS["frames"].results
    is_video = given[0].exists() and given[0].suffix.lower() in KINDS["video"].suffixes
    return is_video and frame_pattern(output) is not None


def plan(given: Sequence[Path], output: Path | None, tag: str, recursive: bool) -> list[Job]:
    """Decide every target.

    Args:
        given: files and folders.
        output: ``-o``, or None for beside each input.
        tag: what is added to a result's name, ``x4`` or ``3840x2160``.
        recursive: search subfolders; a folder that becomes one clip is taken without them.

    Raises:
        OptionError: as :func:`find_inputs`; or ``output`` is a pattern, or names a video of a kind that is not
            written, where it could only be taken for the name of something else.
    """
    if output is not None and one_clip(given, output):
        return [Job(given[0], output.parent, split_name(output)[0], output)]
    found = find_inputs(given, recursive)
    if output is not None and not output.is_dir():
        _check_output(given, output)
    several = len(found) > 1 or any(path.is_dir() for path in given)
    if output is not None and not several and not output_is_folder(output, 1):
        return [Job(found[0][0], output.parent, split_name(output)[0], output)]
    if output is not None and output.exists() and not output.is_dir():
        raise OptionError(f"{output}: is a file, and several results go into a folder: name one with -o")
    jobs = []
    for source, below in found:
        folder = source.parent if output is None else output / below
        jobs.append(Job(source, folder, f"{_stem(source)}_{tag}"))
    # Results of an earlier run that lie beside their inputs are not inputs.
    made = {(job.folder.resolve(), job.stem) for job in jobs}
    return [job for job in jobs if (job.source.parent.resolve(), _stem(job.source)) not in made]


def _check_output(given: Sequence[Path], output: Path) -> None:
    """Refuse what is no folder yet and would become one, or a picture, with the name of a video or of its frames."""
    single = given[0] if len(given) == 1 else None
    if frame_pattern(output) is not None and (single is None or single.is_dir() or kind_of(single) != "video"):
        raise OptionError(f"{output}: is a pattern for the frames of one video, which the input is not: name a folder")
    if single is None or output.suffix.lower() not in _VIDEOS_NOT_WRITTEN:
        return
    if single.is_dir() or single.suffix.lower() in KINDS["video"].suffixes:
        written = ", ".join(KINDS["video"].results)
        raise OptionError(f"{output}: a video goes into one of {written}; name such a file, or an existing folder")


def _stem(source: Path) -> str:
    """Of a file's name; a folder's is the whole."""
    return source.name if source.is_dir() else split_name(source)[0]


def result_suffix(kind: str, lossy: bool, animated: bool, wanted: str | None, suffix: str = "") -> str:
    """The suffix of a result: as asked for, or the source's own format when it loses nothing, else PNG.

    Args:
        kind: the source's format, a key of :data:`superres.formats.FORMATS` or of
            :data:`superres.formats.kinds.KINDS`.
        lossy: whether the source is lossy.
        animated: an animation keeps its format: PNG viewers show only its first frame.
        wanted: ``--format``.
        suffix: of the source; volumes, rasters and video keep it where it is written.

    Raises:
        OptionError: ``wanted`` is unknown, or not for such sources.
    """
    if kind in KINDS:
        return _suffix_of_kind(kind, wanted, suffix.lower())
    if wanted is not None:
        return FORMATS[format_of_name(wanted)].suffixes[0]
    entry = FORMATS[kind]
    keeps = bool(entry.writer) and (animated or (not lossy and entry.still))
    return entry.suffixes[0] if keeps else ".png"


def _suffix_of_kind(kind: str, wanted: str | None, suffix: str) -> str:
    entry, name = KINDS[kind], (wanted or "").lower().lstrip(".")
    if wanted is not None and f".{name}" in entry.results:
        return f".{name}"
    if wanted is not None and name not in entry.formats:
        known = [*entry.formats, *(result.lstrip(".") for result in entry.results if result)]
        raise OptionError(f"format {wanted!r}: {kind} sources are written as {', '.join(dict.fromkeys(known))}")
    return suffix if suffix in entry.results else entry.results[0]
