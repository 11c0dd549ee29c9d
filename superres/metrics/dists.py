"""DISTS: structure and texture similarity of the features of VGG-16, through the authors' package.

Reference:
    K. Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity", IEEE TPAMI 44(5), 2022.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy.typing as npt

from superres.metrics.perceptual import build_network, network_distance

__all__ = ["dists"]


def dists(result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0) -> float:
    """Learned distance that forgives resampled texture; 0 when equal.

    Pictures are compared at the size they have; the paper's figures shrink them to 256 pixels first.

    Args:
        result, reference: (H, W, 3) RGB of one shape, H and W at least 32.
        data_range: span of the samples, 255 for 8 bit.

    Raises:
        MissingExtraError: ``DISTS_pytorch``, PyTorch or torchvision is not installed.
        OptionError: VGG-16's weights are not on disk (they are never downloaded), or unfit pictures.
    """
    return network_distance(_network(), result, reference, data_range, (0.0, 1.0))


@functools.cache
def _network() -> Any:
    return build_network("DISTS_pytorch", "vgg16-397923af.pth", lambda package: package.DISTS())
