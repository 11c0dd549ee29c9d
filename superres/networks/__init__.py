"""Network architectures (PyTorch), each with a fused, deployable form.

A new architecture is one file here and one line in :data:`NETWORKS`; the contract tests run over the table.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from superres.errors import OptionError, near_match

if TYPE_CHECKING:
    from superres.networks.base import Network

__all__ = ["NETWORKS", "build_network"]

#: Architecture name -> "module:class", imported only when asked for.
NETWORKS: dict[str, str] = {
    "reparam": "superres.networks.reparam:ReparamNet",
}


def build_network(name: str, scale: int, options: Mapping[str, int | float | str | bool] | None = None) -> Network:
    """Make an untrained network.

    Args:
        name: a key of :data:`NETWORKS`.
        scale: enlargement factor, 1 to 16.
        options: constructor options of that architecture, as in a recipe's ``[network]`` table.

    Raises:
        OptionError: an unknown architecture or option, with the nearest known name.
    """
    if name not in NETWORKS:
        raise OptionError(
            f"network {name!r} is unknown: expected one of {sorted(NETWORKS)}{near_match(name, NETWORKS)}"
        )
    module, _, attribute = NETWORKS[name].partition(":")
    network_class: type[Network] = getattr(importlib.import_module(module), attribute)
    return network_class.from_options(scale, dict(options or {}))
