"""What networks of video must do: the contract of the table, and that of the state."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import onnx
import pytest
import torch

from superres.deploy.export import export_onnx
from superres.errors import OptionError
from superres.networks import TEMPORAL_NETWORKS, build_network, network_class
from superres.networks.recurrent_video import LIMIT
from superres.networks.temporal import NEIGHBOURS, TemporalNetwork

from .support import deployed_pairs

SMALL = {"recurrent_video": {"features": 5, "layers": 3}}

names = pytest.mark.parametrize("name", sorted(TEMPORAL_NETWORKS))


def trained(name: str, scale: int = 2) -> TemporalNetwork:
    """A network whose every layer does something."""
    torch.manual_seed(0)
    network = build_network(name, scale, SMALL[name]).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    assert isinstance(network, TemporalNetwork)
    return network


def inputs(network: TemporalNetwork, height: int, width: int, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(count, NEIGHBOURS, height, width), torch.randn(count, network.state_channels, height, width)


def test_every_network_of_video_is_under_contract() -> None:
    assert set(SMALL) == set(TEMPORAL_NETWORKS)


@names
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_shapes_of_a_step_and_of_a_clip(name: str, scale: int) -> None:
    network = trained(name, scale)
    for height, width in [(1, 1), (1, 9), (7, 5)]:
        with torch.no_grad():
            large, state = network.step(*inputs(network, height, width))
            clip = network(torch.rand(2, 4, height, width))
        assert large.shape == (2, 1, scale * height, scale * width)
        assert state.shape == (2, network.state_channels, height, width)
        assert clip.shape == (2, 4, scale * height, scale * width)
        assert large.dtype == state.dtype == clip.dtype == torch.float32


@names
def test_an_untrained_network_starts_near_its_input(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(name, 2)
    with torch.no_grad():
        assert float((network(torch.full((1, 3, 9, 9), 0.6)) - 0.6).abs().max()) < 0.1


@names
def test_a_clip_is_its_steps_one_after_the_other(name: str) -> None:
    """The first frame has no neighbour before it, the last none after it."""
    network, clip = trained(name), torch.rand(2, 3, 6, 7)
    state = torch.zeros(2, network.state_channels, 6, 7)
    expected = []
    with torch.no_grad():
        for near in ([0, 0, 1], [0, 1, 2], [1, 2, 2]):
            large, state = network.step(clip[:, near], state)
            expected.append(large)
        assert torch.equal(network(clip), torch.cat(expected, dim=1))


@names
def test_what_came_before_matters_and_what_comes_later_than_the_next_frame_does_not(name: str) -> None:
    network, clip = trained(name), torch.rand(1, 5, 8, 8)
    earlier, later = clip.clone(), clip.clone()
    earlier[:, 0] = later[:, 4] = 0.5
    with torch.no_grad():
        whole, other, same = (network(batch)[:, 2] for batch in (clip, earlier, later))
    assert float((whole - other).abs().max()) > 1e-4
    assert torch.equal(whole, same)


@names
def test_gradients_reach_every_parameter_and_the_first_frame(name: str) -> None:
    torch.manual_seed(0)
    network, clip = build_network(name, 2, SMALL[name]), torch.rand(2, 4, 10, 10, requires_grad=True)
    network(clip)[:, 3].square().sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None and float(parameter.grad.abs().sum()) > 0, parameter_name
    assert clip.grad is not None and float(clip.grad[:, 0].abs().sum()) > 0


@names
def test_declared_halo_is_the_receptive_field_of_a_step(name: str) -> None:
    network = trained(name)
    size, middle = 2 * network.halo + 5, network.halo + 2
    parts = [part.requires_grad_() for part in inputs(network, size, size)]
    large, state = network.step(*parts)
    near = slice(middle, middle + 1)
    (
        large[:, :, 2 * middle : 2 * middle + 2, 2 * middle : 2 * middle + 2].sum() + state[:, :, near, near].sum()
    ).backward()
    for part in parts:
        assert part.grad is not None
        rows, columns = torch.nonzero(part.grad.abs().sum(dim=(0, 1)), as_tuple=True)
        assert [int((positions - middle).abs().max()) for positions in (rows, columns)] == [network.halo] * 2


@names
def test_fused_is_one_step(name: str) -> None:
    network = trained(name)
    parts = inputs(network, 13, 11)
    with torch.no_grad():
        for fused, unfused in zip(network.fused()(*parts), network.step(*parts), strict=True):
            assert float((fused - unfused).abs().max()) < 1e-5 * max(1.0, float(unfused.abs().max()))


@names
def test_the_state_stays_bounded_on_a_long_clip(name: str) -> None:
    """Also with weights that would drive it away: results then are no larger late than early."""
    network = trained(name)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
        state, peaks = torch.zeros(1, network.state_channels, 6, 6), []
        for _ in range(200):
            large, state = network.step(torch.rand(1, NEIGHBOURS, 6, 6), state)
            peaks.append(float(large.abs().max()))
    assert float(state.abs().max()) == LIMIT  # it was reached
    assert max(peaks[100:]) < 2 * max(peaks[20:100])


@names
def test_a_step_as_onnx_equals_torch(name: str, tmp_path: Path) -> None:
    import onnxruntime

    network = trained(name)
    export_onnx(network, tmp_path / "net.onnx")
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert [value.name for value in graph.input] == ["frames", "state"]
    assert [value.name for value in graph.output] == ["high", "next_state"]
    assert {node.op_type for node in graph.node} <= {
        "Concat",
        "Conv",
        "LeakyRelu",
        "Add",
        "Slice",
        "Pad",
        "Clip",
        "DepthToSpace",
    }
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for shape in [(1, 1, 1), (2, 17, 12)]:
        frames, state = inputs(network, *shape[1:], count=shape[0])
        with torch.no_grad():
            expected = network.step(frames, state)
        found = session.run(None, {"frames": frames.numpy(), "state": state.numpy()})
        for one, other in zip(found, expected, strict=True):
            assert float((torch.from_numpy(one) - other).abs().max()) < 2e-5 * max(1.0, float(other.abs().max()))


def test_a_warm_start_is_the_inverse_of_fusing_and_takes_what_fits_of_another_scale() -> None:
    origin = trained("recurrent_video")
    step = origin.fused()
    pairs = deployed_pairs(step)
    for scale in (2, 4):
        torch.manual_seed(5)
        network = build_network("recurrent_video", scale, SMALL["recurrent_video"])
        tail = network.get_parameter("tail.weight").clone()
        network.load_fused(pairs)
        shared = NEIGHBOURS + 5
        theirs = origin.get_parameter("head.weight")
        assert torch.equal(network.get_parameter("head.weight")[:, :shared], theirs[:, :shared])
        assert torch.equal(network.get_parameter("tail.weight"), tail) == (scale == 4)
        if scale == 2:
            parts = inputs(origin, 6, 6)
            with torch.no_grad():
                assert torch.allclose(network.step(*parts)[0], origin.step(*parts)[0], atol=1e-5)  # type: ignore[operator]
    with pytest.raises(OptionError, match="warm start"):
        build_network("recurrent_video", 2, {"features": 5, "layers": 4}).load_fused(pairs)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_of_pictures_becomes_one_that_looks_at_the_present_frame(channels: int) -> None:
    """Grey frames get what equal channels get there, whatever lies before and after them."""
    torch.manual_seed(1)
    picture = build_network("reparam", 2, {"features": 5, "layers": 3, "expansion": 0, "channels": channels})
    with torch.no_grad():
        for parameter in picture.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    network = build_network("recurrent_video", 2, SMALL["recurrent_video"])
    network.load_fused(deployed_pairs(picture.fused()))
    clip = torch.rand(2, 3, 7, 6)
    with torch.no_grad():
        found = network(clip)
        for number in range(3):
            alone = picture(clip[:, number : number + 1].expand(-1, channels, -1, -1)).mean(dim=1)
            assert torch.allclose(found[:, number], alone, atol=1e-5)


@names
def test_every_option_is_documented_and_the_number_of_parameters_true(name: str) -> None:
    found = network_class(name)
    documented = inspect.getdoc(found) or ""
    for option in inspect.signature(found).parameters:
        assert re.search(rf"\b{option}:", documented), option
    stated = re.search(r"([\d,]+) parameters at scale (\d+) with the defaults", documented)
    assert stated
    count = sum(p.numel() for p in build_network(name, int(stated[2])).fused().parameters())
    assert count == int(stated[1].replace(",", ""))


@pytest.mark.parametrize("option", [{"features": 0}, {"layers": 2}, {"slope": 2.0}])
def test_values_out_of_range_are_refused_by_name(option: dict[str, float]) -> None:
    name, value = next(iter(option.items()))
    with pytest.raises(OptionError, match=re.escape(f"{name} = {value!r}, expected")):
        build_network("recurrent_video", 2, option)


def test_unknown_names_are_near_both_tables() -> None:
    with pytest.raises(OptionError, match="did you mean 'recurrent_video'"):
        build_network("recurent_video", 2)
