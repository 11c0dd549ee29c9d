"""upscale(): reader -> tiles -> network -> writer, streaming.

Read from the top: :class:`Upscaler` opens a picture and its target, and pulls strips of rows through four steps,
each a generator or a pure function:

1. :func:`superres.planes.prepared`: samples of any kind become float32 planes, colours premultiplied by alpha.
2. :func:`superres.enlarging.enlarged`: tile by tile, the network makes those planes larger; gaps are filled for it.
3. :func:`superres.refitting.resized`: only for other than whole factors, one antialiased resize to the exact size.
4. :func:`superres.planes.finished`: planes become samples again; alpha divided out, gaps restored, rounded, clipped.

Decoding, inference and encoding run in threads of their own with a bounded queue between them, so memory stays flat
whatever the picture's height.
"""

from __future__ import annotations

import importlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from superres.atomic import replace_file
from superres.backends import Backend, Precision, open_backend
from superres.backends.ensemble import TURNS, ensembled
from superres.chain import LARGEST_SCALE, NetworkChain
from superres.choice import AUTO, FAITHFUL, Choice, choose, choose_guided, choose_rows, families
from superres.enlarging import enlarged
from superres.errors import ModelError, OptionError
from superres.formats import Limits, Reader, Writer, open_reader, open_writer
from superres.formats.animation import is_animated, open_animation, open_animation_writer
from superres.formats.kinds import kind_of
from superres.formats.world_file import find_world_file, scaled_world_file, world_file_name
from superres.geometry import enlargement, scaled_length
from superres.image import Image, PictureInfo
from superres.option_checks import check_options, no_compression
from superres.options import RasterOptions, VideoOptions, VolumeOptions
from superres.planes import carried_planes, finished, prepared
from superres.queueing import prefetched
from superres.refitting import resized
from superres.tiling import tile_grid, tile_rows_for_memory
from superres.zoo import ZOO, ModelCard, list_cards, load_model, locate

__all__ = ["MemoryReader", "Options", "Result", "Upscaler", "fastest_precision", "target_size", "upscale"]

Array = npt.NDArray[Any]

#: What 8-bit weights may cost, in dB of PSNR, where ``auto`` takes them.
LARGEST_LOSS = 0.05

#: Beyond any format, and small enough to compute with.
_LARGEST_SIDE = 2**31 - 1

#: Rows that are looked at together, and what a picture of floats may reach as it is.
_ROWS, _BRIGHT = 256, 1.25

#: Pixels of a result that is finished while the next one is computed; of larger ones finishing is a small part.
_SMALL = 2**24


