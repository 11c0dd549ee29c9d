"""What every architecture of the table must do."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from superres.backends import open_backend
from superres.deploy.export import export_onnx
from superres.errors import OptionError
from superres.networks import NETWORKS, build_network
from superres.networks.base import Network

#: Small options per architecture: a new one adds a line here.
SMALL: dict[str, dict[str, int | float | str | bool]] = {
    "reparam": {"features": 6, "layers": 4, "expansion": 2},
}


def _trained(name: str, scale: int, **changes: int) -> Network:
    """A network whose weights are all far from their first values, as after training."""
    torch.manual_seed(scale)
    network = build_network(name, scale, SMALL[name] | changes)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network


def test_every_architecture_is_under_contract() -> None:
    assert set(SMALL) == set(NETWORKS)


@pytest.mark.parametrize("name", sorted(NETWORKS))
class TestContract:
    @pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (12, 10)])
    def test_shape_at_every_scale_and_odd_sizes(self, name: str, scale: int, size: tuple[int, int]) -> None:
        network = _trained(name, scale)
        result = network(torch.rand(2, network.channels, *size))
        assert result.shape == (2, network.channels, size[0] * scale, size[1] * scale)
        assert result.dtype == torch.float32
        assert bool(torch.isfinite(result).all())

    def test_an_untrained_network_starts_near_its_input(self, name: str) -> None:
        torch.manual_seed(0)
        flat = torch.full((1, 3, 9, 9), 0.5)
        assert float((build_network(name, 2, SMALL[name])(flat) - 0.5).abs().max().detach()) < 0.5

    def test_gradients_reach_every_parameter(self, name: str) -> None:
        network = build_network(name, 2, SMALL[name])  # as initialised: a dead branch would show
        network(torch.rand(2, network.channels, 10, 10)).square().sum().backward()
        for parameter_name, parameter in network.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert float(parameter.grad.abs().sum()) > 0, parameter_name

    @pytest.mark.parametrize("scale", [1, 2, 3, 4])
    def test_fused_equals_unfused(self, name: str, scale: int) -> None:
        network = _trained(name, scale).eval()
        before = copy.deepcopy(network.state_dict())
        batch = torch.rand(2, network.channels, 13, 11)
        with torch.no_grad():
            fused, unfused = network.fused()(batch), network(batch)
        # Values are of the order of 1, and sums of some hundred float32 products differ in their last bits.
        assert float((fused - unfused).abs().max()) < 1e-5 * max(1.0, float(unfused.abs().max()))
        for key, value in network.state_dict().items():
            assert value.dtype == before[key].dtype
            assert torch.equal(value, before[key]), f"fusing changed {key}"

    def test_fused_is_smaller_and_keeps_no_training_state(self, name: str) -> None:
        network = _trained(name, 2)
        fused = network.fused()
        assert sum(p.numel() for p in fused.parameters()) < sum(p.numel() for p in network.parameters())
        assert not fused.training

    @pytest.mark.parametrize("layers", [3, 5])
    def test_declared_halo_is_the_receptive_field(self, name: str, layers: int) -> None:
        network = _trained(name, 2, layers=layers)
        size, middle = 2 * network.halo + 9, network.halo + 4
        batch = torch.rand(1, network.channels, size, size, requires_grad=True)
        network(batch)[:, :, 2 * middle : 2 * middle + 2, 2 * middle : 2 * middle + 2].sum().backward()
        assert batch.grad is not None
        rows, columns = torch.nonzero(batch.grad[0].abs().sum(dim=0), as_tuple=True)
        reached = [int((positions - middle).abs().max()) for positions in (rows, columns)]
        assert reached == [network.halo, network.halo]

    @pytest.mark.parametrize("scale", [2, 3])
    def test_a_warm_start_takes_the_layers_over(self, name: str, scale: int) -> None:
        theirs, ours = _trained(name, 2), build_network(name, scale, SMALL[name])
        pairs = [(layer.weight.detach(), layer.bias.detach()) for layer in theirs.fused().convolutions]
        ours.load_fused(pairs)
        for one, other in zip(ours.fused().convolutions[:-1], theirs.fused().convolutions[:-1], strict=True):
            assert torch.allclose(one.weight, other.weight, atol=1e-6)
            assert torch.equal(one.bias, other.bias)
        if scale == 2:  # the same scale: the same function
            batch = torch.rand(1, 3, 9, 9)
            with torch.no_grad():
                assert torch.allclose(ours(batch), theirs(batch), atol=1e-5)
        ours(torch.rand(1, 3, 9, 9)).square().sum().backward()
        assert all(float(p.grad.abs().sum()) > 0 for key, p in ours.named_parameters() if not key.endswith("enter"))

    def test_a_warm_start_from_another_shape_is_refused(self, name: str) -> None:
        wide = _trained(name, 2, features=7).fused().convolutions
        with pytest.raises(OptionError, match="warm start"):
            build_network(name, 2, SMALL[name]).load_fused([(c.weight, c.bias) for c in wide])

    def test_batches_are_independent(self, name: str) -> None:
        network = _trained(name, 2).eval()
        batch = torch.rand(3, network.channels, 8, 8)
        with torch.no_grad():
            together, alone = network(batch)[1:2], network(batch[1:2])
        assert torch.allclose(together, alone, atol=1e-6)

    @pytest.mark.parametrize("scale", [1, 3])
    def test_onnx_equals_torch_in_every_runtime(self, name: str, scale: int, tmp_path: Path) -> None:
        network = _trained(name, scale).eval()
        export_onnx(network, tmp_path / "net.onnx")
        model = (tmp_path / "net.onnx").read_bytes()
        backends = [open_backend(runtime, model, threads=1) for runtime in ("openvino", "onnxruntime")]
        for shape in [(1, 3, 24, 20), (2, 3, 7, 5), (1, 3, 1, 1), (3, 3, 17, 40)]:
            batch = torch.rand(shape)
            with torch.no_grad():
                expected = network(batch).numpy()
            for backend in backends:
                result = backend.run(batch.numpy())
                assert result.shape == expected.shape
                assert np.abs(result - expected).max() < 2e-5 * max(1.0, np.abs(expected).max())
        for backend in backends:
            backend.close()

    def test_an_unknown_option_names_the_nearest(self, name: str) -> None:
        option = next(iter(SMALL[name]))
        with pytest.raises(OptionError, match=f"did you mean '{option}'"):
            build_network(name, 2, {option[:-1]: 8})


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean 'reparam'"):
        build_network("reparm", 2)


@pytest.mark.parametrize(
    "options",
    [{"features": 0}, {"layers": 2}, {"expansion": -1}, {"channels": 0}],
    ids=lambda options: next(iter(options)),
)
def test_reparam_refuses_numbers_out_of_range(options: dict[str, int | float | str | bool]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        build_network("reparam", 2, options)


@pytest.mark.parametrize("scale", [0, 17])
def test_reparam_refuses_scales_out_of_range(scale: int) -> None:
    with pytest.raises(OptionError, match=f"scale={scale}"):
        build_network("reparam", scale)


@pytest.mark.parametrize("channels", [1, 4])
def test_reparam_takes_other_channel_counts(channels: int) -> None:
    network = build_network("reparam", 2, SMALL["reparam"] | {"channels": channels})
    batch = torch.rand(1, channels, 6, 7)
    with torch.no_grad():
        assert torch.allclose(network(batch), network.fused()(batch), atol=1e-5)


def test_reparam_branches_add_up_to_its_kernel() -> None:
    # The 1x1 -> 3x3 chain run as convolutions, plus the 3x3 kernel and the identity, against the merged kernel.
    network = _trained("reparam", 2)
    layer = network.body[0]
    batch = torch.rand(1, 6, 9, 9)
    with torch.no_grad():
        chain = torch.nn.functional.conv2d(batch, layer.enter[:, :, None, None])
        branches = (
            torch.nn.functional.conv2d(batch, layer.kernel, layer.bias, padding=1)
            + torch.nn.functional.conv2d(chain, layer.middle, padding=1)
            + batch
        )
        assert torch.allclose(layer(batch), branches, atol=1e-5)
