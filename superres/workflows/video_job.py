"""What a video's working folder is made for: equal descriptions mean that finished groups can be used."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from superres import __version__
from superres.errors import InputError
from superres.formats.video_av import pyav
from superres.formats.video_encode import CODECS, Encoding
from superres.formats.video_streams import Cut
from superres.pipeline import Options
from superres.workflows.networks import Networks

__all__ = ["describe_job"]

_SAMPLE_BYTES = 2**20


def describe_job(
    source: Path, options: Options, encoding: Encoding, cut: Cut, networks: Networks, group: int
) -> dict[str, Any]:
    """Everything that encoded groups depend on, as JSON takes it.

    Args:
        source: the file; its size, time of change, beginning and end tell whether it is the same.
        options: of the run.
        encoding: of the pictures.
        cut: the part of the source.
        networks: that enlarge.
        group: pictures per group.

    Raises:
        InputError: the file cannot be read.
    """
    return {
        "source": _identity(source),
        "size": encoding.size,
        "models": list(networks.files),
        "precision": networks.precision,
        "backend": options.backend,
        "tile": options.tile,
        "encoder": CODECS[encoding.codec].encoder,
        "encoder_options": dict(encoding.options),
        "encoder_threads": encoding.threads,
        "cut": [str(cut.start), str(cut.stop)],
        "video": asdict(options.video),
        "group": group,
        "versions": [__version__, pyav().__version__],
    }


def _identity(source: Path) -> dict[str, Any]:
    try:
        status = source.stat()
        with source.open("rb") as file:
            digest = hashlib.sha256(file.read(_SAMPLE_BYTES))
            file.seek(max(0, status.st_size - _SAMPLE_BYTES), os.SEEK_SET)
            digest.update(file.read(_SAMPLE_BYTES))
    except OSError as exc:
        raise InputError(f"{source}: cannot be read ({exc.strerror})") from exc
    return {"bytes": status.st_size, "changed": status.st_mtime_ns, "sha256_of_ends": digest.hexdigest()}
