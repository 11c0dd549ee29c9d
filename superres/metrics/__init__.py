"""Picture quality measures.  A metric is one file here and one line in :data:`METRICS`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from superres.errors import OptionError, near_match

__all__ = ["METRICS", "MetricEntry", "find_metric", "load_metric"]


@dataclass(frozen=True)
class MetricEntry:
    """What is known of a metric before it is loaded.

    Attributes:
        title: as tables write it.
        function: ``module:function``, imported only when asked for.
        kind: what the function takes: ``full`` (result, reference, data_range), ``none`` (result, data_range), or
            ``input`` (result, low resolution, data_range).
        unit: ``dB``, ``°``, or empty.
        better: whether ``higher`` or ``lower`` values mean a better picture.
        samples: ``luma`` for one channel (H, W), ``rgb`` for (H, W, C).
        digits: decimals that tables show.
        smallest: side in pixels, within the border, of the smallest picture that it measures.
        scaled: whether it takes ``scale``, the enlargement factor, as well.
    """

    title: str
    function: str
    kind: Literal["full", "none", "input"]
    unit: str
    better: Literal["higher", "lower"]
    samples: Literal["luma", "rgb"]
    digits: int
    smallest: int = 1
    scaled: bool = False


#: Name -> entry, in the order in which they are listed.
METRICS: dict[str, MetricEntry] = {
    "psnr": MetricEntry("PSNR", "superres.metrics.psnr:psnr", "full", "dB", "higher", "luma", 2),
    "ssim": MetricEntry("SSIM", "superres.metrics.ssim:ssim", "full", "", "higher", "luma", 4, 11),
    "ms-ssim": MetricEntry("MS-SSIM", "superres.metrics.ms_ssim:ms_ssim", "full", "", "higher", "luma", 4, 176),
    "sam": MetricEntry("SAM", "superres.metrics.sam:sam", "full", "°", "lower", "rgb", 3),
    "ergas": MetricEntry("ERGAS", "superres.metrics.ergas:ergas", "full", "", "lower", "rgb", 3, scaled=True),
    "consistency": MetricEntry(
        "consistency", "superres.metrics.consistency:consistency", "input", "dB", "higher", "rgb", 2
    ),
    "niqe": MetricEntry("NIQE", "superres.metrics.niqe:niqe", "none", "", "lower", "luma", 3, 192),
    "lpips": MetricEntry("LPIPS", "superres.metrics.lpips:lpips", "full", "", "lower", "rgb", 4, 64),
    "dists": MetricEntry("DISTS", "superres.metrics.dists:dists", "full", "", "lower", "rgb", 4, 32),
}


def find_metric(name: str) -> MetricEntry:
    """The entry of the metric called ``name``.  Raises OptionError with the nearest known name."""
    if name not in METRICS:
        raise OptionError(f"metric {name!r} is unknown: expected one of {sorted(METRICS)}{near_match(name, METRICS)}")
    return METRICS[name]


def load_metric(name: str) -> Callable[..., float]:
    """The function of the metric called ``name``; :class:`MetricEntry` says what it takes.

    Raises:
        OptionError: an unknown name; the nearest known one is named.
    """
    module, _, attribute = find_metric(name).function.partition(":")
    return cast(Callable[..., float], getattr(importlib.import_module(module), attribute))
