"""From file to file: what a user waits for, beside inference alone and decoding and encoding alone, in one run.

    python benchmarks/end_to_end.py --model standard

The first table holds the whole against the slower of its two parts, which run side by side.  The second one is a folder
of small pictures against pure inference on them, one picture at a time and as many at once as the machine has lanes.
The third holds our tiles, halo and all, against OpenVINO's own loop over windows of the best size.  The fourth is time
per megapixel as pictures grow, up to 10 megapixels the best of the rounds: in the first one networks are prepared for a
size of tiles.  Ratios travel between machines, seconds do not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from memory import make_picture

from superres.benchmark.contenders import throughput_loop
from superres.chain import NetworkChain
from superres.cli.batch import run_batch
from superres.formats import Limits, open_reader, open_writer, write_image
from superres.image import Image
from superres.pipeline import MemoryReader, Options, Upscaler
from superres.zoo import load_model

Bytes = npt.NDArray[np.uint8]

_CASES = ["whole", "folder", "engine", "growth"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print four tables; the exit code."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        print(f"{options.model}, best of {options.rounds}\n")
        if "whole" in options.cases:
            print("| case | whole s | inference s | decode + encode s | whole / slower part |\n|-|-:|-:|-:|-:|")
            _whole_case(folder, "png", (1024, 1024), 4, options.model, options.rounds)
            _whole_case(folder, "jpg", (4000, 3000), 2, options.model, options.rounds)
        if "folder" in options.cases:
            print("\n| 100 pictures of 256 x 256, x4 | s |\n|-|-:|")
            _folder_case(folder, options.model, options.rounds)
        if "engine" in options.cases:
            print("\n| picture, x4, int8 | ours, s per Mpx | OpenVINO's loop | its window | ratio |\n|-|-:|-:|-:|-:|")
            _engine_case(options.model, options.rounds)
        if "growth" in options.cases:
            costs = "s per Mpx | to the first | processor s per Mpx | to the first | peak RSS MB"
            print(f"\n| Mpx in, x2, {options.format.upper()} | {costs} |")
            print("|-:|-:|-:|-:|-:|-:|")
            _growth_case(folder, options.model, options.megapixels, options.rounds, options.format)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="standard")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megapixels", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--format", choices=["tiff", "png"], default="tiff", help="of the growing pictures")
    parser.add_argument("--cases", nargs="+", choices=_CASES, default=_CASES)
    parser.add_argument("--folder", type=Path, help="where files are made; needs room for the largest result")
    return parser


def picture(width: int, height: int) -> Image:
    """Shapes, gradients and grain: neither as easy as a flat picture nor as hard as noise."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(x / (9 + 4 * c)) * np.cos(y / (13 + 3 * c)) + np.sin((x + y) / (60 + c)) for c in range(3)]
    values = 128 + 45 * np.stack(waves, axis=2) + random.normal(0, 2, (height, width, 3)).astype(np.float32)
    return Image.from_array(np.clip(values, 0, 255).astype(np.uint8))


