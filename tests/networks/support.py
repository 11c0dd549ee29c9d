"""What the tests of several architectures share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from superres.networks import build_network
from superres.networks.base import Network
from superres.networks.reparam import Skip

Options = Mapping[str, int | float | str | bool]

#: Small options per architecture: a new one adds a line here.
SMALL: dict[str, Options] = {
    "edsr": {"features": 6, "blocks": 2},
    "encoder_decoder": {"features": 6, "down": "maximum"},
    "espcn": {"features": 8},
    "fsrcnn": {"features": 8, "shrunk": 4, "layers": 2},
    "hybrid": {"features": 6, "blocks": 1, "units": 1, "tokens": 3, "values": 4, "window": 5},
    "progressive": {"features": 6, "layers": 2},
    "quality": {"features": 6, "layers": 4},
    "recurrent": {"features": 6, "units": 1, "steps": 2},
    "reparam": {"features": 6, "layers": 4, "expansion": 2},
    "srcnn": {"features": 8, "variant": "5-3-5"},
    "srresnet": {"features": 6, "blocks": 1, "kernel": 5, "normalise": True},
}

#: Every further form of an architecture whose layers, receptive field or fusing differ from the one in SMALL.
FORMS: list[tuple[str, Options]] = [
    *SMALL.items(),
    ("edsr", {"features": 4, "blocks": 1, "upsampler": "direct", "kernel": 5, "weight": 0.5}),
    ("encoder_decoder", {"features": 6, "plain": True}),
    ("encoder_decoder", {"features": 6, "levels": 2}),
    ("encoder_decoder", {"features": 6, "levels": 1, "normalise": False}),
    ("espcn", {"features": 8, "activation": "relu", "residual": True}),
    ("fsrcnn", {"features": 8, "shrunk": 4, "layers": 1, "residual": False}),
    ("hybrid", {"features": 4, "blocks": 2, "units": 2, "tokens": 2, "values": 2, "window": 3}),
    ("progressive", {"features": 4, "layers": 1, "shared": True}),
    ("quality", {"features": 4, "layers": 3, "blocks": 2}),
    ("recurrent", {"features": 4, "units": 2, "steps": 3}),
    ("reparam", {"features": 4, "layers": 3, "expansion": 0}),
    ("srcnn", {"features": 8, "variant": "9-1-5"}),
    ("srcnn", {"features": 8, "variant": "9-5-5", "residual": True}),
    ("srresnet", {"features": 4, "blocks": 1, "upsampler": "direct"}),
]


def form_id(form: tuple[str, Options]) -> str:
    """A test's name for a form."""
    return "-".join([form[0], *(str(value) for value in form[1].values())])


def deployed_pairs(plain: nn.Module) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Kernels and biases of a deployed plain stack as a model file holds them, its skip's last."""
    layers = [module for module in plain.modules() if isinstance(module, nn.Conv2d)]
    skip = next(module.kernel for module in plain.modules() if isinstance(module, Skip))
    return [*((layer.weight.detach(), layer.bias.detach()) for layer in layers), (skip, torch.zeros(len(skip)))]


def trained(name: str, scale: int, options: Options) -> Network:
    """A network in evaluation whose weights and statistics are all far from their first values, as after training."""
    torch.manual_seed(scale)
    network = build_network(name, scale, options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.5, 2.0)
                module.weight[::2].neg_()  # a factor below 0 is allowed, and is where a wrong order of layers shows
    return network.eval()
