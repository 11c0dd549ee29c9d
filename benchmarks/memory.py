"""Peak memory while a very large picture is enlarged: a synthetic one, in a process of its own.

python benchmarks/memory.py --formats png tiff jpeg
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from superres.formats.vips import vips

#: What the measured process runs; arguments: source, target, scale, model, memory budget in bytes, threads.
_CHILD = """
import sys
from pathlib import Path
from superres.pipeline import Options, Upscaler
source, target, scale, model, memory, threads = sys.argv[1:]
options = Options(scale=float(scale), model=model, memory=int(memory), threads=int(threads))
with Upscaler(options) as upscaler:
    upscaler.file(Path(source), Path(target))
"""

_SUFFIXES = {"png": "png", "tiff": "tif", "jpeg": "jpg"}


@dataclass(frozen=True)
class Measured:
    """One run: largest resident size in bytes, processor and wall seconds, size of the result in bytes."""

    peak: int
    processor: float
    result: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Make, enlarge, print one row per format; the exit code."""
    options = _parser().parse_args(arguments)
    print(f"{options.width} x {options.height}, x{options.scale:g}, {options.model}, budget {options.memory:,} bytes\n")
    print("| format | source MB | peak RSS MB | processor s | result MB |\n|-|-:|-:|-:|-:|")
    failed = 0
    for name in options.formats:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            source = Path(folder) / f"source.{_SUFFIXES[name]}"
            make_picture(source, options.width, options.height)
            target = source.with_name(f"result.{_SUFFIXES[name]}")
            size = source.stat().st_size
            try:
                run = measure([source, target, options.scale, options.model, options.memory, options.threads], target)
            except subprocess.CalledProcessError as error:
                print(f"| {name} | {size / 1e6:.0f} | failed with exit code {error.returncode} | | |")
                failed = 1
                continue
        print(f"| {name} | {size / 1e6:.0f} | {run.peak / 1e6:.0f} | {run.processor:.1f} | {run.result / 1e6:.0f} |")
    return failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=12_000)
    parser.add_argument("--height", type=int, default=9_000)
    parser.add_argument("--scale", type=float, default=2)
    parser.add_argument("--model", default="standard")
    parser.add_argument("--memory", type=int, default=2_000_000_000, help="the budget given to superres, in bytes")
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    parser.add_argument("--formats", nargs="+", choices=sorted(_SUFFIXES), default=sorted(_SUFFIXES))
    parser.add_argument("--folder", type=Path, default=None, help="where files are made; the system's temporary folder")
    return parser


def make_picture(target: Path, width: int, height: int) -> None:
    """Write an 8-bit RGB picture of rings and soft noise, computed strip by strip while it is encoded."""
    image = vips().Image
    rings = image.zone(width, height).linear(40, 128)
    # One small field of noise, repeated: every encoder has work to do, and nothing of the full size is held.
    noise = image.gaussnoise(512, 512, sigma=12, mean=0).replicate(-(-width // 512), -(-height // 512))
    noise = noise.crop(0, 0, width, height)
    ramp = image.xyz(width, height)
    across, down = (ramp[axis].linear(60 / length, 0) for axis, length in ((0, width), (1, height)))
    planes = (rings + noise).bandjoin([rings + across - 30, 128 + across + down + noise - 60])
    planes.cast("uchar").copy(interpretation="srgb").write_to_file(str(target))


def measure(arguments: Sequence[object], target: Path) -> Measured:
    """Enlarge in a new process and wait for that one alone, so that its peak is not another's.

    Raises:
        CalledProcessError: it failed.
    """
    child = subprocess.Popen([sys.executable, "-c", _CHILD, *map(str, arguments)])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, "superres")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(usage.ru_maxrss * unit, usage.ru_utime + usage.ru_stime, target.stat().st_size)


if __name__ == "__main__":
    sys.exit(main())
