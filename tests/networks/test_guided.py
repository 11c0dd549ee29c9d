"""Networks with a guide: what the contract of pictures says of others, for two inputs in one tensor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from superres.backends import open_backend
from superres.deploy.export import export_onnx
from superres.errors import OptionError
from superres.networks import GUIDED_NETWORKS, NETWORKS, build_network, network_class
from superres.networks.base import Network
from superres.networks.layers import Bicubic

NAMES = sorted(GUIDED_NETWORKS)
names = pytest.mark.parametrize("name", NAMES)


def shaken(name: str, scale: int) -> Network:
    torch.manual_seed(scale)
    network = build_network(name, scale, {"features": 6, "layers": 4})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network.eval()


def test_they_are_in_a_table_of_their_own() -> None:
    assert not set(GUIDED_NETWORKS) & set(NETWORKS)


@names
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_shapes(name: str, scale: int) -> None:
    network = shaken(name, scale)
    assert (network.channels, network.inputs) == (1, 1 + scale * scale)
    for height, width in [(1, 1), (7, 5)]:
        with torch.no_grad():
            result = network(torch.rand(2, network.inputs, height, width))
        assert result.shape == (2, 1, height * scale, width * scale)
        assert result.dtype == torch.float32


@names
def test_an_untrained_network_is_nearly_bicubic(name: str) -> None:
    torch.manual_seed(0)
    batch = torch.rand(1, 5, 9, 9)
    with torch.no_grad():
        result, bicubic = build_network(name, 2)(batch), Bicubic(2, 1)(batch[:, :1])
    assert float((result - bicubic).abs().max()) < 0.2


@names
def test_the_halo_is_the_receptive_field_of_band_and_guide(name: str) -> None:
    network = shaken(name, 2)
    size, middle = 2 * network.halo + 5, network.halo + 2
    batch = torch.rand(1, network.inputs, size, size, requires_grad=True)
    network(batch)[:, :, 2 * middle : 2 * middle + 2, 2 * middle : 2 * middle + 2].sum().backward()
    assert batch.grad is not None
    for part in (batch.grad[:, :1], batch.grad[:, 1:]):
        rows, columns = torch.nonzero(part.abs().sum(dim=(0, 1)), as_tuple=True)
        assert [int((places - middle).abs().max()) for places in (rows, columns)] == [network.halo, network.halo]


@names
def test_gradients_reach_every_parameter(name: str) -> None:
    network = build_network(name, 2, {"features": 6, "layers": 4})
    network(torch.rand(2, 5, 8, 8)).square().sum().backward()
    assert all(
        float(parameter.grad.abs().sum()) > 0 for parameter in network.parameters() if parameter.grad is not None
    )


@names
def test_onnx_equals_torch(name: str, tmp_path: Path) -> None:
    network = shaken(name, 2)
    export_onnx(network, tmp_path / "net.onnx")
    backend = open_backend("openvino", (tmp_path / "net.onnx").read_bytes(), threads=1)
    batch = torch.rand(2, 5, 9, 7)
    with torch.no_grad():
        expected = network(batch).numpy()
    assert abs(backend.run(batch.numpy()) - expected).max() < 2e-5 * max(1.0, abs(expected).max())
    backend.close()


@names
def test_the_documented_number_of_parameters_is_true_and_small(name: str) -> None:
    counted = sum(p.numel() for p in build_network(name, 2).parameters())
    assert f"{counted:,} parameters at scale 2 with the defaults" in (network_class(name).__doc__ or "")
    assert sum(p.numel() for p in build_network(name, 4).parameters()) <= 60_000


@names
def test_what_is_out_of_range_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="scale=1"):
        build_network(name, 1)
    with pytest.raises(OptionError, match="features = 0, expected"):
        build_network(name, 2, {"features": 0})
    with pytest.raises(OptionError, match="layers = 2, expected"):
        build_network(name, 2, {"layers": 2})
