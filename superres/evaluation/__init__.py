"""Quality in the published protocol: ground truth -> low resolution -> enlarged -> compared with the ground truth.

An enlarger is any function from picture to picture.  :func:`model_enlarger` goes through
:class:`superres.pipeline.Upscaler`, tiles, rounding and all, so that a figure is what a user gets.
"""

from __future__ import annotations

from superres.evaluation.enlargers import Enlarger, bicubic_enlarger, model_enlarger
from superres.evaluation.runner import SetResult, Settings, evaluate_folder
from superres.evaluation.scores import SetScores, evaluate_methods, evaluate_pictures, evaluate_set
from superres.evaluation.sets import LOW_RESOLUTIONS, GroundTruth, find_sets, load_set, read_set

__all__ = [
    "LOW_RESOLUTIONS",
    "Enlarger",
    "GroundTruth",
    "SetResult",
    "SetScores",
    "Settings",
    "bicubic_enlarger",
    "evaluate_folder",
    "evaluate_methods",
    "evaluate_pictures",
    "evaluate_set",
    "find_sets",
    "load_set",
    "model_enlarger",
    "read_set",
]
