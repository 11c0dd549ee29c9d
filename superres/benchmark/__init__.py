"""Speed, measured: our models at every precision, other runtimes and other programs, side by side in one run."""

from __future__ import annotations

from superres.benchmark.contenders import Contender, model_contenders, peer_contender
from superres.benchmark.peak import measure_peak
from superres.benchmark.plot import speed_plot
from superres.benchmark.speed import Row, measure, speed_page

__all__ = [
    "Contender",
    "Row",
    "measure",
    "measure_peak",
    "model_contenders",
    "peer_contender",
    "speed_page",
    "speed_plot",
]
