"""Who takes part: one model in one runtime and arithmetic, or another program as a whole."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.backends import Precision, open_backend
from superres.errors import MissingExtraError, OptionError, SuperresError
from superres.formats import read_image, write_image
from superres.image import Image
from superres.resize import resize
from superres.zoo import ModelCard, load_model

__all__ = ["Contender", "bicubic_contender", "model_contenders", "peer_contender", "throughput_loop"]

Bytes = npt.NDArray[np.uint8]

# What is timed: uint8 (H, W, 3) -> anything.
_Run = Callable[[Bytes], Any]

_PARALLEL = "OpenVINO int8, frames in parallel"

# Of one measurement with frames in parallel: enough that filling and emptying the queue is a small part.
_FRAMES = 16


@dataclass(frozen=True)
class Contender:
    """Something that enlarges a picture.

    Attributes:
        name: of the method: a model's, or a program's.
        runtime: and arithmetic, such as ``OpenVINO int8``.
        run: uint8 (H, W, 3) -> anything; what is timed.
        precision: whose peak it is held against; None where there is no peak.
        gmacs_per_pixel: multiply-accumulates, in 1e9, per input pixel.
        scores: test set -> PSNR in dB.
        seconds: takes the time itself, where starting up is not to count; None to take the time of ``run``.
        command: (height, width) -> a command line that enlarges a picture of that size in a process of its own, whose
            memory tells; None where there is none.
    """

    name: str
    runtime: str
    run: _Run
    precision: Precision | None = None
    gmacs_per_pixel: float = 0.0
    scores: dict[str, float] | None = None
    seconds: Callable[[Bytes], float] | None = None
    command: Callable[[tuple[int, int]], list[str]] | None = None


def bicubic_contender(scale: int) -> Contender:
    """The baseline: antialiased bicubic."""
    command = partial(_apart, "bicubic", scale, Path(), "", 0)
    return Contender("bicubic", "NumPy", lambda picture: resize(picture, scale=scale), command=command)


def model_contenders(
    card: ModelCard, folder: Path, threads: int, *, with_torch: bool, runtime: str = ""
) -> Iterator[Contender]:
    """One model in every runtime and arithmetic that there is here.

    Args:
        card: of the model.
        folder: where it lies.
        threads: cores, 0 for all.
        with_torch: PyTorch, eager and channels-last, as well.
        runtime: the only one wanted, as :class:`Contender` calls it; all when empty.
    """
    scores = {name: values["psnr"] for name, values in card.scores.items()}
    rounded = {name: psnr - card.int8.loss[name] for name, psnr in scores.items() if name in card.int8.loss}
    per_pixel = card.gmacs / (1280 / card.scale * 720 / card.scale)
    contents = load_model(card.name, card.scale, folder).onnx
    ways: list[tuple[str, Precision, Callable[[], _Run | None]]] = []
    if card.int8.sha256:
        eight_bit = load_model(card.name, card.scale, folder, int8=True).onnx
        ways += [
            (_PARALLEL, "int8", lambda: throughput_loop(eight_bit, threads)),
            ("OpenVINO int8", "int8", lambda: _opened("openvino", eight_bit, "int8", threads)),
            ("ONNX Runtime int8", "int8", lambda: _opened("onnxruntime", eight_bit, "int8", threads)),
        ]
    ways += [
        ("OpenVINO bf16", "bf16", lambda: _opened("openvino", contents, "bf16", threads)),
        ("OpenVINO fp32", "fp32", lambda: _opened("openvino", contents, "fp32", threads)),
        ("ONNX Runtime fp32", "fp32", lambda: _opened("onnxruntime", contents, "fp32", threads)),
    ]
    if with_torch:
        ways += [
            ("PyTorch eager", "fp32", lambda: _in_torch(contents, card.stem, threads, channels_last=False)),
            ("PyTorch channels-last", "fp32", lambda: _in_torch(contents, card.stem, threads, channels_last=True)),
        ]
    for label, precision, opened in ways:
        run = opened() if runtime in ("", label) else None
        if run is None:
            continue
        taking = _first_channels(run, card.channels)
        yield Contender(
            card.stem,
            label,
            taking,
            precision,
            per_pixel,
            rounded if precision == "int8" else scores,
            taking if label == _PARALLEL else None,
            partial(_apart, card.name, card.scale, folder, label, threads),
        )


def _apart(name: str, scale: int, folder: Path, runtime: str, threads: int, size: tuple[int, int]) -> list[str]:
    """The command line that enlarges one picture in one way; see ``superres.benchmark.once``."""
    told = [name, str(scale), str(folder), runtime, str(threads), *map(str, size)]
    return [sys.executable, "-m", "superres.benchmark.once", *told]


def _first_channels(run: _Run, channels: int) -> _Run:
    """A network of one channel is given one plane of the picture."""
    return lambda picture: run(picture[:, :, :channels])


def _opened(runtime: str, contents: bytes, precision: Precision, threads: int) -> _Run | None:
    """A backend, or nothing where it is not installed or lacks the arithmetic."""
    try:
        backend = open_backend(runtime, contents, precision=precision, threads=threads)
    except (MissingExtraError, OptionError):
        return None
    if precision == "int8":
        return lambda picture: backend.run_bytes(picture[None])
    return lambda picture: backend.run(_planes(picture))


def throughput_loop(contents: bytes, threads: int) -> Callable[[Bytes], float]:
    """Seconds per frame when several are in flight, the size fixed: what OpenVINO's own benchmark measures.

    Bytes go in and bytes come out, uint8 (1, H, W, C) -> uint8 (1, s*H, s*W, C), all of it in the graph.

    Args:
        contents: of an ONNX file with 8-bit weights.
        threads: cores, 0 for all.
    """
    import openvino

    from superres.backends.openvino_bytes import byte_graph, pixel_graph

    core = openvino.Core()
    graph = pixel_graph(byte_graph(core.read_model(contents, b"")))
    properties = {"PERFORMANCE_HINT": "THROUGHPUT", **({"INFERENCE_NUM_THREADS": threads} if threads else {})}
    queues: dict[tuple[int, ...], openvino.AsyncInferQueue] = {}

    def seconds(picture: Bytes) -> float:
        batch = picture[None]
        if batch.shape not in queues:
            graph.reshape(list(batch.shape))
            queues[batch.shape] = openvino.AsyncInferQueue(core.compile_model(graph, "CPU", properties))
        queue = queues[batch.shape]
        started = time.perf_counter()
        for _ in range(_FRAMES):
            queue.start_async([batch])
        queue.wait_all()
        return (time.perf_counter() - started) / _FRAMES

    return seconds


def _planes(picture: Bytes) -> npt.NDArray[np.float32]:
    """uint8 (H, W, 3) -> float32 (1, 3, H, W) in [0, 1]."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def _in_torch(contents: bytes, name: str, threads: int, *, channels_last: bool) -> _Run | None:
    """The stack of convolutions in PyTorch, or nothing for another architecture."""
    import torch

    from superres.deploy.quantise import read_stack

    try:
        network = read_stack(contents, name)
    except SuperresError:
        return None
    if threads:
        torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format

    def run(picture: Bytes) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(_planes(picture)).contiguous(memory_format=layout))

    return run


