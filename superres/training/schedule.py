"""How the learning rate goes over a training.

References:
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017 (cosine).
    A. Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS 2024 (wsd).
"""

from __future__ import annotations

import math

from superres.training.recipe import OptimiserOptions

__all__ = ["rate_factor"]


def rate_factor(step: int, steps: int, options: OptimiserOptions) -> float:
    """The learning rate at a step, relative to ``options.rate``.

    Args:
        step: 0 .. steps - 1.
        steps: of the whole training.
        options: ``warmup``, ``schedule``, ``cooldown``, ``final_rate``.

    Returns:
        0 .. 1: a linear warm-up times the schedule, which ends at ``final_rate / rate``.

    >>> [round(rate_factor(step, 100, OptimiserOptions(warmup=0)), 2) for step in (0, 50, 100)]
    [1.0, 0.5, 0.0]
    """
    warm = min(1.0, (step + 1) / max(1, options.warmup))
    if options.schedule == "cosine":
        shape = 0.5 * (1 + math.cos(math.pi * step / steps))
    else:
        shape = min(1.0, (steps - step) / max(1.0, options.cooldown * steps))
    if not options.final_rate:
        return warm * shape
    last = options.final_rate / options.rate
    return warm * (last + (1 - last) * shape)
