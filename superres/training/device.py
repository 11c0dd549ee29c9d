"""Where a training runs, and in which arithmetic."""

from __future__ import annotations

import contextlib
import ctypes
import logging

import torch
from lightning_fabric import Fabric

from superres.backends.openvino import has_bf16
from superres.errors import OptionError

__all__ = ["imitated", "keep_freed_memory", "make_fabric", "seed_draws"]

_PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def make_fabric(precision: str, processes: int = 1) -> Fabric:
    """Where and in which arithmetic a training runs: on GPUs if there are any, else on the processor.

    Args:
        precision: ``fp32``, ``bf16`` or ``fp16``.
        processes: more than one share each batch out and average their gradients.

    Raises:
        OptionError: fp16 without a GPU, or a number of processes below 1 or above that of the GPUs.
    """
    gpus = torch.cuda.device_count()
    if precision == "fp16" and not gpus:
        raise OptionError("precision = 'fp16' needs a GPU, and there is none here; expected bf16 or fp32")
    if processes < 1 or 0 < gpus < processes:
        raise OptionError(f"processes = {processes}: expected {f'1 to {gpus}, the GPUs here' if gpus else '1 or more'}")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces every autocast
    where, strategy = "cuda" if gpus else "cpu", "auto" if processes == 1 else "ddp_spawn"
    return Fabric(accelerator=where, strategy=strategy, devices=processes, precision=_PRECISIONS[precision])  # type: ignore[arg-type]


def imitated(precision: str) -> bool:
    """Whether a training here would imitate this arithmetic: bf16 on a processor that has none.

    PyTorch computes the same numbers then, about ten times slower than fp32.
    """
    return precision == "bf16" and not torch.cuda.device_count() and not has_bf16()


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed what layers such as dropout draw from on one device.

    ``torch.manual_seed`` seeds every kind of device, and where one is absent keeps the stack to tell of later: that
    takes a hundredth of a small network's step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def keep_freed_memory() -> None:
    """Make the C library keep what is freed: each step frees and wants the same large blocks again.

    glibc gives them back to the system and fetches them anew, zeroed, which costs a large part of a step.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(ctypes.c_int(-4), ctypes.c_int(0))  # M_MMAP_MAX: no block of its own for a large request
        mallopt(ctypes.c_int(-1), ctypes.c_int(2**31 - 1))  # M_TRIM_THRESHOLD