@contextmanager
def peer_contender(name: str, command: str, scale: int) -> Iterator[Contender]:
    """Another program: a command line with ``{input}``, ``{output}`` and ``{scale}`` in it.

    Its time is the whole command's, start included; give it a large picture.

    Raises:
        OptionError: a command without input or output.
    """
    if "{input}" not in command or "{output}" not in command:
        raise OptionError(f"peer {name!r}: {command!r} lacks {{input}} or {{output}}")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.png", Path(folder) / "out.png"

        words = [word.format(input=str(source), output=str(target), scale=scale) for word in shlex.split(command)]

        def seconds(picture: Bytes) -> float:
            write_image(Image.from_array(picture), source, overwrite=True)
            started = time.perf_counter()
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            spent = time.perf_counter() - started
            if done.returncode or not target.exists():
                raise OptionError(f"peer {name!r} failed with exit code {done.returncode}: {done.stderr[-300:]}")
            large = read_image(target)
            if large.samples.shape[:2] != (picture.shape[0] * scale, picture.shape[1] * scale):
                raise OptionError(
                    f"peer {name!r} made {large.info.width} x {large.info.height} pixels, expected x{scale}"
                )
            target.unlink()
            return spent

        yield Contender(name, "command", seconds, seconds=seconds, command=lambda _: words)
