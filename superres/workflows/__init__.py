"""Workflows: how sources that are more than a picture go through the pipeline, from file to file.

One module per kind of source; :data:`superres.formats.kinds.KINDS` names them.  Each reads through
:mod:`superres.formats`, enlarges through :class:`superres.pipeline.Upscaler`, and moves the meaning along.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from superres.formats.kinds import KINDS

if TYPE_CHECKING:
    from superres.pipeline import Result, Upscaler

__all__ = ["Workflow", "load_workflow"]


class Workflow(Protocol):
    """Enlarge one source of a kind."""

    def __call__(
        self,
        source: Path,
        target: Path,
        upscaler: Upscaler,
        *,
        name: str,
        report: Callable[[int, int], None] | None,
    ) -> Result:
        """From file to file.

        Args:
            source: of the kind.
            target: where the result goes; written beside it and renamed.
            upscaler: its options say what is wanted; its networks do the work.
            name: what errors call the source.
            report: called with (done, all) in units of the workflow's choice: rows, slices, frames.

        Raises:
            SuperresError: see :mod:`superres.errors`; then no part of a result is left behind.
        """


def load_workflow(kind: str) -> Workflow:
    """The workflow for a key of :data:`superres.formats.kinds.KINDS`, imported now."""
    module, _, function = KINDS[kind].workflow.partition(":")
    return cast(Workflow, getattr(importlib.import_module(module), function))