@dataclass(frozen=True)
class Options:
    """How to enlarge.

    Attributes:
        scale: enlargement factor, above 1 and at most 16, or 1 for a model that can clean without enlarging; or
        size: (width, height) of the result, either may be 0 to follow the aspect ratio.  Not both.
        model: ``auto``, see :func:`superres.choice.choose`; or the family name of a shipped model, or ``FOLDER/NAME``
            for models of your own.
        precision: ``auto``, ``fp32``, ``bf16`` or ``int8``.  For opaque 8-bit pictures at a scale that has a network of
            its own, ``auto`` takes int8 where the model has it, at a measured loss of at most
            :data:`LARGEST_LOSS`, and the processor is made for it; for other 8-bit pictures bf16; for all others fp32.
        backend: runtime's name.
        threads: cores, 0 for all.
        memory: bytes that strips, tiles and queues together may take.
        tile: largest tile in input pixels, at least 8, 0 to choose by the memory budget.
        ensemble: every tile in its eight flips and quarter turns, and the mean of the results: a little better, eight
            times the work; not with a guide, and of video frame by frame.
        limits: largest pictures accepted.
        format: of the written file, None for the target's suffix.
        quality: of a lossy target, 1 to 100; of a video the constant rate factor of its encoder.
        compression: of PNG and TIFF pictures, ``fast``, or ``small`` for smaller files in several times the time.
        overwrite: replace an existing target.
        volume, raster, video: choices for sources that are more than a picture.
    """

    scale: float | None = None
    size: tuple[int, int] | None = None
    model: str = AUTO
    precision: str = "auto"
    backend: str = "openvino"
    threads: int = 0
    memory: int = 2_000_000_000
    tile: int = 0
    ensemble: bool = False
    limits: Limits = field(default_factory=Limits)
    format: str | None = None
    quality: int | None = None
    compression: str = "fast"
    overwrite: bool = False
    volume: VolumeOptions = field(default_factory=VolumeOptions)
    raster: RasterOptions = field(default_factory=RasterOptions)
    video: VideoOptions = field(default_factory=VideoOptions)

    def __post_init__(self) -> None:
        if self.scale is not None and self.size is not None:
            raise OptionError(f"scale {self.scale:g} and size {self.size} were both given: give one")
        if self.scale is not None and not 1 <= self.scale <= LARGEST_SCALE:
            raise OptionError(f"scale {self.scale:g}: expected more than 1, or 1 to clean, and at most {LARGEST_SCALE}")
        if self.threads < 0 or (self.quality is not None and not 0 <= self.quality <= 100):
            raise OptionError(f"threads {self.threads}, quality {self.quality}: expected 0 or more, and 0 to 100")
        if self.precision not in ("auto", "fp32", "bf16", "int8"):
            raise OptionError(f"precision {self.precision!r}: expected auto, fp32, bf16 or int8")
        if self.memory < 1 or not (self.tile == 0 or self.tile >= 8):
            raise OptionError(f"memory {self.memory}, tile {self.tile}: expected more than 0, and 0 or at least 8")
        if self.ensemble and self.raster.guide is not None:
            raise OptionError("ensemble: a guide would have to be turned as well, which is not done: leave one out")


@dataclass(frozen=True)
class Result:
    """What was done: sizes as (width, height), networks in the order they ran, wall seconds.

    ``warnings`` say what of the source is lacking in the result, because it is damaged or the format cannot hold it;
    ``reason`` says why the networks were chosen, where the source decided; ``note`` says what else is to be known.
    """

    source: str
    target: str
    source_size: tuple[int, int]
    target_size: tuple[int, int]
    networks: tuple[str, ...]
    precision: str
    seconds: float
    warnings: tuple[str, ...] = ()
    reason: str = ""
    note: str = ""


def upscale(image: Image, scale: float = 4, *, model: str = AUTO, options: Options | None = None) -> Image:
    """Enlarge a picture in memory.

    Args:
        image: what :func:`superres.read` gave, or :meth:`superres.Image.from_array`.
        scale: enlargement factor, above 1 and at most 16, or 1 to clean with a model that can.
        model: family name of a shipped model, or ``auto``.
        options: everything else; its own scale, size and model win over the two above.

    Returns:
        The larger picture, of the same dtype, with profile, resolution and other meaning moved along.

    Raises:
        OptionError, LimitError, ModelError, InferenceError: see :mod:`superres.errors`.
    """
    with Upscaler(options or Options(scale=scale, model=model)) as upscaler:
        return upscaler.image(image)


def target_size(width: int, height: int, options: Options) -> tuple[int, int]:
    """(width, height) of the result.

    Raises:
        OptionError: a size that is not larger, or that would change the aspect ratio by more than a rounding.
    """
    if options.size is None:
        factor = 4.0 if options.scale is None else options.scale
        scaled = scaled_length(width, factor), scaled_length(height, factor)
        if scaled == (width, height) and factor != 1:
            raise OptionError(f"scale {factor:g} would not change the size of {width}x{height}: use a larger one")
        return scaled
    wide, high = options.size
    if max(wide, high) <= 0 or min(wide, high) < 0 or max(wide, high) > _LARGEST_SIDE:
        raise OptionError(f"size {wide}x{high}: expected WIDTHxHEIGHT, WIDTHx or xHEIGHT, in pixels")
    wide = wide or scaled_length(width, high / height)
    high = high or scaled_length(height, wide / width)
    if wide < width or high < height or (wide, high) == (width, height):
        raise OptionError(f"size {wide}x{high} is not larger than the picture's {width}x{height}")
    fitted = scaled_length(height, wide / width)
    if abs(fitted - high) > 1 + high // 500:
        raise OptionError(
            f"size {wide}x{high} would change the aspect ratio of {width}x{height}: use {wide}x{fitted} or {wide}x"
        )
    return wide, high


