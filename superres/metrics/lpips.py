"""LPIPS: distance of the features of AlexNet (version 0.1), through the authors' package.

Reference:
    R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy.typing as npt

from superres.metrics.perceptual import build_network, network_distance

__all__ = ["lpips"]


def lpips(result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0) -> float:
    """Learned perceptual distance; 0 when equal.

    Args:
        result, reference: (H, W, 3) RGB of one shape, H and W at least 64.
        data_range: span of the samples, 255 for 8 bit.

    Raises:
        MissingExtraError: ``lpips``, PyTorch or torchvision is not installed.
        OptionError: AlexNet's weights are not on disk (they are never downloaded), or unfit pictures.
    """
    return network_distance(_network(), result, reference, data_range, (-1.0, 1.0))


@functools.cache
def _network() -> Any:
    return build_network("lpips", "alexnet-owt-7be5be79.pth", lambda package: package.LPIPS(net="alex", verbose=False))
