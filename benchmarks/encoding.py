"""Processor time and size of written pictures: PNG and TIFF, fast and small, beside libvips' PNG.

    python benchmarks/encoding.py LARGE_PICTURE

Processor time, since inference has the cores meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from superres.formats import open_writer, read_image
from superres.formats.vips import vips
from superres.image import Image


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one table; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    print(f"Best of {options.rounds}.\n\n| picture | written as | processor s | MB |\n|-|-|-:|-:|")
    for path in options.pictures:
        image = read_image(path)
        with tempfile.TemporaryDirectory() as folder:
            for name, write in _writers(image, Path(folder)).items():
                seconds, target = _best(write, options.rounds)
                label = f"{path.name}, {image.info.width} x {image.info.height}"
                print(f"| {label} | {name} | {seconds:.3f} | {target.stat().st_size / 1e6:.2f} |", flush=True)
    return 0


def _writers(image: Image, folder: Path) -> dict[str, Callable[[], Path]]:
    def ours(suffix: str, compression: str) -> Callable[[], Path]:
        def write() -> Path:
            target = folder / f"{compression}{suffix}"
            writer = open_writer(target, image.info, compression=compression, overwrite=True)
            try:
                writer.write(image.samples)
                writer.commit()
            finally:
                writer.abort()
            return target

        return write

    def plain(level: int) -> Callable[[], Path]:
        def write() -> Path:
            target = folder / f"vips{level}.png"
            vips().Image.new_from_array(image.samples).pngsave(str(target), compression=level, filter="paeth")
            return target

        return write

    return {
        "PNG, fast": ours(".png", "fast"),
        "PNG, small": ours(".png", "small"),
        "PNG, libvips, level 3, Paeth": plain(3),
        "TIFF, fast": ours(".tif", "fast"),
        "TIFF, small": ours(".tif", "small"),
    }


def _best(write: Callable[[], Path], rounds: int) -> tuple[float, Path]:
    best, target = float("inf"), Path()
    for _ in range(rounds):
        begun = time.process_time()
        target = write()
        best = min(best, time.process_time() - begun)
    return best, target


if __name__ == "__main__":
    sys.exit(main())