class Upscaler:
    """Enlarges any number of pictures with one set of options; networks stay loaded between them.

    A context manager: leaving it frees the networks.

    Args:
        options: how to enlarge.
        folder: where the models lie, when ``options.model`` names no folder itself.
        opener: makes a backend; tests put a fake here.

    Raises:
        ModelError: ``folder`` has no such model.
        OptionError: a self-ensemble of a model that has none.
    """

    def __init__(self, options: Options, *, folder: Path = ZOO, opener: Callable[..., Backend] = open_backend) -> None:
        self.options = options
        self._folder, self._wanted = locate(options.model, folder)
        self._plain, self._opener = opener, ensembled(opener) if options.ensemble else opener
        self._families = families(list_cards(self._folder))
        if self._wanted != AUTO and self._wanted not in self._families:
            load_model(self._wanted, 4, self._folder)  # raises, naming the models there are
        if options.ensemble and any(card.kind == "video" for card in self._families.get(self._wanted, {}).values()):
            raise OptionError(
                f"ensemble: model {self._wanted!r} carries a state from frame to frame, which eight turns do not "
                "share: use another --model"
            )
        self._chains: dict[tuple[tuple[str, ...], Precision], NetworkChain] = {}
        self._loading = threading.Lock()
        self._finisher = ThreadPoolExecutor(1, thread_name_prefix="superres-finish")

    def __enter__(self) -> Upscaler:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what was begun, and free the networks.  May be called twice."""
        self._finisher.shutdown()
        for chain in self._chains.values():
            chain.close()
        self._chains.clear()

    def image(self, image: Image) -> Image:
        """Enlarge a picture in memory; see :func:`upscale`."""
        info, size = image.info, self.target(image.info, "picture")
        info = _ranged(info, MemoryReader(image)) if info.dtype == np.float32 else info
        samples, done = np.empty((size[1], size[0], info.channels), info.dtype), 0
        for strip in self.strips(info, size, MemoryReader(image), None):
            samples[done : done + len(strip)] = strip
            done += len(strip)
        return image.scaled(samples)

    def file(
        self,
        source: str | Path | bytes,
        target: str | Path | None,
        *,
        name: str | None = None,
        stream: BinaryIO | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> Result:
        """Enlarge a picture, every frame of an animation, a volume, a raster or a video, from file to file.

        Args:
            source: a path, or a file's contents.
            target: where the result goes; or
            stream: an open binary stream that it is written to instead.
            name: what errors call the source; its path when None.
            report: called with (rows done, rows in all) of the result.

        Raises:
            SuperresError: see :mod:`superres.errors`; then no part of a result is left behind.
        """
        source = Path(source) if isinstance(source, str) else source
        target = Path(target) if isinstance(target, str) else target
        finish, _ = self._computed(source, target, name, stream, report)
        return finish()

    def at_once(self, info: PictureInfo, name: str) -> int:
        """How many pictures like this one are best begun at once, each in a thread of its own.

        One that is a single tile keeps one lane busy: so many as there are lanes, and one that is read or written
        meanwhile.  Together they take no more memory than the tiles of a large one.

        Raises:
            SuperresError: it cannot be enlarged; ``name`` is what messages call it.
        """
        size = self.target(info, name)
        chain = self.chain(info, size)
        columns, rows = _tile_size(info, chain, self.options, _exact(info, size, chain.scale), 1)
        return chain.lanes + 1 if chain.lanes > 1 and columns >= info.width and rows >= info.height else 1

    def begin(
        self,
        source: Path,
        target: Path,
        *,
        report: Callable[[int, int], None] | None = None,
        lanes: int = 0,
    ) -> Future[Result]:
        """As :meth:`file`, for one of many: the last of encoding and the way onto the disk need not be waited for.

        Args:
            source, target, report: as of :meth:`file`.
            lanes: tiles that run at once, 0 for as many as the networks allow; 1 where others are begun meanwhile, in
                threads of their own, see :meth:`at_once`.

        Returns:
            The result, or the error, once the file lies on the disk.  Of a large result that is at once.

        Raises:
            SuperresError: as :meth:`file`, as far as it is known before that.
        """
        finish, size = self._computed(source, target, None, None, report, lanes)
        future = self._finisher.submit(finish)
        if size[0] * size[1] >= _SMALL:
            future.exception()
        return future

    def _computed(
        self,
        source: Path | bytes,
        target: Path | None,
        name: str | None,
        stream: BinaryIO | None,
        report: Callable[[int, int], None] | None,
        lanes: int = 0,
    ) -> tuple[Callable[[], Result], tuple[int, int]]:
        """Everything of :meth:`file` up to the last row; what is left to do, and the result's (width, height)."""
        started = time.perf_counter()
        called = name or (str(source) if isinstance(source, Path) else "standard input")
        kind = kind_of(source, name=called)
        check_options(self.options, kind, called, target)
        if kind is not None:
            if target is None or not isinstance(source, Path):
                raise OptionError(f"{called}: {kind} goes from file to file: name a file, and a target with -o")
            # Named, not imported: workflows stand above this module.
            workflow = importlib.import_module("superres.workflows").load_workflow(kind)
            made = cast(Result, workflow(source, target, self, name=called, report=report))
            return lambda: made, made.target_size
        if self.options.raster.guide is not None:
            guided = importlib.import_module("superres.workflows.still_guide").upscale_guided
            done = cast(Result, guided(source, target, self, name=called, stream=stream, report=report))
            return lambda: done, done.target_size
        writer: Writer | None = None
        world = find_world_file(source) if isinstance(source, Path) and target is not None else None
        if world is not None:
            scaled_world_file(world, 1, 1)  # what is wrong with it is said before the work
        if is_animated(source, name=called):
            info, size = self._animation_file(source, target, called, report)
        else:
            info, size, writer = self._still_file(source, target, called, stream, report, lanes)
        choice, precision = (
            self.choice(info, enlargement((info.width, info.height), size)),
            self.chain(info, size).precision,
        )

        def finish() -> Result:
            if writer is not None:
                try:
                    writer.commit()
                finally:
                    writer.abort()  # does nothing after a commit
            notes = [f"mean of {TURNS} turns"] if self.options.ensemble else []
            if world is not None and target is not None:
                notes.append(_place_beside(world, target, size[0] / info.width, size[1] / info.height))
            return Result(
                source=called,
                target=str(target) if target else "standard output",
                source_size=(info.width, info.height),
                target_size=size,
                networks=choice.names,
                precision=precision,
                seconds=time.perf_counter() - started,
                warnings=writer.warnings if writer is not None else (),
                reason=choice.reason,
                note=", ".join(notes),
            )

        return finish, size

    def _still_file(
        self,
        source: Path | bytes,
        target: Path | None,
        called: str,
        stream: BinaryIO | None,
        report: Callable[[int, int], None] | None,
        lanes: int,
    ) -> tuple[PictureInfo, tuple[int, int], Writer]:
        """Stream one picture; its info, the result's (width, height), and its writer, which has every row."""
        reader = open_reader(source, name=called, limits=self.options.limits)
        try:
            info, size = reader.info, self.target(reader.info, called)
            if info.dtype == np.float32:
                with closing(open_reader(source, name=called, limits=self.options.limits)) as first:
                    info = _ranged(info, first)
            writer = open_writer(
                target,
                info.scaled(size[1], size[0]),
                format=self.options.format,
                quality=self.options.quality,
                compression=self.options.compression,
                overwrite=self.options.overwrite,
                source=source if isinstance(source, Path) else None,
                stream=stream,
            )
            try:
                stopped = threading.Event()
                with closing(prefetched(self.strips(info, size, reader, report, stopped, lanes), depth=2)) as strips:
                    try:
                        for strip in strips:
                            writer.write(strip)
                    finally:
                        stopped.set()  # an interrupt waits for one tile, not for a strip of them
            except BaseException:
                writer.abort()
                raise
        finally:
            reader.close()
        return info, size, writer

    def _animation_file(
        self, source: Path | bytes, target: Path | None, called: str, report: Callable[[int, int], None] | None
    ) -> tuple[PictureInfo, tuple[int, int]]:
        """Enlarge every composited frame; a frame equal to the one before it is not computed again."""
        if target is None:
            raise OptionError(f"{called}: an animation needs a file to go to: give one with -o")
        if self.options.compression != "fast":
            raise no_compression(self.options, f"{called}: is an animation")
        animation = open_animation(source, name=called, limits=self.options.limits)
        try:
            info, count = animation.info, animation.frames
            size = self.target(info, called, count)
            writer = open_animation_writer(
                target,
                info.scaled(size[1], size[0]),
                animation.durations,
                animation.loop,
                format=self.options.format,
                quality=self.options.quality,
                overwrite=self.options.overwrite,
                source=source if isinstance(source, Path) else None,
            )
            try:
                before = large = None
                for index in range(count):
                    frame = animation.read_frame(index)
                    if before is None or large is None or not np.array_equal(frame, before):
                        large = np.concatenate(list(self.strips(info, size, MemoryReader(Image(frame, info)), None)))
                    before = frame
                    writer.write_frame(large)
                    if report:
                        report(index + 1, count)
                writer.commit()
            finally:
                writer.abort()  # does nothing after a commit
        finally:
            animation.close()
        return info, size

    def target(self, info: PictureInfo, name: str, frames: int = 1) -> tuple[int, int]:
        """(width, height) of the result, checked against the limits and the networks there are.

        Raises:
            OptionError, LimitError: it cannot be made; ``name`` is what messages call the source.
        """
        size = target_size(info.width, info.height, self.options)
        self.options.limits.check_output(name, (info.height, info.width), (size[1], size[0]), frames)
        self.choice(info, enlargement((info.width, info.height), size))
        return size

    def choice(self, info: PictureInfo, factor: float) -> Choice:
        """The models for an enlargement, not loaded yet; see :func:`superres.choice.choose`."""
        # With a guide the model that was asked for is the guided one; beside it the source decides.
        wanted = self._wanted if self.options.raster.guide is None else AUTO
        single = self.options.video.reuse is not None or self.options.ensemble
        return choose(wanted, self._families, info, factor, single=single)

    @property
    def serves_without_guide(self) -> bool:
        """Whether there are networks that need no guide, beside those that do."""
        return FAITHFUL in self._families

    def plan(self, info: PictureInfo, size: tuple[int, int]) -> tuple[Choice, Precision]:
        """The networks for an enlargement and their arithmetic; nothing is loaded.

        Args:
            info: of the source.
            size: (width, height) of the result; see :meth:`target`.

        Raises:
            OptionError, ModelError: they cannot serve this picture.
        """
        choice = self.choice(info, enlargement((info.width, info.height), size))
        return choice, self._precision(info, size, choice.cards)

    def chain(self, info: PictureInfo, size: tuple[int, int]) -> NetworkChain:
        """The networks for an enlargement, loaded once.

        Args:
            info: of the source.
            size: (width, height) of the result; see :meth:`target`.

        Raises:
            OptionError, ModelError: they cannot serve this picture, or cannot be loaded.
        """
        choice, precision = self.plan(info, size)
        return self._loaded(choice.cards, precision, self._folder, self._opener)

    def guided(self, factor: float) -> tuple[NetworkChain, ...]:
        """The networks that sharpen by a guide, loaded once: a chain of one for each, in the order they run.

        Raises:
            ModelError: the model takes no guide, or cannot be loaded.
            OptionError: ``int8`` was asked for.
        """
        options = self.options
        if options.precision == "int8":
            raise OptionError("precision int8: networks with a guide have no 8-bit form: use --precision auto")
        precision: Precision = "bf16" if options.precision == "bf16" else "fp32"
        cards = choose_guided(self._wanted, self._families, factor).cards
        return tuple(self._loaded((card,), precision, self._folder, self._opener) for card in cards)

    def rows(self, factor: int) -> NetworkChain:
        """The network that enlarges rows alone whose factor is nearest to ``factor``, loaded once.

        It comes with the package, whatever model was asked for, and runs without a self-ensemble: rows are no columns.

        Raises:
            ModelError: it cannot be loaded.
        """
        precision: Precision = "bf16" if self.options.precision == "bf16" else "fp32"
        return self._loaded(choose_rows(families(list_cards()), factor).cards, precision, ZOO, self._plain)

    def _loaded(
        self, cards: tuple[ModelCard, ...], precision: Precision, folder: Path, opener: Callable[..., Backend]
    ) -> NetworkChain:
        """The networks of a folder in a row, loaded once."""
        key = Choice(cards).names, precision
        with self._loading:
            if key not in self._chains:
                models = [load_model(card.name, card.scale, folder, int8=precision == "int8") for card in cards]
                self._chains[key] = NetworkChain(models, self.options.backend, precision, self.options.threads, opener)
            return self._chains[key]

    def _precision(self, info: PictureInfo, size: tuple[int, int], cards: tuple[ModelCard, ...]) -> Precision:
        """The arithmetic for a picture: bf16 resolves 8 bits with room to spare and 16 bits not at all; int8 is bytes.

        Raises:
            OptionError: ``int8`` was asked for and cannot serve this picture.
            ModelError: ``int8`` was asked for of a file that this processor would compute wrongly.
        """
        options = self.options
        scale = cards[0].scale
        exact = len(cards) == 1 and _exact(info, size, scale)
        plain = info.dtype == np.uint8 and not info.alpha
        if options.precision == "int8" and not (exact and plain):
            scales = sorted(self._families[cards[0].name])
            raise OptionError(
                f"precision int8 serves opaque 8-bit pictures at x{', x'.join(map(str, scales))}; this one is "
                f"{info.dtype}{' with transparency' if info.alpha else ''}, {info.width} x {info.height} to "
                f"{size[0]} x {size[1]}: use --precision auto"
            )
        if options.precision == "int8" and options.backend == "openvino":
            for card in cards:
                _check_sums(card)
        if options.precision in ("fp32", "bf16", "int8"):
            return cast(Precision, options.precision)
        if options.backend == "openvino" and info.dtype == np.uint8:
            return fastest_precision(cards[0] if exact and plain else None)
        return "fp32"

    def strips(
        self,
        info: PictureInfo,
        size: tuple[int, int],
        reader: Reader,
        report: Callable[[int, int], None] | None,
        stopped: threading.Event | None = None,
        lanes: int = 0,
    ) -> Iterator[Array]:
        """Rows of the result, top to bottom: the four steps of this module.

        Args:
            info: of the source.
            size: (width, height) of the result; see :func:`target_size`.
            reader: gives the source's rows.
            report: called with (rows done, rows in all) of the result.
            stopped: once set, the rows end early.
            lanes: tiles that run at once, 0 for as many as the networks allow.

        Raises:
            SuperresError: see :mod:`superres.errors`.
        """
        chain = self.chain(info, size)
        exact = _exact(info, size, chain.scale)
        columns, rows = _tile_size(info, chain, self.options, exact, lanes or chain.lanes)
        source = prefetched((reader.read(a, min(a + rows, info.height)) for a in range(0, info.height, rows)), depth=1)
        planes = (rows_read if chain.precision == "int8" else prepared(rows_read, info) for rows_read in source)
        if chain.precision == "int8":
            strips = enlarged(planes, info, chain, columns, rows, lambda large: large, stopped, lanes)
        elif exact:
            strips = enlarged(planes, info, chain, columns, rows, lambda large: finished(large, info), stopped, lanes)
        else:
            whole = enlarged(planes, info, chain, columns, rows, lambda large: large, stopped, lanes)
            fitted = resized(whole, info.width * chain.scale, info.height * chain.scale, size, carried_planes(info))
            strips = (finished(part, info) for part in fitted)
        done = 0
        # Closed here, not when it is collected: the thread that reads must have ended before the reader is closed.
        with closing(source):
            for strip in strips:
                done += strip.shape[0]
                if report:
                    report(done, size[1])
                yield strip


