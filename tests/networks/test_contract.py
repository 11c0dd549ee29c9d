"""What every architecture of the table must do."""

from __future__ import annotations

import copy
import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import make_model, picture
from torch import nn
from torch.nn import functional

from superres.backends import Backend, open_backend
from superres.chain import NetworkChain
from superres.deploy.export import export_onnx
from superres.enlarging import enlarged
from superres.errors import OptionError
from superres.image import Image
from superres.networks import NETWORKS, build_network, network_class
from superres.networks.base import Network
from superres.planes import prepared

from .support import FORMS, SMALL, Options, form_id, trained

#: Each architecture with those of a few scales that it supports.
AT_SCALES = [(name, s) for name in sorted(SMALL) for s in (1, 2, 3, 4, 8) if s in network_class(name).scales]

Samples = np.ndarray[Any, Any]

forms = pytest.mark.parametrize("form", FORMS, ids=form_id)
names = pytest.mark.parametrize("name", sorted(NETWORKS))


def test_every_architecture_is_under_contract() -> None:
    assert set(SMALL) == set(NETWORKS)


@pytest.mark.parametrize(("name", "scale"), AT_SCALES)
def test_shape_at_every_scale_and_odd_sizes(name: str, scale: int) -> None:
    network = trained(name, scale, SMALL[name])
    for height, width in [(1, 1), (1, 9), (7, 5)]:
        with torch.no_grad():
            result = network(torch.rand(2, network.channels, height, width))
        assert result.shape == (2, network.channels, height * scale, width * scale)
        assert result.dtype == torch.float32
        assert bool(torch.isfinite(result).all())


@names
def test_scales_that_are_not_supported_are_refused_and_the_others_named(name: str) -> None:
    supported = network_class(name).scales
    for scale in {0, 3, 17} - set(supported):
        with pytest.raises(OptionError, match=re.escape(f"scale={scale}")) as caught:
            build_network(name, scale, SMALL[name])
        assert str(supported[0]) in str(caught.value)
        assert str(supported[-1]) in str(caught.value)


@names
def test_an_untrained_network_starts_near_its_input(name: str) -> None:
    torch.manual_seed(0)
    flat = torch.full((1, 3, 9, 9), 0.6)
    with torch.no_grad():
        middle = build_network(name, 2, SMALL[name]).eval()(flat)[:, :, 8:10, 8:10]  # away from zero padding
    assert float((middle - 0.6).abs().max()) < 0.2


@forms
def test_gradients_reach_every_parameter(form: tuple[str, Options]) -> None:
    torch.manual_seed(0)
    network = build_network(form[0], 2, form[1])  # as initialised: a dead branch would show
    network(torch.rand(2, network.channels, 10, 10)).square().sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert float(parameter.grad.abs().sum()) > 0, parameter_name


@names
def test_supervised_outputs_have_their_scale_and_end_with_the_result(name: str) -> None:
    network = trained(name, 4, SMALL[name])
    batch = torch.rand(2, network.channels, 5, 6)
    with torch.no_grad():
        outputs, result = network.supervised(batch), network(batch)
    for scale, output in outputs:
        assert output.shape == (2, network.channels, 5 * scale, 6 * scale)
        assert output.dtype == torch.float32
    assert outputs[-1][0] == network.scale
    assert torch.equal(outputs[-1][1], result)


