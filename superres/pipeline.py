"""upscale(): reader -> tiles -> network -> writer, streaming.

Read from the top: :class:`Upscaler` opens a picture and its target, and pulls strips of rows through four steps,
each a generator or a pure function:

1. :func:`_prepared` - samples of any kind become float32 planes: colours premultiplied by alpha, gaps filled.
2. :func:`_enlarged` - tile by tile, the network makes those planes larger.
3. :func:`_resized` - only for other than whole factors: one antialiased resize to the exact size.
4. :func:`_finished` - planes become samples again: alpha divided out, gaps restored, rounded and clipped.

Decoding, inference and encoding run in threads of their own with a bounded queue between them, so memory stays flat
whatever the picture's height.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from superres.backends import Backend, Precision, open_backend
from superres.backends.base import Floats
from superres.chain import LARGEST_SCALE, NetworkChain, chain_scales
from superres.errors import InferenceError, OptionError
from superres.formats import Limits, Reader, open_reader, open_writer
from superres.formats.animation import is_animated, open_animation, open_animation_writer
from superres.geometry import scaled_length
from superres.image import Image, PictureInfo
from superres.queueing import prefetched
from superres.resize import AxisResampler, axis_resampler
from superres.tiling import mirrored, spans, tile_rows_for_memory
from superres.zoo import ZOO, list_cards, load_model, locate

__all__ = ["Options", "Result", "Upscaler", "target_size", "upscale"]

Array = npt.NDArray[Any]

#: Rows and columns over which a gap (NaN, infinity) is filled from its surroundings before inference.
_FILL = 4

#: Beyond any format, and small enough to compute with.
_LARGEST_SIDE = 2**31 - 1


@dataclass(frozen=True)
class Options:
    """How to enlarge.

    Attributes:
        scale: enlargement factor, above 1 and at most 16; or
        size: (width, height) of the result, either may be 0 to follow the aspect ratio.  Not both.
        model: family name of a shipped model, or ``FOLDER/NAME`` for models of your own.
        precision: ``auto`` (bf16 for 8-bit pictures where the processor has it, else fp32), ``fp32`` or ``bf16``.
        backend: runtime's name.
        threads: cores, 0 for all.
        memory: bytes that strips, tiles and queues together may take.
        tile: largest tile in input pixels, at least 8, 0 to choose by the memory budget.
        limits: largest pictures accepted.
        format: of the written file, None for the target's suffix.
        quality: of a lossy target, 1 to 100.
        overwrite: replace an existing target.
    """

    scale: float | None = None
    size: tuple[int, int] | None = None
    model: str = "standard"
    precision: str = "auto"
    backend: str = "openvino"
    threads: int = 0
    memory: int = 2_000_000_000
    tile: int = 0
    limits: Limits = field(default_factory=Limits)
    format: str | None = None
    quality: int | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.scale is not None and self.size is not None:
            raise OptionError(f"scale {self.scale:g} and size {self.size} were both given: give one")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise OptionError(f"precision {self.precision!r}: expected auto, fp32 or bf16")
        if self.memory < 1 or not (self.tile == 0 or self.tile >= 8):
            raise OptionError(f"memory {self.memory}, tile {self.tile}: expected more than 0, and 0 or at least 8")


@dataclass(frozen=True)
class Result:
    """What was done: sizes as (width, height), networks in the order they ran, wall seconds."""

    source: str
    target: str
    source_size: tuple[int, int]
    target_size: tuple[int, int]
    networks: tuple[str, ...]
    precision: str
    seconds: float


def upscale(image: Image, scale: float = 4, *, model: str = "standard", options: Options | None = None) -> Image:
    """Enlarge a picture in memory.

    Args:
        image: what :func:`superres.read` gave, or :meth:`superres.Image.from_array`.
        scale: enlargement factor, above 1 and at most 16.
        model: family name of a shipped model.
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
        if not 1 < factor <= LARGEST_SCALE:
            raise OptionError(f"scale {factor:g}: expected more than 1 and at most {LARGEST_SCALE}")
        scaled = scaled_length(width, factor), scaled_length(height, factor)
        if scaled == (width, height):
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
    """

    def __init__(self, options: Options, *, folder: Path = ZOO, opener: Callable[..., Backend] = open_backend) -> None:
        self.options = options
        self._folder, self._family = locate(options.model, folder)
        self._opener = opener
        self._scales = [card.scale for card in list_cards(self._folder) if card.name == self._family]
        if not self._scales:
            load_model(self._family, 4, self._folder)  # raises, naming the models there are
        self._chains: dict[tuple[tuple[int, ...], Precision], NetworkChain] = {}

    def __enter__(self) -> Upscaler:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks.  May be called twice."""
        for chain in self._chains.values():
            chain.close()
        self._chains.clear()

    def image(self, image: Image) -> Image:
        """Enlarge a picture in memory; see :func:`upscale`."""
        info, size = image.info, self._target(image.info, "picture")
        samples, done = np.empty((size[1], size[0], info.channels), info.dtype), 0
        for strip in self._strips(info, size, _MemoryReader(image), None):
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
        """Enlarge a picture, or every frame of an animation, from file to file.

        Args:
            source: a path, or a file's contents.
            target: where the result goes; or
            stream: an open binary stream that it is written to instead.
            name: what errors call the source; its path when None.
            report: called with (rows done, rows in all) of the result.

        Raises:
            SuperresError: see :mod:`superres.errors`; then no part of a result is left behind.
        """
        started = time.perf_counter()
        source = Path(source) if isinstance(source, str) else source
        target = Path(target) if isinstance(target, str) else target
        called = name or (str(source) if isinstance(source, Path) else "standard input")
        if is_animated(source, name=called):
            info, size = self._animation_file(source, target, called, report)
        else:
            info, size = self._still_file(source, target, called, stream, report)
        return Result(
            source=called,
            target=str(target) if target else "standard output",
            source_size=(info.width, info.height),
            target_size=size,
            networks=tuple(f"{self._family} x{s}" for s in self._chain_scales(info, size)),
            precision=self._chain(info, size).precision,
            seconds=time.perf_counter() - started,
        )

    def _still_file(
        self,
        source: Path | bytes,
        target: Path | None,
        called: str,
        stream: BinaryIO | None,
        report: Callable[[int, int], None] | None,
    ) -> tuple[PictureInfo, tuple[int, int]]:
        """Stream one picture; its info, and the result's (width, height)."""
        reader = open_reader(source, name=called, limits=self.options.limits)
        try:
            info, size = reader.info, self._target(reader.info, called)
            writer = open_writer(
                target,
                info.scaled(size[1], size[0]),
                format=self.options.format,
                quality=self.options.quality,
                overwrite=self.options.overwrite,
                source=source if isinstance(source, Path) else None,
                stream=stream,
            )
            try:
                stopped = threading.Event()
                with closing(prefetched(self._strips(info, size, reader, report, stopped), depth=2)) as strips:
                    try:
                        for strip in strips:
                            writer.write(strip)
                    finally:
                        stopped.set()  # an interrupt waits for one tile, not for a strip of them
                writer.commit()
            finally:
                writer.abort()  # does nothing after a commit
        finally:
            reader.close()
        return info, size

    def _animation_file(
        self, source: Path | bytes, target: Path | None, called: str, report: Callable[[int, int], None] | None
    ) -> tuple[PictureInfo, tuple[int, int]]:
        """Enlarge every composited frame; a frame equal to the one before it is not computed again."""
        if target is None:
            raise OptionError(f"{called}: an animation needs a file to go to: give one with -o")
        animation = open_animation(source, name=called, limits=self.options.limits)
        try:
            info, count = animation.info, animation.frames
            size = self._target(info, called)
            self.options.limits.check_output(called, (info.height, info.width), (size[1], size[0]), count)
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
                        large = np.concatenate(list(self._strips(info, size, _MemoryReader(Image(frame, info)), None)))
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

    def _target(self, info: PictureInfo, name: str) -> tuple[int, int]:
        size = target_size(info.width, info.height, self.options)
        self.options.limits.check_output(name, (info.height, info.width), (size[1], size[0]))
        self._chain_scales(info, size)
        return size

    def _chain_scales(self, info: PictureInfo, size: tuple[int, int]) -> tuple[int, ...]:
        return chain_scales(max(size[0] / info.width, size[1] / info.height), self._scales)

    def _chain(self, info: PictureInfo, size: tuple[int, int]) -> NetworkChain:
        """The networks for this enlargement, loaded once."""
        scales, options = self._chain_scales(info, size), self.options
        precision = _precision(options, info)
        if (scales, precision) not in self._chains:
            models = [load_model(self._family, scale, self._folder) for scale in scales]
            chain = NetworkChain(models, options.backend, precision, options.threads, self._opener)
            self._chains[scales, precision] = chain
        return self._chains[scales, precision]

    def _strips(
        self,
        info: PictureInfo,
        size: tuple[int, int],
        reader: Reader,
        report: Callable[[int, int], None] | None,
        stopped: threading.Event | None = None,
    ) -> Iterator[Array]:
        """Rows of the result, top to bottom: the four steps of this module.  Ends early once ``stopped`` is set."""
        chain = self._chain(info, size)
        exact = size == (info.width * chain.scale, info.height * chain.scale)
        tile, rows = _tile_and_rows(info, chain, self.options, exact)
        source = prefetched((reader.read(a, min(a + rows, info.height)) for a in range(0, info.height, rows)), depth=1)
        prepared = (_prepared(strip, info) for strip in source)
        if exact:
            strips = _enlarged(prepared, info, chain, tile, rows, lambda planes: _finished(planes, info), stopped)
        else:
            large = _enlarged(prepared, info, chain, tile, rows, lambda planes: planes, stopped)
            fitted = _resized(large, info.width * chain.scale, info.height * chain.scale, size, _carried(info))
            strips = (_finished(planes, info) for planes in fitted)
        done = 0
        # Closed here, not when it is collected: the thread that reads must have ended before the reader is closed.
        with closing(source):
            for strip in strips:
                done += strip.shape[0]
                if report:
                    report(done, size[1])
                yield strip


