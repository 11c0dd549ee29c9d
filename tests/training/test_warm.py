from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from superres.deploy.ship import Provenance, ship
from superres.errors import ModelError, OptionError
from superres.networks.base import Network
from superres.training.checkpoint import make_network
from superres.training.recipe import NetworkOptions, Recipe
from superres.training.warm import warm_start

SMALL = {
    "reparam": (("expansion", 1), ("features", 6), ("layers", 4)),
    "progressive": (("features", 6), ("layers", 1)),
    "edsr": (("blocks", 1), ("features", 6), ("normalise", True)),
}


def recipe(architecture: str, scale: int) -> Recipe:
    return Recipe(f"tiny_x{scale}", scale, 1, network=NetworkOptions(architecture, SMALL[architecture]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, str]:
    """A progressive x2 with weights of no order, and the name of its model file."""
    folder = tmp_path_factory.mktemp("models")
    network = make_network(recipe("progressive", 2))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    ship(network.eval(), recipe("progressive", 2), Provenance("r.toml", 1, 0.1, {}), folder)
    return network, f"{folder}/tiny_x2"


def test_it_begins_at_the_trained_model(trained: tuple[Network, str]) -> None:
    fresh = make_network(replace(recipe("progressive", 2), seed=9))
    warm_start(fresh, trained[1])
    batch = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        assert torch.allclose(fresh(batch), trained[0](batch), atol=1e-5)


def test_another_scale_takes_over_what_fits(trained: tuple[Network, str]) -> None:
    larger = make_network(recipe("progressive", 4))
    before = {name: value.detach().clone() for name, value in larger.named_parameters()}
    warm_start(larger, trained[1])
    known = dict(trained[0].named_parameters())
    for name, value in larger.named_parameters():
        assert torch.allclose(value, known[name] if name in known else before[name]), name
    batch = torch.rand(1, 3, 9, 9)
    with torch.no_grad():  # the first level is the whole of the smaller network
        assert torch.allclose(larger.supervised(batch)[0][1], trained[0](batch), atol=1e-5)


def test_merged_layers_cannot_be_taken_apart(trained: tuple[Network, str]) -> None:
    with pytest.raises(OptionError, match="does not fit.*the deployed form of Edsr has merged layers"):
        warm_start(make_network(recipe("edsr", 2)), trained[1])


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    network = make_network(recipe("progressive", 2))
    with pytest.raises(OptionError, match="expected a model and its scale"):
        warm_start(network, "standard")
    with pytest.raises(ModelError, match="is unknown"):
        warm_start(network, "nosuch_x2")
    with pytest.raises(OptionError, match="no layer of Progressive has its name and shape there"):
        warm_start(network, "standard_x2")
    with pytest.raises(OptionError, match=r"warm_start = 'standard_x2' does not fit.*layers"):
        warm_start(make_network(recipe("reparam", 2)), "standard_x2")
