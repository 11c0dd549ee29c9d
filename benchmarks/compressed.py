"""Which network suits which JPEG: pictures made soft, noisy and compressed to a quality, and brought back.

    python benchmarks/compressed.py --data FOLDER --scale 2 4

A patch from the middle of every picture is reduced; a blur (standard deviation in its pixels), noise (in 8-bit steps)
and JPEG with colour at half resolution are put on it, the same for every picture; each model enlarges it again.  PSNR-Y
in the published protocol, mean over all pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.degrade.applying import apply_steps
from superres.degrade.steps import Blur, Codec, Noise, Resize, Step
from superres.errors import SuperresError
from superres.formats import read_image
from superres.image import Image
from superres.metrics.protocol import score
from superres.pipeline import Options, Upscaler
from superres.resize import resize

Bytes = npt.NDArray[np.uint8]

#: Blur, noise, quality of JPEG.
_SOURCES = [
    *((0.0, 0.0, quality) for quality in (60, 75, 80, 85, 90, 95, 98)),
    *((0.0, 4.0, quality) for quality in (75, 92)),
    *((0.5, noise, quality) for noise in (0.0, 4.0) for quality in (75, 92)),
    *((0.8, noise, quality) for noise in (0.0, 4.0) for quality in (75, 92)),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code."""
    options = _parser().parse_args(arguments)
    models = options.models
    print("| scale | blur | noise | quality | bicubic | " + " | ".join(models) + " |")
    print("|-:|-:|-:|-:|" + "-:|" * (1 + len(models)))
    try:
        for scale in options.scale:
            truth = [_middle(path, options.side * scale) for path in sorted(options.data.iterdir())]
            with ExitStack() as stack:
                upscalers = [stack.enter_context(Upscaler(Options(scale=scale, model=one))) for one in models]
                for source in _SOURCES:
                    _print_row(scale, source, truth, upscalers)
    except SuperresError as error:
        print(f"compressed.py: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--data", type=Path, required=True, help="folder of pictures without loss, such as Kodak24")
    made.add_argument("--scale", type=int, nargs="+", default=[2, 4])
    made.add_argument("--models", nargs="+", default=["standard", "restore"])
    made.add_argument("--side", type=int, default=120, help="of the patches, once reduced")
    return made


def _middle(path: Path, side: int) -> Bytes:
    samples = read_image(path).samples
    top, left = ((length - side) // 2 for length in samples.shape[:2])
    if min(top, left) < 0:
        raise SuperresError(f"{path}: has {samples.shape[1]} x {samples.shape[0]} pixels; expected at least {side}")
    return np.ascontiguousarray(samples[top : top + side, left : left + side])


def _print_row(
    scale: int, source: tuple[float, float, int], truth: Sequence[Bytes], upscalers: Sequence[Upscaler]
) -> None:
    blur, noise, quality = source
    steps: list[Step] = [Resize(), Noise("gaussian", noise), Codec("jpeg", quality)]
    if blur:
        steps.insert(0, Blur("gaussian", (blur, blur)))
    found: list[list[float]] = []
    for number, whole in enumerate(truth):
        size = (whole.shape[0] // scale, whole.shape[1] // scale)
        low: Any = apply_steps(whole, steps, size, np.random.default_rng(number))
        bicubic = np.clip(np.rint(resize(low.astype(np.float32), scale=scale)), 0, 255).astype(np.uint8)
        results = [bicubic, *(upscaler.image(Image.from_array(low)).samples for upscaler in upscalers)]
        found.append([score(result, whole, scale).psnr for result in results])
    cells = [f"{value:.2f}" for value in np.mean(found, axis=0)]
    print(f"| ×{scale} | {blur:g} | {noise:g} | {quality} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
