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

__all__ = ["GUIDED_NETWORKS", "NETWORKS", "ROW_NETWORKS", "TEMPORAL_NETWORKS", "build_network", "network_class"]

#: Architecture name -> "module:class", imported only when asked for.
NETWORKS: dict[str, str] = {
    "edsr": "superres.networks.edsr:Edsr",
    "encoder_decoder": "superres.networks.encoder_decoder:EncoderDecoder",
    "espcn": "superres.networks.espcn:Espcn",
    "fsrcnn": "superres.networks.fsrcnn:Fsrcnn",
    "hybrid": "superres.networks.hybrid:Hybrid",
    "progressive": "superres.networks.progressive:Progressive",
    "quality": "superres.networks.quality:QualityNet",
    "recurrent": "superres.networks.recurrent:Recurrent",
    "reparam": "superres.networks.reparam:ReparamNet",
    "srcnn": "superres.networks.srcnn:Srcnn",
    "srresnet": "superres.networks.edsr:SrResNet",
}

#: The same for networks that are given a guide beside the picture, see :mod:`superres.networks.guided`.
GUIDED_NETWORKS: dict[str, str] = {
    "guided": "superres.networks.guided:Guided",
}

#: The same for networks that enlarge rows alone, see :mod:`superres.networks.rows`.
ROW_NETWORKS: dict[str, str] = {
    "rows": "superres.networks.rows:RowNetwork",
}

#: The same for networks of video, see :class:`superres.networks.temporal.TemporalNetwork`.
TEMPORAL_NETWORKS: dict[str, str] = {
    "recurrent_video": "superres.networks.recurrent_video:RecurrentVideo",
}


def network_class(name: str) -> type[Network]:
    """The class of an architecture: its ``scales`` and the options of its constructor, without making a network.

    Raises:
        OptionError: an unknown architecture, with the nearest known name.
    """
    known = NETWORKS | GUIDED_NETWORKS | ROW_NETWORKS | TEMPORAL_NETWORKS
    if name not in known:
        raise OptionError(f"network {name!r} is unknown: expected one of {sorted(known)}{near_match(name, known)}")
    module, _, attribute = known[name].partition(":")
    found: type[Network] = getattr(importlib.import_module(module), attribute)
    return found


def build_network(name: str, scale: int, options: Mapping[str, int | float | str | bool] | None = None) -> Network:
    """Make an untrained network.

    Args:
        name: a key of :data:`NETWORKS`.
        scale: enlargement factor, one of the architecture's ``scales``.
        options: constructor options of that architecture, as in a recipe's ``[network]`` table.

    Raises:
        OptionError: an unknown architecture or option, with the nearest known name; a scale that the architecture
            does not support; a value out of its range.
    """
    return network_class(name).from_options(scale, dict(options or {}))
