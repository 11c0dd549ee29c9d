"""Picture quality measures.  A metric is one file here and one line in :data:`METRICS`."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy.typing as npt

from superres.errors import OptionError, near_match

__all__ = ["METRICS", "Metric", "load_metric"]

#: Name -> "module:function", imported only when asked for.
METRICS: dict[str, str] = {
    "psnr": "superres.metrics.psnr:psnr",
    "ssim": "superres.metrics.ssim:ssim",
}


class Metric(Protocol):
    """Compare a result with its reference, both of one shape, over ``data_range``."""

    def __call__(self, result: npt.NDArray[Any], reference: npt.NDArray[Any], data_range: float = 255.0) -> float:
        """The measure, in its own unit."""


def load_metric(name: str) -> Metric:
    """The metric called ``name``.  Raises OptionError with the nearest known name."""
    if name not in METRICS:
        raise OptionError(f"metric {name!r} is unknown: expected one of {sorted(METRICS)}{near_match(name, METRICS)}")
    module, _, attribute = METRICS[name].partition(":")
    metric: Metric = getattr(importlib.import_module(module), attribute)
    return metric
