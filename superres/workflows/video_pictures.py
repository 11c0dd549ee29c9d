"""The enlarged frames of a video as pictures, one file each, with a table of their times beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from superres.atomic import replace_file
from superres.errors import OptionError, OutputError
from superres.formats import open_writer
from superres.formats.frame_names import FramePattern, FrameTimes, read_times
from superres.formats.table import FORMATS, format_of_suffix
from superres.formats.video import VideoInfo
from superres.formats.video_encode import Packet
from superres.formats.video_faults import Faults
from superres.formats.video_input import VideoInput
from superres.formats.video_join import shown_durations
from superres.formats.video_rgb import PictureMaker
from superres.formats.video_store import WorkFolder, work_folder_of
from superres.formats.video_streams import Cut
from superres.image import Image
from superres.pipeline import Options

__all__ = ["PicturesResult", "pictures_result"]


@dataclass(frozen=True)
class PicturesResult:
    """Pictures that are numbered from 1; see :class:`superres.workflows.video_result.VideoResult`.

    Each picture is renamed into its place when it is complete.  The table of times comes last: where there was none,
    it says that all pictures are there.

    Attributes:
        pattern: names the pictures.
        info: of the source.
        size: (width, height) of the frames; a rotated video has its pictures upright.
        cut: the part of the source.
        quality: of a lossy format, None for its default.
        compression: of PNG and TIFF, see :class:`superres.pipeline.Options`.
        maker: makes pictures of frames.
        begun: whether a stopped run left its working folder: pictures right after the last one are that run's.
    """

    pattern: FramePattern
    info: VideoInfo
    size: tuple[int, int]
    cut: Cut
    quality: int | None
    compression: str
    maker: PictureMaker
    begun: bool

    def description(self) -> Mapping[str, Any]:
        """See :class:`superres.workflows.video_result.VideoResult`."""
        made = {"quality": self.quality, "compression": self.compression}
        return {"size": self.size, "pictures": self.pattern.name, **made}

    def packets(self, frames: Iterable[Any], first: int, scratch: Path) -> Iterator[tuple[bytes, Packet]]:
        """See :class:`superres.workflows.video_result.VideoResult`; the packets are empty, and tell the times."""
        form = format_of_suffix(Path(self.pattern.name).suffix)
        for number, frame in enumerate(frames, first):
            image = Image.from_array(self.maker.picture(frame))
            writer = open_writer(
                scratch,
                image.info,
                format=form,
                quality=self.quality,
                compression=self.compression,
                overwrite=True,
            )
            try:
                writer.write(image.samples)
                writer.commit()
            finally:
                writer.abort()  # does nothing after a commit
            _rename(scratch, self.pattern.path(number))
            yield b"", Packet(b"", frame.pts, key=True)

    def finish(self, source: VideoInput, work: WorkFolder, faults: Faults) -> None:
        """Write the table; pictures of an earlier result or of a stopped run that follow the last one are removed."""
        folder, info = self.pattern.folder, self.info
        lasting = shown_durations(work.groups, info, self.cut, whole=not source.missing_bytes())
        gone = [number for number in range(1, len(lasting) + 1) if not self.pattern.path(number).is_file()]
        if gone:
            raise OutputError(
                f"{self.pattern.path(gone[0])}: was made and is no longer there, and {len(gone) - 1} more: remove "
                f"{work.path} and run the same command again"
            )
        before = read_times(folder)
        shift = 0 if self.cut.start is None else self.cut.units(self.cut.start, info.time_base)
        colours = info.colours
        turned = self.maker.swapped and info.aspect is not None
        table = FrameTimes(
            info.time_base,
            tuple(pts - shift for pts in lasting),
            lasting[max(lasting)],
            colours.primaries,
            colours.transfer,
            colours.matrix,
            1 / info.aspect if turned and info.aspect else info.aspect,
        )
        with replace_file(self.pattern.times) as stream:
            stream.write(table.text().encode())
        for number in range(len(lasting) + 1, len(before.times) + 1 if before else 0):
            self.pattern.path(number).unlink(missing_ok=True)
        number = len(lasting) + 1
        while self.begun and self.pattern.path(number).is_file():
            self.pattern.path(number).unlink()
            number += 1


def _rename(scratch: Path, path: Path) -> None:
    try:
        scratch.replace(path)
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror}); the pictures before it stay") from exc


def pictures_result(
    source: VideoInput, pattern: FramePattern, info: VideoInfo, size: tuple[int, int], cut: Cut, options: Options
) -> PicturesResult:
    """Decide how pictures are made, and refuse what cannot be; the folder is made if it is absent.

    Args:
        source: of the video.
        pattern: names the pictures.
        info: of the source.
        size: (width, height) of the frames.
        cut: the part of the source.
        options: of the run.

    Raises:
        OptionError: an option that is for video files.
        OutputError: there are such pictures, or the folder cannot be made.
        UnsupportedFormatError: see :class:`superres.formats.video_rgb.PictureMaker`.
    """
    video, entry = options.video, FORMATS[format_of_suffix(Path(pattern.name).suffix)]
    if video.codec or video.preset:
        raise OptionError(
            f"{pattern.folder / pattern.name}: pictures have no codec and no preset: leave --codec and --preset out, "
            "or name a video file with -o"
        )
    if options.quality is not None and not entry.quality:
        raise OptionError(
            f"quality {options.quality}: {pattern.name} loses nothing and takes none: leave --quality out"
        )
    if max(size) > entry.max_side:
        raise OptionError(
            f"{pattern.name}: holds {entry.max_side} pixels a side, the frames have {max(size)}: use .png"
        )
    maker = PictureMaker(info, size, source.name)
    if pattern.folder.resolve() == source.path.resolve():
        raise OutputError(f"{pattern.folder}: is the folder of the source's own pictures; name another with -o")
    try:
        pattern.folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{pattern.folder}: the folder cannot be made ({exc.strerror})") from exc
    # A stopped run's own pictures are no reason to stop again.
    begun = work_folder_of(pattern.folder / pattern.name).is_dir()
    there = [path for path in (pattern.times, pattern.path(1)) if path.exists()]
    if there and not (options.overwrite or begun):
        raise OutputError(
            f"{there[0]}: exists already; replace the pictures with --overwrite or choose another folder with -o"
        )
    return PicturesResult(pattern, info, size, cut, options.quality, options.compression, maker, begun)
