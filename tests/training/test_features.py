"""The perceptual loss and the networks that it takes features from."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from superres.errors import MissingExtraError, OptionError
from superres.training.onnx_features import OnnxFeatures
from superres.training.perceptual import PerceptualLoss


def onnx_network(path: Path, operator: str = "Relu") -> Path:
    """Three convolutions with all that lies between them, written by hand; outputs after each convolution."""
    random = np.random.default_rng(0)

    def value(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.5, shape).astype(np.float32), name)

    positive = numpy_helper.from_array(random.uniform(0.5, 2, 4).astype(np.float32), "variance")
    initial = [value("k1", 4, 3, 3, 3), value("b1", 4), value("k2", 6, 2, 3, 3), value("k3", 5, 10, 1, 1), positive]
    initial += [value(name, 4) for name in ("gain", "offset", "mean")] + [value("shift", 1, 6, 1, 1)]
    nodes = [
        helper.make_node("Conv", ["x", "k1", "b1"], ["c1"], pads=[1, 0, 1, 2]),
        helper.make_node("BatchNormalization", ["c1", "gain", "offset", "mean", "variance"], ["n1"], epsilon=1e-3),
        helper.make_node(operator, ["n1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["p1", "k2"], ["c2"], pads=[2, 2, 2, 2], dilations=[2, 2], group=2, strides=[1, 1]),
        helper.make_node("LeakyRelu", ["c2"], ["r2"], alpha=0.2),
        helper.make_node("Add", ["r2", "shift"], ["a2"]),
        helper.make_node("Concat", ["a2", "p1"], ["j2"], axis=1),
        helper.make_node("AveragePool", ["j2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p2", "k3"], ["c3"]),
        helper.make_node("Tanh", ["c3"], ["end"]),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("c1", "c2", "c3")]
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    graph = helper.make_graph(nodes, "features", [entry], outputs, initial)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_features_are_those_of_the_runtime(tmp_path: Path) -> None:
    path = onnx_network(tmp_path / "net.onnx")
    batch = np.random.default_rng(1).normal(size=(2, 3, 12, 16)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(["c1", "c2", "c3"], {"x": batch})
    found = OnnxFeatures(path, [1, 2, 3])(torch.from_numpy(batch))
    for ours, theirs in zip(found, expected, strict=True):
        assert np.abs(ours.numpy() - theirs).max() < 1e-4
    (last,) = OnnxFeatures(path)(torch.from_numpy(batch))
    assert np.abs(last.numpy() - expected[2]).max() < 1e-4


def test_gradients_reach_the_picture_and_not_the_network(tmp_path: Path) -> None:
    loss = PerceptualLoss(str(onnx_network(tmp_path / "net.onnx")), [1, 3])
    result, truth = torch.rand(1, 3, 12, 12, requires_grad=True), torch.rand(1, 3, 12, 12)
    loss(result, truth).backward()
    assert result.grad is not None and float(result.grad.abs().max()) > 0
    assert not list(loss.parameters())
    assert float(loss(truth, truth)) == 0


def test_pictures_are_normalised_as_the_network_was_trained(tmp_path: Path) -> None:
    path = onnx_network(tmp_path / "net.onnx")
    result, truth = torch.rand(1, 3, 12, 12), torch.rand(1, 3, 12, 12)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    features = OnnxFeatures(path, [2])
    expected = (features((result - mean) / deviation)[0] - features((truth - mean) / deviation)[0]).abs().mean()
    assert float(PerceptualLoss(str(path), [2])(result, truth)) == pytest.approx(float(expected), rel=1e-5)


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"gone\.onnx: cannot read the perceptual model: No such file"):
        PerceptualLoss(str(tmp_path / "gone.onnx"))
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(OptionError, match=r"bad\.onnx: not an ONNX file"):
        PerceptualLoss(str(tmp_path / "bad.onnx"))
    with pytest.raises(OptionError, match="perceptual layer 4: .* has 3 convolutions"):
        PerceptualLoss(str(onnx_network(tmp_path / "net.onnx")), [4])
    odd = onnx_network(tmp_path / "odd.onnx", operator="Softplus")
    with pytest.raises(OptionError, match=r"odd\.onnx: operator Softplus is not known here: expected Add"):
        PerceptualLoss(str(odd))
    assert PerceptualLoss(str(odd), [1])  # what comes after the layer does not matter


class _Plain(nn.Module):
    """What torchvision's plain networks look like."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 2, 3))


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Conv2d(3, 4, 3)


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stand-in with two networks; their weights belong into the folder that is returned."""
    models: Any = types.ModuleType("torchvision.models")
    kinds = {"plain": _Plain, "residual": _Residual}
    weights = types.SimpleNamespace(DEFAULT=types.SimpleNamespace(url="https://example.org/weights-1234.pth"))
    models.list_models = lambda: sorted(kinds)
    models.get_model = lambda name: kinds[name]()
    models.get_model_weights = lambda name: weights
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def test_a_network_of_torchvision_with_its_weights_here(torchvision: Path) -> None:
    network = _Plain()
    torch.save(network.state_dict(), torchvision / "weights-1234.pth")
    batch = torch.randn(1, 3, 12, 12)
    first, last = PerceptualLoss("torchvision:plain", [1, 2]).features(batch)
    with torch.no_grad():
        assert torch.equal(first, network.features[0](batch))  # not overwritten by the ReLU after it
        assert torch.equal(last, network.features(batch))
        assert len(PerceptualLoss("torchvision:plain").features(batch)) == 1


def test_weights_are_never_fetched(torchvision: Path) -> None:
    with pytest.raises(OptionError, match="not on this machine, and nothing is downloaded unasked"):
        PerceptualLoss("torchvision:plain")
    torch.save(_Residual().state_dict(), torchvision / "weights-1234.pth")
    with pytest.raises(OptionError, match="no plain stack of features"):
        PerceptualLoss("torchvision:residual")
    with pytest.raises(OptionError, match="torchvision has no such network"):
        PerceptualLoss("torchvision:plein")
    torch.save(_Plain().state_dict(), torchvision / "weights-1234.pth")
    with pytest.raises(OptionError, match="perceptual layer 3: torchvision:plain has 2 convolutions"):
        PerceptualLoss("torchvision:plain", [3])


def test_without_torchvision_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(MissingExtraError, match=r"superres\[perceptual\]"):
        PerceptualLoss("torchvision:vgg19")