@names
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_trains_from_a_random_start(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    network = build_network(name, 2, SMALL[name])
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    target = functional.interpolate(torch.rand(2, 3, 6, 6), scale_factor=4, mode="bicubic", align_corners=False)
    low = target[:, :, ::2, ::2] + 0.05  # brighter, and a quarter of a pixel away
    losses = []
    for _ in range(20):
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            outputs = network.supervised(low)
        assert all(output.dtype == torch.float32 for _, output in outputs)
        loss = torch.stack([functional.l1_loss(output, target) for _, output in outputs]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@forms
def test_fused_equals_unfused(form: tuple[str, Options]) -> None:
    network = trained(form[0], 2, form[1])
    before = copy.deepcopy(network.state_dict())
    batch = torch.rand(2, network.channels, 13, 11)
    with torch.no_grad():
        fused, unfused = network.fused()(batch), network(batch)
    # Values are of the order of 1, and sums of some hundred float32 products differ in their last bits.
    assert float((fused - unfused).abs().max()) < 1e-5 * max(1.0, float(unfused.abs().max()))
    for key, value in network.state_dict().items():
        assert value.dtype == before[key].dtype
        assert torch.equal(value, before[key]), f"fusing changed {key}"


@forms
def test_fused_is_no_larger_and_keeps_no_training_state(form: tuple[str, Options]) -> None:
    network = build_network(form[0], 2, form[1]).train()
    fused = network.fused()
    assert sum(p.numel() for p in fused.parameters()) <= sum(p.numel() for p in network.parameters())
    assert not any(module.training for module in fused.modules())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())
    assert network.training


@pytest.mark.parametrize("scale", [2, 3])
@forms
def test_declared_halo_is_the_receptive_field(form: tuple[str, Options], scale: int) -> None:
    if scale not in network_class(form[0]).scales:
        scale = 4
    network = trained(form[0], scale, form[1])
    size, middle = 2 * network.halo + 5, network.halo + 2
    batch = torch.rand(2, network.channels, size, size, requires_grad=True)
    pixel = slice(scale * middle, scale * (middle + 1))
    network(batch)[:, :, pixel, pixel].sum().backward()
    assert batch.grad is not None
    rows, columns = torch.nonzero(batch.grad.abs().sum(dim=(0, 1)), as_tuple=True)
    assert [int((positions - middle).abs().max()) for positions in (rows, columns)] == [network.halo, network.halo]


@names
def test_a_pixel_outside_the_halo_changes_nothing(name: str) -> None:
    network = trained(name, 2, SMALL[name])
    size, middle = 2 * network.halo + 5, network.halo + 2
    near, far = torch.rand(2, network.channels, size, size), torch.rand(2, network.channels, size, size)
    inside = slice(middle - network.halo, middle + network.halo + 1)
    far[:, :, inside, inside] = near[:, :, inside, inside]
    pixel = slice(2 * middle, 2 * middle + 2)
    with torch.no_grad():
        one, other = (network(batch)[:, :, pixel, pixel] for batch in (near, far))
    assert torch.allclose(one, other, atol=1e-6)


@names
def test_batches_are_independent(name: str) -> None:
    network = trained(name, 2, SMALL[name])
    batch = torch.rand(3, network.channels, 8, 8)
    with torch.no_grad():
        together, alone = network(batch)[1:2], network(batch[1:2])
    assert float((together - alone).abs().max()) < 1e-5 * max(1.0, float(alone.abs().max()))


class _TorchBackend:
    """A network as the pipeline sees one."""

    precision = "fp32"
    lanes = 1

    def __init__(self, network: Network) -> None:
        self.network = network

    @torch.no_grad()
    def run(self, batch: Samples) -> Samples:
        return np.asarray(self.network(torch.from_numpy(batch)).numpy())

    def close(self) -> None:
        """Nothing to free."""


def _tiled(network: Network, samples: Samples, tile: int, rows: int) -> Samples:
    """Tiles of ``tile`` columns and ``rows`` rows, in windows that are mirrored at the picture's edges."""

    def opener(*_: object, **__: object) -> Backend:
        return _TorchBackend(network)  # type: ignore[return-value]

    info = Image.from_array(samples).info
    chain = NetworkChain([make_model(b"", network.scale, halo=network.halo)], opener=opener)
    strips = enlarged(iter([prepared(samples, info)]), info, chain, tile, rows, lambda part: part, None)
    return np.concatenate(list(strips))


@forms
def test_any_tiling_gives_the_whole_picture(form: tuple[str, Options]) -> None:
    network = trained(form[0], 2, form[1])
    samples = picture(19, 21).samples
    whole = _tiled(network, samples, 64, 64)
    plain = samples.repeat(2, axis=0).repeat(2, axis=1) / 255
    assert np.abs(whole - plain).max() > 0.05  # the network does something
    parts = _tiled(network, samples, 8, 11)
    assert np.abs(parts - whole).max() < 0.5 / 255


class _Together(Network):
    """Networks side by side in one graph, their results stacked: exporting has a price per file."""

    def __init__(self, networks: list[nn.Module], scale: int) -> None:
        super().__init__()
        self.scale, self.channels, self.halo = scale, 3, 0
        self.networks = nn.ModuleList(networks)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(batch) for network in self.networks], dim=1)

    def fused(self) -> nn.Module:
        return _Together([network.fused() for network in self.networks], self.scale).eval()


