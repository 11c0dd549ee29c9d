"""Time of the networks alone, per frame, in every runtime and precision, beside each other in one run.

    python benchmarks/speed.py --torch

Runtimes take turns frame by frame, so that a busy moment of the machine falls on all of them; the best of the rounds
counts.  Ratios travel between machines, milliseconds do not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from superres.backends import Precision, open_backend
from superres.errors import SuperresError
from superres.zoo import Model, list_cards, load_model

Frame = npt.NDArray[np.float32]
Runner = Callable[[Frame], object]

#: Name of a column -> runtime and precision.
_COLUMNS: dict[str, tuple[str, Precision]] = {
    "OpenVINO fp32": ("openvino", "fp32"),
    "OpenVINO bf16": ("openvino", "bf16"),
    "ONNX Runtime fp32": ("onnxruntime", "fp32"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one row per model; the exit code."""
    options = _parser().parse_args(arguments)
    width, height = options.pixels
    columns = [*_COLUMNS, *(["PyTorch eager"] if options.torch else [])]
    print(f"{width} x {height} pixels in, best of {options.rounds}; in brackets: times as fast as ONNX Runtime fp32\n")
    print("| model | " + " | ".join(f"{name}, ms" for name in columns) + " |\n|-" + "|-:" * len(columns) + "|")
    for card in list_cards():
        if options.models and card.stem not in options.models:
            continue
        runners = _runners(load_model(card.name, card.scale), options.threads, with_torch=options.torch)
        frame = np.random.default_rng(0).random((1, card.channels, height, width), np.float32)
        best = _best_seconds(runners, frame, options.rounds)
        base = best.get("ONNX Runtime fp32")
        cells = [_cell(best.get(name), base) for name in columns]
        print(f"| {card.stem} | " + " | ".join(cells) + " |", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pixels", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), default=(320, 180))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=0, help="cores, 0 for all")
    parser.add_argument("--models", nargs="+", help="only these, such as standard_x4")
    parser.add_argument("--torch", action="store_true", help="PyTorch eager as well")
    return parser


def _runners(model: Model, threads: int, *, with_torch: bool) -> dict[str, Runner]:
    """What can run this model here; a runtime that is absent or lacks a precision leaves its cell empty."""
    runners: dict[str, Runner] = {}
    for name, (runtime, precision) in _COLUMNS.items():
        try:
            runners[name] = open_backend(runtime, model.onnx, precision=precision, threads=threads).run
        except SuperresError as error:
            print(f"speed.py: {name}: {error}", file=sys.stderr)
    if with_torch:
        runners["PyTorch eager"] = _torch_runner(model, threads)
    return runners


def _torch_runner(model: Model, threads: int) -> Runner:
    """The deployed stack in PyTorch, with random weights: time does not depend on them."""
    import onnx
    import torch

    from superres.networks.reparam import PlainStack

    if threads:
        torch.set_num_threads(threads)
    kernels = [t for t in onnx.load_model_from_string(model.onnx).graph.initializer if list(t.dims)[2:] == [3, 3]]
    network = PlainStack(model.card.scale, model.card.channels, kernels[0].dims[0], len(kernels), 0.1).eval()

    def run(frame: Frame) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(frame))

    return run


def _best_seconds(runners: dict[str, Runner], frame: Frame, rounds: int) -> dict[str, float]:
    best: dict[str, float] = {}
    for name, run in runners.items():
        run(frame)  # the first call plans for this size
        best[name] = float("inf")
    for _ in range(max(1, rounds)):
        for name, run in runners.items():
            started = time.perf_counter()
            run(frame)
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def _cell(seconds: float | None, base: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1e3:.1f}" + (f" ({base / seconds:.2f})" if base else "")


if __name__ == "__main__":
    sys.exit(main())
