"""A raster far larger than memory: peak memory while it is enlarged, and the same bytes after kills.

    python benchmarks/raster_memory.py --side 60000

The raster is sparse: a few blocks hold a scene, the others are absent.  One run goes through; another is killed
(SIGKILL) again and again and taken up by the same command.  Both results must have the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio

#: Arguments: source, target, scale, model, memory budget in bytes, threads.
_CHILD = """
import sys
from pathlib import Path
from superres.formats import Limits
from superres.pipeline import Options, Upscaler
source, target, scale, model, memory, threads = sys.argv[1:]
limits = Limits(10**12, 10**12)
options = Options(scale=float(scale), model=model, memory=int(memory), threads=int(threads), limits=limits)
with Upscaler(options) as upscaler:
    upscaler.file(Path(source), Path(target), report=lambda done, total: print(done, total, flush=True))
"""

_BLOCK = 512


def main(arguments: Sequence[str] | None = None) -> int:
    """Make, enlarge twice, compare; the exit code."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source, whole, target = folder / "source.tif", folder / "whole.tif", folder / "killed.tif"
        make_raster(source, options.side, options.blocks, options.striped)
        fixed = [str(value) for value in (options.scale, options.model, options.memory, options.threads)]
        print(f"{options.side} x {options.side} x{options.scale:g}, {options.model}, {source.stat().st_size:,} bytes")
        peak, reports = run([str(source), str(whole), *fixed], None)
        print(
            f"through: peak {peak / 1e6:.0f} MB resident, {reports} reports, {whole.stat().st_size:,} bytes", flush=True
        )
        chance, peaks = random.Random(0), []
        for _ in range(options.kills):
            peak, seen = run([str(source), str(target), *fixed], chance.randint(1, max(1, reports // options.kills)))
            peaks.append(peak)
            print(f"killed after {seen} reports, peak {peak / 1e6:.0f} MB resident", flush=True)
        peak, seen = run([str(source), str(target), *fixed], None)
        print(f"taken up: {seen} reports, peak {max(peak, *peaks) / 1e6:.0f} MB resident")
        same = digest(whole) == digest(target)
        print("the bytes are the same" if same else "THE BYTES DIFFER")
    return 0 if same else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=60_000)
    parser.add_argument("--blocks", type=int, default=6, help="how many blocks hold something")
    parser.add_argument("--striped", action="store_true", help="in strips of whole rows instead of tiles")
    parser.add_argument("--scale", type=float, default=2)
    parser.add_argument("--model", default="realtime")
    parser.add_argument("--memory", type=int, default=1_000_000_000, help="the budget given to superres, in bytes")
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where files are made; the system's temporary folder")
    return parser


def make_raster(target: Path, side: int, blocks: int, striped: bool) -> None:
    """8-bit hills and noise in a few blocks; everything else is absent from the file."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:_BLOCK, :_BLOCK]
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint8", "compress": "deflate"}
    profile |= {"SPARSE_OK": True, "BIGTIFF": "IF_SAFER", "tiled": not striped, "blockysize": 16 if striped else _BLOCK}
    if not striped:
        profile["blockxsize"] = _BLOCK
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 0, 0, -10, 0)}
    with rasterio.open(target, "w", **(profile | place)) as dataset:
        for row, column in rng.integers(0, side // _BLOCK, (blocks, 2)) * _BLOCK:
            hills = 120 + 50 * np.sin(x / rng.integers(5, 40)) + 40 * np.cos(y / rng.integers(5, 40))
            samples = np.clip(hills + rng.normal(0, 8, hills.shape), 1, 255).astype(np.uint8)
            dataset.write(samples, 1, window=((row, row + _BLOCK), (column, column + _BLOCK)))


def run(arguments: list[str], kill_after: int | None) -> tuple[int, int]:
    """Enlarge in a new process: (largest resident size in bytes, reports seen).

    Raises:
        CalledProcessError: it failed by itself.
    """
    child = subprocess.Popen([sys.executable, "-c", _CHILD, *arguments], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    seen = 0
    for _ in child.stdout:
        seen += 1
        if seen == kill_after:
            child.send_signal(signal.SIGKILL)
            break
    _, status, usage = os.wait4(child.pid, 0)
    child.stdout.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode and kill_after is None:
        raise subprocess.CalledProcessError(child.returncode, "superres")
    # Linux counts in KiB, macOS in bytes.
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), seen


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