@pytest.mark.parametrize("scale", [1, 2])
def test_onnx_equals_torch_in_every_runtime(scale: int, tmp_path: Path) -> None:
    # At scale 2 every architecture and one operator more; at scale 1, where layers fall away, one of each kind.
    forms = [*SMALL.items(), ("encoder_decoder", {"features": 6, "plain": True})]
    forms = forms if scale == 2 else [form for form in forms if form[0] in ("espcn", "reparam")]
    networks = [trained(name, scale, options) for name, options in forms]
    export_onnx(_Together(list(networks), scale), tmp_path / "net.onnx")
    for runtime in ("openvino", "onnxruntime"):
        backend = open_backend(runtime, (tmp_path / "net.onnx").read_bytes(), threads=1)
        for shape in [(1, 3, 1, 1), (2, 3, 17, 12)]:
            batch = torch.rand(shape)
            results = backend.run(batch.numpy())
            assert results.shape == (shape[0], len(networks), 3, scale * shape[2], scale * shape[3])
            for form, network, result in zip(forms, networks, results.swapaxes(0, 1), strict=True):
                with torch.no_grad():
                    expected = network(batch).numpy()
                tolerance = 2e-5 * max(1.0, np.abs(expected).max())
                assert np.abs(result - expected).max() < tolerance, (runtime, form)
        backend.close()


@names
def test_an_unknown_option_names_the_nearest(name: str) -> None:
    option = next(iter(SMALL[name]))
    with pytest.raises(OptionError, match=f"did you mean '{option}'"):
        build_network(name, 2, {option[:-1]: 8})


@names
def test_options_of_another_type_are_refused(name: str) -> None:
    for wrong in ("6", 6.5, True):
        with pytest.raises(OptionError, match=r"channels = .*, expected a value of type int"):
            build_network(name, 2, {"channels": wrong})


@names
def test_every_option_is_documented(name: str) -> None:
    found = network_class(name)
    documented = inspect.getdoc(found) or ""
    for option in inspect.signature(found).parameters:
        assert re.search(rf"\b{option}:", documented), option


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"reparam"}))
def test_the_documented_number_of_parameters_is_true(name: str) -> None:
    text = inspect.getdoc(network_class(name)) or ""
    stated = re.search(r"([\d,]+) parameters at scale (\d+) with the defaults", text)
    assert stated
    network = build_network(name, int(stated[2]))
    assert sum(p.numel() for p in network.fused().parameters()) == int(stated[1].replace(",", ""))


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean 'reparam'"):
        build_network("reparm", 2)


OUT_OF_RANGE = [
    ("edsr", {"blocks": 0}),
    ("edsr", {"weight": 0.0}),
    ("edsr", {"kernel": 4}),
    ("edsr", {"upsampler": "stages"}),
    ("encoder_decoder", {"levels": 6}),
    ("encoder_decoder", {"down": "max"}),
    ("espcn", {"features": 1}),
    ("espcn", {"activation": "gelu"}),
    ("fsrcnn", {"shrunk": 0}),
    ("fsrcnn", {"channels": 2}),
    ("hybrid", {"window": 8}),
    ("hybrid", {"tokens": 1}),
    ("progressive", {"layers": 0}),
    ("recurrent", {"steps": 0}),
    ("recurrent", {"slope": 1.5}),
    ("srcnn", {"variant": "9-3-5"}),
    ("srresnet", {"features": 0}),
]


@pytest.mark.parametrize(("name", "options"), OUT_OF_RANGE, ids=lambda value: str(value))
def test_values_out_of_range_are_refused_by_name(name: str, options: dict[str, int | float | str | bool]) -> None:
    option, value = next(iter(options.items()))
    with pytest.raises(OptionError, match=re.escape(f"{option} = {value!r}, expected")):
        build_network(name, 2, options)