def fastest_precision(card: ModelCard | None) -> Precision:
    """The fastest arithmetic that this processor has for 8-bit samples.

    Args:
        card: of the model that would run in int8; None where int8 cannot serve.  It does where its loss was measured
            and is at most :data:`LARGEST_LOSS` on every test set.
    """
    from superres.backends.openvino import has_bf16, has_int8

    measured = card is not None and card.int8.sha256 and card.int8.loss
    if card is not None and measured and max(card.int8.loss.values()) <= LARGEST_LOSS and has_int8(card.int8.largest):
        return "int8"
    return "bf16" if has_bf16() else "fp32"


def _check_sums(card: ModelCard) -> None:
    """Refuse a file whose codes OpenVINO adds up wrongly on this processor.

    Raises:
        ModelError: so it is.
    """
    from superres.backends.openvino import has_int8

    if card.int8.sha256 and not has_int8(card.int8.largest):
        raise ModelError(
            f"model {card.stem}: its 8-bit weights reach {card.int8.largest}, and this processor adds products of such "
            "codes in 16 bits, which overflow: make the file again with superres quantize, or use --precision fp32 or "
            "--backend onnxruntime"
        )


def _place_beside(world: Path, target: Path, across: float, down: float) -> str:
    """Write a finished result's world file, over that of an earlier result; what to say of it."""
    placed = world_file_name(target)
    with replace_file(placed) as stream:
        stream.write(scaled_world_file(world, across, down))
    return f"its place is in {placed.name}"


