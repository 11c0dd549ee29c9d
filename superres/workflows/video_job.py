"""What a video's working folder is made for: equal descriptions mean that finished groups can be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from superres import __version__
from superres.formats.video_av import pyav
from superres.formats.video_input import VideoInput
from superres.formats.video_streams import Cut
from superres.pipeline import Options
from superres.workflows.networks import Networks

__all__ = ["describe_job"]


def describe_job(
    source: VideoInput, options: Options, result: Mapping[str, Any], cut: Cut, networks: Networks, group: int
) -> dict[str, Any]:
    """Everything that encoded groups depend on, as JSON takes it.

    Args:
        source: the file or folder, which knows what tells whether it is the same.
        options: of the run.
        result: what makes it.
        cut: the part of the source.
        networks: that enlarge.
        group: pictures per group.

    Raises:
        InputError: the file cannot be read.
    """
    return {
        "source": source.identity(),
        "result": dict(result),
        "models": list(networks.files),
        "precision": networks.precision,
        "backend": options.backend,
        "tile": options.tile,
        "cut": [str(cut.start), str(cut.stop)],
        "video": {name: str(value) for name, value in asdict(options.video).items()},
        "group": group,
        "versions": [__version__, pyav().__version__],
    }
