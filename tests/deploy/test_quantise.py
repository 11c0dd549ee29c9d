"""8-bit model files: read back, trained, written, and run by both runtimes."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from tiny_models import tiny_onnx

from superres.backends import open_backend
from superres.backends.openvino import has_int8
from superres.deploy.export import export_onnx
from superres.deploy.quantise import export_int8, read_stack, tensor_of_bytes, train_quantised
from superres.errors import InferenceError, ModelError, TrainingError
from superres.networks.quality import QualityNet
from superres.networks.quantised import QuantisedStack
from superres.networks.reparam import SKIPS, ConvolutionStack, ReparamNet

Bytes = npt.NDArray[np.uint8]


def quantised(scale: int = 2, seed: int = 0, blocks: int = 0) -> tuple[QuantisedStack, Bytes]:
    """A small network in 8 bits, and bytes (2, 12, 10, 3) for it."""
    torch.manual_seed(seed)
    plain = ConvolutionStack(scale, 3, 8, 4, 0.1, SKIPS[seed % 2], blocks).eval()
    small = np.random.default_rng(seed).integers(0, 256, (2, 12, 10, 3), np.uint8)
    return QuantisedStack(plain, tensor_of_bytes(small)), small


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_deployed_file_is_read_back_exactly(tmp_path: Path, scale: int, skip: str) -> None:
    torch.manual_seed(scale)
    network = ReparamNet(scale, 8, 5, 2, skip=skip)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    export_onnx(network, tmp_path / "m.onnx")
    plain, small = read_stack((tmp_path / "m.onnx").read_bytes(), "m"), torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        assert torch.equal(plain(small), network.fused()(small))


@pytest.mark.parametrize("layers", [3, 5])
@pytest.mark.parametrize("blocks", [1, 3])
def test_a_deployed_file_with_residual_blocks_too(tmp_path: Path, blocks: int, layers: int) -> None:
    torch.manual_seed(blocks)
    network = QualityNet(2, 6, layers, blocks)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    export_onnx(network, tmp_path / "m.onnx")
    plain, small = read_stack((tmp_path / "m.onnx").read_bytes(), "m"), torch.rand(1, 3, 9, 7)
    assert plain.blocks == blocks
    with torch.no_grad():
        assert torch.equal(plain(small), network.fused()(small))


def test_another_kind_of_network_is_refused() -> None:
    model = onnx.load_model_from_string(tiny_onnx(2))
    model.graph.node[1].op_type = "Relu"
    del model.graph.node[1].attribute[:]
    with pytest.raises(ModelError, match=r"mine: quantisation takes a stack of.*'Relu'"):
        read_stack(model.SerializeToString(), "mine")


@pytest.mark.parametrize(("scale", "blocks"), [(1, 0), (2, 0), (4, 0), (2, 1), (4, 2)])
def test_both_runtimes_compute_what_was_trained(tmp_path: Path, scale: int, blocks: int) -> None:
    stack, small = quantised(scale, blocks=blocks)
    export_int8(stack, tmp_path / "m.onnx")
    contents = (tmp_path / "m.onnx").read_bytes()
    with torch.no_grad():
        wanted = np.clip(np.rint(stack(tensor_of_bytes(small)).numpy() * 255), 0, 255).transpose(0, 2, 3, 1)
    runtimes = ["onnxruntime", *(["openvino"] if has_int8() else [])]
    for name in runtimes:
        backend = open_backend(name, contents, precision="int8", threads=1)
        large = backend.run_bytes(small)
        assert large.dtype == np.uint8
        assert large.shape == (2, 12 * scale, 10 * scale, 3)
        # A sum on the edge between two codes falls to either side: few samples, one code of a layer.
        difference = np.abs(large.astype(int) - wanted)
        assert difference.mean() < 0.1
        assert difference.max() <= 3
        backend.close()


def test_weights_are_stored_in_8_bits(tmp_path: Path) -> None:
    stack, _ = quantised()
    export_int8(stack, tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx").graph
    kernels = [t for t in graph.initializer if t.name.endswith("_codes")]
    assert len(kernels) == 4
    assert {t.data_type for t in kernels} == {onnx.TensorProto.INT8}
    assert [v.name for v in (*graph.input, *graph.output)] == ["low", "high"]


def test_bytes_and_planes_are_not_confused(tmp_path: Path) -> None:
    if not has_int8():
        pytest.skip("this processor has no int8 arithmetic")
    stack, small = quantised()
    export_int8(stack, tmp_path / "m.onnx")
    backend = open_backend("openvino", (tmp_path / "m.onnx").read_bytes(), precision="int8", threads=1)
    with pytest.raises(InferenceError, match="use run_bytes"):
        backend.run(tensor_of_bytes(small).numpy())
    backend = open_backend("openvino", tiny_onnx(2), threads=1)
    with pytest.raises(InferenceError, match="use run"):
        backend.run_bytes(small)


def test_training_wins_back_what_rounding_lost() -> None:
    stack, _ = quantised(seed=3)
    exact = copy.deepcopy(stack.plain)
    random = np.random.default_rng(0)
    differences: list[float] = []
    pictures = (random.integers(0, 256, (2, 8, 8, 3), np.uint8) for _ in range(200))
    train_quantised(stack, exact, pictures, 200, 1e-3, lambda _, codes: differences.append(codes))
    assert len(differences) == 200
    assert np.mean(differences[-20:]) < 0.9 * np.mean(differences[:5])


def test_a_loss_that_is_not_finite_stops() -> None:
    stack, small = quantised()
    exact = copy.deepcopy(stack.plain)
    with torch.no_grad():
        stack.plain.last().bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"loss is nan at step 1.*lower its rate"):
        train_quantised(stack, exact, iter([small]), 1)
