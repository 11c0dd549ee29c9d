"""Known truth: volumes made thick along their third axis and brought back, by every choice of ``--through-plane``.

    python benchmarks/through_plane.py --data FOLDER_OF_SAMPLES --scale 2 4

Thick slices are means of thin ones.  PSNR over all voxels of the volume, from the range of its values; nothing is
rounded or clipped.  ``keeps`` is how far means of the result are from the thick slices, at most, in percent of the
range.  ``--middle 64`` takes the middle 64 voxels of the first two axes, ``--only "MNI T1"`` that volume alone.
Besides the choices of the command ``--ways`` knows ``untaught``, which is ``self`` that begins with nothing instead of
``shipped``: ``--ways self untaught --steps 100`` compares them.

The MNI volume is the mean of many brains on an empty ground: nearly free of noise, so that far more of it can be
brought back than of a single scan.  The scans below it say what to expect.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from known_truth import SCANS, TEMPLATE, parser, volume

from superres.errors import SuperresError
from superres.metrics.psnr import psnr
from superres.pipeline import Options, Upscaler
from superres.resize import axis_resampler
from superres.workflows.self_trained import STEPS, SelfTrained
from superres.workflows.through_plane import MakeNetwork, cubic_network, enlarge_axis, shipped_network

Floats = npt.NDArray[np.float32]

_VOLUMES = {"MNI T1": TEMPLATE, **SCANS}
_WAYS = ("cubic", "shipped", "self", "untaught")


@dataclass(frozen=True)
class Score:
    """dB; largest difference of a mean from its thick slice, in percent of the range; wall and processor seconds."""

    psnr: float
    kept: float
    seconds: float
    busy: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the exit code."""
    made = parser(__doc__, "folder that holds nifti samples")
    made.add_argument("--middle", type=int, default=0, help="voxels of the first two axes that are used; 0 for all")
    made.add_argument("--only", nargs="+", choices=tuple(_VOLUMES), default=list(_VOLUMES))
    made.add_argument("--ways", nargs="+", choices=_WAYS, default=["cubic", "shipped", "self"])
    made.add_argument("--steps", type=int, default=STEPS, help="of the trainings")
    options = made.parse_args(arguments)
    print("| data | voxels | scale | way | dB | over cubic | keeps % | seconds | processor |")
    print("|-|-|-:|-|-:|-:|-:|-:|-:|")
    try:
        with Upscaler(Options(model=options.model, precision="fp32", threads=options.threads)) as upscaler:
            for name in options.only:
                whole = _middle(volume(options.data / _VOLUMES[name]), options.middle)
                for scale in options.scale:
                    truth = whole[:, :, : whole.shape[2] // scale * scale]
                    cubic = measured(truth, scale, cubic_network).psnr
                    for way, make in _ways(options.ways, upscaler, options.threads, options.steps):
                        try:
                            score = measured(truth, scale, make)
                        except SuperresError as error:
                            print(f"| {name} | | ×{scale} | {way} | {error} |", flush=True)
                            continue
                        cells = f"{score.psnr:.2f} | {score.psnr - cubic:+.2f} | {score.kept:.3f} | "
                        cells += f"{score.seconds:.0f} | {score.busy:.0f}"
                        voxels = " × ".join(map(str, truth.shape))
                        print(f"| {name} | {voxels} | ×{scale} | {way} | {cells} |", flush=True)
    except SuperresError as error:
        print(f"through_plane.py: {error}", file=sys.stderr)
        return 1
    return 0


def _middle(whole: Floats, side: int) -> Floats:
    if not side:
        return whole
    first, second = (slice(max(0, (n - side) // 2), (n + side) // 2) for n in whole.shape[:2])
    return whole[first, second]


def _ways(wanted: Sequence[str], upscaler: Upscaler, threads: int, steps: int) -> Iterator[tuple[str, MakeNetwork]]:
    for way in wanted:
        if way == "cubic":
            yield way, cubic_network
        elif way == "shipped":
            yield way, shipped_network(upscaler.rows)
        else:
            yield way, SelfTrained("the volume", threads, lambda: None, steps=steps, shipped=way == "self")


def measured(truth: Floats, scale: int, make: MakeNetwork) -> Score:
    """One way of bringing back (X, Y, Z) that was reduced along its third axis."""
    length = truth.shape[2]
    low = axis_resampler(length, length // scale, "area").apply(truth, 2)
    result, started, worked = np.empty_like(truth), time.perf_counter(), time.process_time()
    enlarge_axis(low, 2, length, make, result, lambda: None)
    seconds, busy = time.perf_counter() - started, time.process_time() - worked
    back = axis_resampler(length, length // scale, "area").apply(result, 2)
    return Score(psnr(result, truth, 1.0), 100 * float(np.abs(back - low).max()), seconds, busy)


if __name__ == "__main__":
    sys.exit(main())