class _MemoryReader:
    """A reader over a picture in memory."""

    def __init__(self, image: Image) -> None:
        self.info, self._samples = image.info, image.samples

    def read(self, start: int, stop: int) -> Array:
        return self._samples[start:stop]

    def close(self) -> None:
        """Nothing to free."""


def _precision(options: Options, info: PictureInfo) -> Precision:
    """bf16 resolves 8 bits with room to spare, and 16 bits not at all."""
    if options.precision == "fp32":
        return "fp32"
    if options.precision == "bf16":
        return "bf16"
    if options.backend == "openvino" and info.dtype == np.uint8:
        from superres.backends.openvino import has_bf16

        return "bf16" if has_bf16() else "fp32"
    return "fp32"


def _carried(info: PictureInfo) -> int:
    """How many planes carry gaps (NaN, infinity): one per channel of float pictures, none of integer ones."""
    return info.channels if info.dtype == np.float32 else 0


def _tile_and_rows(info: PictureInfo, chain: NetworkChain, options: Options, exact: bool) -> tuple[int, int]:
    """Largest tile, and rows per strip, within the memory budget."""
    tile = options.tile or (512 if options.memory >= 1_000_000_000 else 256 if options.memory >= 500_000_000 else 128)
    planes = info.channels + _carried(info)
    large = info.width * chain.scale**2
    # Input rows as samples and planes; result rows in the making, in two queue places and in the encoder.
    per_row = info.width * planes * 4 * 3 + large * info.channels * info.dtype.itemsize * 4
    if not exact:
        per_row += large * planes * 4 * 4
    # The other half of the budget is for the network.
    rows = tile_rows_for_memory(2 * per_row, options.memory, tile)
    count = math.ceil(info.height / rows)
    even = -(-info.height // count)
    return tile, min(rows, -(-even // 8) * 8)


def _prepared(samples: Array, info: PictureInfo) -> Floats:
    """Samples (h, w, C) -> planes (h, w, P) float32: colours times alpha, alpha, then what fills gaps later.

    Values are divided by the sample range.  Gaps of float pictures (NaN, infinity) become 0 in the first planes, and
    stand as they are in as many planes after them, 0 elsewhere.
    """
    values = samples.astype(np.float32)
    gaps = None
    if info.dtype == np.float32:
        finite = np.isfinite(values)
        gaps = np.where(finite, np.float32(0), values)
        values = np.where(finite, values, np.float32(np.nan))
    values /= np.float32(info.sample_range)
    if info.alpha:
        values[:, :, :-1] *= values[:, :, -1:]
    return values if gaps is None else np.concatenate([values, gaps], axis=2)


def _finished(planes: Floats, info: PictureInfo) -> Array:
    """Planes (h, w, P) -> samples (h, w, C) of the picture's dtype: the inverse of :func:`_prepared`."""
    values = planes[:, :, : info.channels]
    if info.alpha:
        opacity = values[:, :, -1:]
        # Below half a step of 8 bits nothing can be seen, and dividing would only magnify noise.  Divided by opacity
        # before it is clipped: where a network overshoots beside an edge, it does so in both.
        shown = opacity > 1 / 512
        colours = np.where(shown, values[:, :, :-1] / np.where(shown, opacity, 1), 0)
        values = np.concatenate([colours, np.clip(opacity, 0, 1)], axis=2)
    values = values * np.float32(info.sample_range)
    if info.dtype == np.float32:
        gaps = planes[:, :, info.channels :]
        return np.where(np.isfinite(gaps), values, gaps).astype(np.float32, copy=False)
    samples: Array = np.clip(np.floor(values + 0.5), 0, info.sample_range).astype(info.dtype)
    return samples


class _Rows:
    """The last prepared strips: any window whose rows lie within them, mirrored at the picture's edges."""

    def __init__(self, strips: Iterator[Floats], height: int, width: int) -> None:
        self._strips, self._height, self._width = strips, height, width
        self._first, self._rows = 0, np.empty((0, 0, 0), np.float32)

    def window(self, top: int, bottom: int, left: int, right: int, keep: int) -> Floats:
        """Planes (bottom - top, right - left, P).  Rows above ``keep`` will not be asked for again."""
        rows = mirrored(top, bottom, self._height)
        while self._first + self._rows.shape[0] <= rows.max():
            strip = next(self._strips)
            if not self._rows.size:
                self._rows = strip
                continue
            drop = max(0, min(keep - self._first, self._rows.shape[0]))
            self._rows = np.concatenate([self._rows[drop:], strip])
            self._first += drop
        columns = mirrored(left, right, self._width)
        # Rows past the halo of the last strip are only there to keep windows of one size: any row will do.
        window: Floats = self._rows[np.ix_(np.maximum(rows - self._first, 0), columns)]
        return window


def _enlarged(
    prepared: Iterator[Floats],
    info: PictureInfo,
    chain: NetworkChain,
    tile: int,
    rows: int,
    finish: Callable[[Floats], Array],
    stopped: threading.Event | None,
) -> Iterator[Array]:
    """Strips of ``rows`` input rows, enlarged tile by tile; ``finish`` is applied to each tile.

    Ends early, within a strip, once ``stopped`` is set.
    """
    margin = chain.halo + (_FILL if info.dtype == np.float32 else 0)
    source = _Rows(prepared, info.height, info.width)
    columns = -(-info.width // -(-info.width // tile))
    columns = -(-columns // 8) * 8
    for down in spans(info.height, rows, margin):
        strip: Array | None = None
        for across in spans(info.width, columns, margin):
            if stopped is not None and stopped.is_set():
                return
            window = source.window(
                down.window_start, down.window_stop, across.window_start, across.window_stop, down.start - margin
            )
            try:
                large = _tile(window, info, chain)
            except InferenceError as error:
                raise InferenceError(
                    f"tile at column {across.start}, row {down.start} of {info.width} x {info.height}: {error}"
                ) from error
            s = chain.scale
            top, left = margin * s, margin * s
            high, wide = (down.stop - down.start) * s, (across.stop - across.start) * s
            part = finish(large[top : top + high, left : left + wide])
            if strip is None:
                strip = np.empty((high, info.width * s, part.shape[2]), part.dtype)
            strip[:, across.start * s : across.stop * s] = part
        if strip is not None:
            yield strip


def _tile(window: Floats, info: PictureInfo, chain: NetworkChain) -> Floats:
    """Enlarge the planes of one window (h, w, P) -> (s*h, s*w, P)."""
    s, colours = chain.scale, 3 if info.colour == "rgb" else 1
    values = window[:, :, : info.channels]
    gaps = window[:, :, info.channels :]
    if gaps.size:
        values = _filled(values)
    parts = [_through(values[:, :, :colours], chain)]
    if info.alpha:
        alpha = values[:, :, -1:]
        flat = bool(np.all(alpha == alpha[0, 0]))
        large = np.full((alpha.shape[0] * s, alpha.shape[1] * s, 1), alpha[0, 0, 0]) if flat else _through(alpha, chain)
        parts.append(large)
    if gaps.size:
        parts.append(gaps.repeat(s, axis=0).repeat(s, axis=1))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _through(values: Floats, chain: NetworkChain) -> Floats:
    """(h, w, 1 or 3) through the networks; one channel goes in as three equal ones and comes out as their mean."""
    grey = values.shape[2] == 1
    planes = np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)).transpose(2, 0, 1))
    large = _run_in_parts(planes, chain)
    return large.mean(axis=0)[:, :, None] if grey else large.transpose(1, 2, 0)


def _run_in_parts(planes: Floats, chain: NetworkChain) -> Floats:
    """(3, h, w) through the networks; when memory runs out, in halves with a halo, down to 2 halos of length."""
    try:
        large: Floats = chain.run(planes[None])[0]
        return large
    except MemoryError as error:
        axis = 1 if planes.shape[1] >= planes.shape[2] else 2
        length, halo, s = planes.shape[axis], chain.halo, chain.scale
        middle = length // 2
        if middle <= 2 * halo:
            raise InferenceError(
                f"out of memory even for {planes.shape[2]} x {planes.shape[1]} pixels; free memory or lower --threads"
            ) from error
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(0, middle + halo), slice(middle - halo, length)
        before = _run_in_parts(np.ascontiguousarray(planes[tuple(first)]), chain)
        after = _run_in_parts(np.ascontiguousarray(planes[tuple(second)]), chain)
        first[axis], second[axis] = slice(0, middle * s), slice(halo * s, None)
        return np.concatenate([before[tuple(first)], after[tuple(second)]], axis=axis)


def _filled(values: Floats) -> Floats:
    """Fill NaN from the surroundings: the mean of known neighbours, :data:`_FILL` pixels deep, then 0."""
    known = ~np.isnan(values)
    if known.all():
        return values
    filled = np.where(known, values, 0)
    known = known.astype(np.float32)
    for _ in range(_FILL):
        total, count = _neighbours(filled), _neighbours(known)
        new = (known == 0) & (count > 0)
        filled = np.where(new, total / np.maximum(count, 1), filled)
        known = np.where(new, 1, known)
    return filled


def _neighbours(planes: Floats) -> Floats:
    """Sum over the 3 x 3 neighbourhood, nothing outside the window."""
    padded = np.pad(planes, ((1, 1), (1, 1), (0, 0)))
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


def _resized(
    strips: Iterator[Floats], width: int, height: int, size: tuple[int, int], carried: int
) -> Iterator[Floats]:
    """Strips of a ``width`` x ``height`` picture -> strips of ``size`` (width, height), antialiased bicubic.

    The last ``carried`` planes are taken from the nearest sample instead: they hold gaps, which do not mix.
    """
    across, down = axis_resampler(width, size[0]), axis_resampler(height, size[1])
    across_gap, down_gap = _nearest(width, size[0]), _nearest(height, size[1])
    held = np.empty((0, 0, 0), np.float32)
    first = done = 0
    for strip in strips:
        split = strip.shape[2] - carried
        narrow = across.apply(strip[:, :, :split], 1)
        if carried:
            narrow = np.concatenate([narrow, across_gap.apply(strip[:, :, split:], 1)], axis=2)
        held = np.concatenate([held, narrow]) if held.size else narrow
        end = first + held.shape[0]
        ready = _ready(down, done, end)
        if ready == done:
            continue
        result = down.apply(held[:, :, :split], 0, start=done, stop=ready, offset=first)
        if carried:
            gaps = down_gap.apply(held[:, :, split:], 0, start=done, stop=ready, offset=first)
            result = np.concatenate([result, gaps], axis=2)
        yield result
        done = ready
        if done < down.out_length:
            keep = int(down.indices[done:].min())
            held, first = held[keep - first :], keep


def _ready(resampler: AxisResampler, done: int, end: int) -> int:
    """One past the last output sample whose inputs all lie before ``end``."""
    last = resampler.indices[done:].max(axis=1)
    waiting = np.nonzero(last >= end)[0]
    return done + (int(waiting[0]) if waiting.size else last.size)


def _nearest(in_length: int, out_length: int) -> AxisResampler:
    """Each output sample takes the input sample that it lies in."""
    positions = ((np.arange(out_length) + 0.5) * in_length / out_length).astype(np.int64)
    indices = np.minimum(positions, in_length - 1)[:, None]
    return AxisResampler(indices, np.ones(indices.shape), in_length)
