"""Where networks for one volume begin: trained on photographs made thick, they need fewer steps than from nothing."""

from __future__ import annotations

import torch

from superres.choice import choose_rows, families
from superres.networks.rows import RowNetwork
from superres.resize import axis_resampler
from superres.training.warm import read_graph, read_weights
from superres.zoo import list_cards, load_model

__all__ = ["row_start"]


def row_start(factor: int) -> RowNetwork:
    """The shipped network for a factor, or the one of the nearest factor, its answers for thin rows interpolated.

    Args:
        factor: by which rows are to grow, 2 to 16.

    Raises:
        OptionError: a factor out of range.
        ModelError: no such model, or a damaged one.
        MissingExtraError: the onnx package is not installed.
    """
    card = choose_rows(families(list_cards()), factor).cards[0]
    model, nearest = load_model(card.name, card.scale), card.scale
    values = read_weights(read_graph(model.onnx))
    features, layers = values["head.weight"].shape[0], model.card.halo
    network = RowNetwork(factor, features, layers)
    if nearest != factor:
        # The tail has one answer for each thin row of a thick one, which lie as evenly within it whatever their number.
        between = axis_resampler(nearest, factor, "bilinear")
        for name in ("tail.weight", "tail.bias"):
            values[name] = torch.from_numpy(between.apply(values[name].numpy(), 0))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(values[name])
    return network.eval()
