"""SRCNN, FSRCNN and ESPCN: sizes as in their papers, and where training starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from superres.networks import build_network
from superres.networks.base import Network
from superres.resize import resize

Options = dict[str, int | float | str | bool]


def _kernels(network: Network) -> int:
    """Weights of kernels alone, as the papers count."""
    return sum(p.numel() for p in network.parameters() if p.ndim == 4)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("srcnn", {"variant": "9-1-5"}, 8_032),
        ("srcnn", {"variant": "9-5-5"}, 57_184),
        ("fsrcnn", {"residual": False}, 12_464),
        ("fsrcnn", {"features": 32, "shrunk": 5, "layers": 1}, 3_937),  # FSRCNN-s
    ],
    ids=["srcnn-9-1-5", "srcnn-9-5-5", "fsrcnn", "fsrcnn-s"],
)
def test_sizes_are_those_of_the_papers(name: str, options: Options, expected: int) -> None:
    assert _kernels(build_network(name, 3, options)) == expected


@pytest.mark.parametrize(
    ("name", "options", "kernel", "tolerance"),
    [
        ("srcnn", {}, "bicubic", 0.03),
        ("srcnn", {"residual": True}, "bicubic", 0.03),
        ("fsrcnn", {}, "bicubic", 0.03),
        ("fsrcnn", {"residual": False}, "bilinear", 0.05),
        ("espcn", {"residual": True}, "bicubic", 0.03),
        ("espcn", {}, "bilinear", 0.06),  # tanh bends a little
        ("espcn", {"activation": "relu"}, "bilinear", 0.03),
    ],
    ids=str,
)
@pytest.mark.parametrize("scale", [2, 3])
def test_training_starts_at_a_plain_enlargement(
    name: str, options: Options, kernel: str, tolerance: float, scale: int
) -> None:
    torch.manual_seed(0)
    network = build_network(name, scale, {**options, "channels": 1}).eval()
    samples = np.random.default_rng(0).random((24, 24), np.float32)
    with torch.no_grad():
        large = network(torch.from_numpy(samples)[None, None])[0, 0].numpy()
    inside = slice(8 * scale, -8 * scale)  # the zero padding of the network is no part of the comparison
    expected = resize(samples, scale=scale, kernel=kernel)
    assert np.abs(large - expected)[inside, inside].max() < tolerance


def test_at_scale_1_srcnn_works_on_the_picture_itself() -> None:
    network = build_network("srcnn", 1, {"variant": "5-3-5", "features": 4})
    assert network.halo == 2 + 1 + 2