class MemoryReader:
    """A reader over a picture in memory; see :class:`superres.formats.Reader`."""

    def __init__(self, image: Image) -> None:
        self.info, self._samples = image.info, image.samples

    def read(self, start: int, stop: int) -> Array:
        """Rows ``start .. stop - 1``, not copied."""
        return self._samples[start:stop]

    def close(self) -> None:
        """Nothing to free."""


def _ranged(info: PictureInfo, reader: Reader) -> PictureInfo:
    """A picture of floats with the range that it has: networks know 0 to 1, and answer what lies far beyond with noise.

    Args:
        info: of the picture.
        reader: at its first row; it is read to the end.
    """
    most = 0.0
    for start in range(0, info.height, _ROWS):
        rows = reader.read(start, min(start + _ROWS, info.height))[:, :, : info.channels - int(info.alpha)]
        most = max(most, float(rows.max(initial=0, where=np.isfinite(rows))))
    return replace(info, sample_range=most) if most > _BRIGHT else info


def _exact(info: PictureInfo, size: tuple[int, int], scale: int) -> bool:
    """Whether the networks alone lead to the result's (width, height), with nothing to resize after them."""
    return size == (info.width * scale, info.height * scale)


def _tile_size(info: PictureInfo, chain: NetworkChain, options: Options, exact: bool, lanes: int) -> tuple[int, int]:
    """Columns and rows of a tile, within the memory budget; a strip is as tall as its tiles."""
    tile = options.tile or _largest_tile(options.memory, chain.lanes)
    planes = info.channels + carried_planes(info)
    large = info.width * chain.scale**2
    # Input rows as samples and planes; result rows in the making, in two queue places and in the encoder.
    per_row = info.width * planes * 4 * 3 + large * info.channels * info.dtype.itemsize * 4
    if not exact:
        per_row += large * planes * 4 * 4
    # The other half of the budget is for the network.
    rows = tile_rows_for_memory(2 * per_row, options.memory, tile)
    return tile_grid(info.width, info.height, tile, chain.halo, lanes, rows)


def _largest_tile(memory: int, lanes: int) -> int:
    """Tiles that run at once take about as much memory together as one of them would, were it alone."""
    alone = 720 if memory >= 1_000_000_000 else 256 if memory >= 500_000_000 else 128
    return max(64, math.ceil(alone / math.sqrt(lanes) / 64) * 64)
