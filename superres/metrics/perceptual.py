"""What the learned metrics share: their packages and weights, checked before use, and pictures as tensors.

The packages would download the weights of their ImageNet networks on first use.  Here nothing is downloaded: a file
that is not on disk already is an error that says where it belongs.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from superres.errors import MissingExtraError, OptionError
from superres.metrics.psnr import check_shapes

__all__ = ["build_network", "network_distance"]

_EXTRA = "perceptual"
_SOURCE = "https://download.pytorch.org/models"


def build_network(package: str, weights: str, build: Callable[[Any], Any]) -> Any:
    """The network of a learned metric, its weights read from disk, ready to compare pictures.

    Args:
        package: import name of the library.
        weights: file name of the ImageNet weights, which the library takes from torchvision's cache.
        build: makes the network from the imported library.

    Raises:
        MissingExtraError: the library, PyTorch or torchvision is not installed.
        OptionError: the weights are not on disk, or what is installed does not work together.
    """
    for needed in ("torch", "torchvision", package):
        if importlib.util.find_spec(needed) is None:
            raise MissingExtraError(needed, _EXTRA)
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / weights
    if not path.is_file():
        raise OptionError(
            f"{package} needs {path}, which is never downloaded silently: get {_SOURCE}/{weights} and put it there"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the libraries use torchvision's older names
            network = build(importlib.import_module(package))
    # torchvision made for another torch raises RuntimeError on import; damaged weights raise all of these.
    except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(
            f"{package} is installed but cannot be used: {reason}; install versions of torch and torchvision that "
            f"belong together, and check {path}"
        ) from error
    return network.eval()


def network_distance(
    network: Any,
    result: npt.NDArray[Any],
    reference: npt.NDArray[Any],
    data_range: float,
    span: tuple[float, float],
) -> float:
    """What ``network`` says of two pictures.

    Args:
        network: takes two float32 tensors (1, 3, H, W).
        result, reference: (H, W, 3) of one shape, 0 to ``data_range``.
        data_range: span of the samples, 255 for 8 bit.
        span: smallest and largest value that the network expects.

    Raises:
        OptionError: different shapes, or other than three channels.
    """
    check_shapes(result, reference)
    if result.ndim != 3 or result.shape[2] != 3:
        raise OptionError(f"learned metrics take RGB pictures (height, width, 3), got {result.shape}")
    import torch

    low, high = span
    tensors = [
        torch.from_numpy((picture / data_range * (high - low) + low).transpose(2, 0, 1)[None].astype(np.float32))
        for picture in (result, reference)
    ]
    with torch.inference_mode():
        return float(network(*tensors))