def _best(work: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def _whole_case(folder: Path, suffix: str, size: tuple[int, int], scale: int, model: str, rounds: int) -> None:
    source, target = folder / f"source.{suffix}", folder / f"result.{suffix}"
    small = picture(*size)
    write_image(small, source, overwrite=True)
    with Upscaler(Options(scale=scale, model=model, overwrite=True)) as upscaler:
        large = upscaler.image(small)  # the networks are loaded, and planned for these tiles
        # Parts and whole take turns, so that a busy moment falls on all of them.
        times = [float("inf")] * 3
        for _ in range(rounds):
            works = (
                lambda: upscaler.file(source, target),
                lambda: upscaler.image(small),
                lambda: _decode_and_encode(source, target, large),
            )
            times = [min(best, _best(work, 1)) for best, work in zip(times, works, strict=True)]
    whole, inference, files = times
    name = f"{suffix} {size[0]} x {size[1]} x{scale}"
    print(f"| {name} | {whole:.2f} | {inference:.2f} | {files:.2f} | {whole / max(inference, files):.2f} |", flush=True)


def _decode_and_encode(source: Path, target: Path, large: Image) -> None:
    reader = open_reader(source)
    reader.read(0, reader.info.height)
    reader.close()
    writer = open_writer(target, large.info, overwrite=True)
    try:
        for start in range(0, large.info.height, 256):
            writer.write(large.samples[start : start + 256])
        writer.commit()
    finally:
        writer.abort()


def _folder_case(folder: Path, model: str, rounds: int) -> None:
    sources = folder / "many"
    sources.mkdir()
    small = picture(256, 256)
    for index in range(100):
        write_image(small, sources / f"{index:03}.png")
    options = Options(scale=4, model=model, overwrite=True)
    with Upscaler(options) as upscaler:
        chain = upscaler.chain(small.info, (1024, 1024))
        run = _bare_run(chain, small.samples)
        run()
        inference = _best(lambda: [run() for _ in range(100)], rounds)
        with ThreadPoolExecutor(chain.lanes) as lanes:
            together = _best(lambda: list(lanes.map(lambda _: run(), range(100))), rounds)
    whole = _best(
        lambda: run_batch([str(sources)], str(folder / "out"), options, recursive=False, json_lines=False), rounds
    )
    print(
        f"| inference alone, one at a time | {inference:.2f} |\n| inference alone, in lanes | {together:.2f} |\n"
        f"| from file to file | {whole:.2f} ({whole / inference:.2f}, {whole / together:.2f}) |",
        flush=True,
    )


def _bare_run(chain: NetworkChain, samples: Bytes) -> Callable[[], object]:
    """One call of the networks in the arithmetic that they have, and nothing else."""
    if chain.precision == "int8":
        return partial(chain.run_bytes, samples[None])
    return partial(chain.run, np.ascontiguousarray(samples.transpose(2, 0, 1)[None], np.float32) / np.float32(255))


#: Windows, in input pixels, that OpenVINO's loop is tried with.
_WINDOWS = (128, 256, 384, 536)


def _engine_case(model: str, rounds: int) -> None:
    """Useful megapixels per second of tiles in parallel, beside a loop that computes windows and nothing else."""
    loop = throughput_loop(load_model(model, 4, int8=True).onnx, 0)
    windows = {side: picture(side, side).samples for side in _WINDOWS}
    for window in windows.values():
        loop(window)  # plans for this size
    with Upscaler(Options(scale=4, model=model, precision="int8")) as upscaler:
        for side in (512, 1024, 2048):
            whole = picture(side, side)
            size = (4 * side, 4 * side)

            def work(whole: Image = whole, size: tuple[int, int] = size) -> None:
                for _ in upscaler.strips(whole.info, size, MemoryReader(whole), None):
                    pass

            work()
            ours, bare = float("inf"), dict.fromkeys(_WINDOWS, float("inf"))
            for _ in range(rounds):
                took = _best(work, 1)
                ours = min(ours, took / side**2)
                bare = {at: min(best, _mean(partial(loop, windows[at]), took) / at**2) for at, best in bare.items()}
            best = min(bare, key=lambda at: bare[at])
            print(
                f"| {side} x {side} | {ours * 1e6:.3f} | {bare[best] * 1e6:.3f} | {best} | {bare[best] / ours:.2f} |",
                flush=True,
            )


def _mean(seconds: Callable[[], float], least: float) -> float:
    """The mean of what is measured in at least so many seconds: a shorter time would find a quicker moment."""
    found, begun = [], time.perf_counter()
    while not found or time.perf_counter() - begun < least:
        found.append(seconds())
    return sum(found) / len(found)


def _growth_case(folder: Path, model: str, megapixels: Sequence[int], rounds: int, suffix: str) -> None:
    """Wall and processor seconds per megapixel, and the largest resident size, of ever larger pictures."""
    first = None
    limits = Limits(input_pixels=500_000_000)
    source, target = folder / f"grown.{suffix}", folder / f"large.{suffix}"
    with Upscaler(Options(scale=2, model=model, overwrite=True, limits=limits)) as upscaler:
        upscaler.image(picture(64, 64))  # the networks are loaded
        for size in megapixels:
            side = round((size * 1e6) ** 0.5)
            make_picture(source, side, side)
            # Linux: what was the peak so far is forgotten.
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            wall = spent = float("inf")
            for _ in range(rounds if size <= 10 else 1):
                begun = time.process_time()
                wall = min(wall, _best(partial(upscaler.file, source, target), 1) / size)
                spent = min(spent, (time.process_time() - begun) / size)
            first = first or (wall, spent)
            print(
                f"| {size} | {wall:.3f} | {wall / first[0]:.2f} | {spent:.3f} | {spent / first[1]:.2f} | "
                f"{_peak_megabytes():.0f} |",
                flush=True,
            )


def _peak_megabytes() -> float:
    """The largest resident size since it was last forgotten."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
