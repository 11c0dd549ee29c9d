from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from superres.errors import MissingExtraError, OptionError
from superres.metrics import dists, load_metric, lpips, perceptual


class _Difference(torch.nn.Module):
    """Stands in for a learned distance: mean absolute difference, and remembers what it saw."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.options, self.seen = options, torch.empty(0)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.seen = x
        return (x - y).abs().mean()


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Empty stand-ins for the packages, and a cache folder of weights."""
    for name, kind in (("torchvision", ""), ("lpips", "LPIPS"), ("DISTS_pytorch", "DISTS")):
        module = types.ModuleType(name)
        module.__spec__ = types.SimpleNamespace(name=name)  # type: ignore[assignment]
        if kind:
            setattr(module, kind, _Difference)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for module in (lpips, dists):
        module._network.cache_clear()
        monkeypatch.setattr(module._network, "__wrapped__", module._network.__wrapped__)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


WEIGHTS = {"lpips": "alexnet-owt-7be5be79.pth", "dists": "vgg16-397923af.pth"}
PICTURES = np.random.default_rng(0).integers(0, 256, (2, 64, 70, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_are_absent_are_named_and_not_fetched(
    name: str, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_: pytest.fail("fetched"))
    with pytest.raises(OptionError, match=rf"{WEIGHTS[name]}, which is never downloaded silently.*https://"):
        load_metric(name)(*PICTURES)


@pytest.mark.parametrize("name", WEIGHTS)
def test_with_weights_the_package_decides(name: str, packages: Path) -> None:
    (packages / WEIGHTS[name]).touch()
    span = {"lpips": 2, "dists": 1}[name]
    expected = np.abs(PICTURES[0] / 255.0 - PICTURES[1] / 255.0).mean() * span
    assert load_metric(name)(*PICTURES) == pytest.approx(expected, rel=1e-5)
    assert load_metric(name)(PICTURES[0], PICTURES[0]) == 0


def test_pictures_arrive_as_the_networks_expect_them(packages: Path) -> None:
    network = _Difference()
    perceptual.network_distance(network, PICTURES[0], PICTURES[1], 255.0, (-1.0, 1.0))
    assert network.seen.shape == (1, 3, 64, 70)
    assert network.seen.dtype == torch.float32
    assert network.seen[0, 1, 5, 9] == pytest.approx(PICTURES[0][5, 9, 1] / 127.5 - 1, abs=1e-6)


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_package_that_is_absent_is_named_with_its_extra(
    name: str, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packages / WEIGHTS[name]).touch()
    monkeypatch.setattr(perceptual.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"superres\[perceptual\]"):
        load_metric(name)(*PICTURES)


def test_packages_that_do_not_fit_each_other_are_told(packages: Path) -> None:
    (packages / WEIGHTS["lpips"]).touch()

    def build(_: object) -> object:
        raise RuntimeError("operator torchvision::nms does not exist\nand more")

    with pytest.raises(OptionError, match=r"operator torchvision::nms does not exist; install versions"):
        perceptual.build_network("lpips", WEIGHTS["lpips"], build)


def test_grey_pictures_and_different_sizes_are_refused(packages: Path) -> None:
    (packages / WEIGHTS["lpips"]).touch()
    with pytest.raises(OptionError, match="RGB"):
        lpips.lpips(PICTURES[0][:, :, 0], PICTURES[1][:, :, 0])
    with pytest.raises(OptionError, match="one, non-empty shape"):
        lpips.lpips(PICTURES[0], PICTURES[1][1:])
