"""A DICOM file, one picture or several frames, from file to file; see :mod:`superres.workflows.dicom_plan`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from superres.errors import OptionError
from superres.formats.dicom import open_dicom
from superres.formats.kinds import KINDS, source_suffixes, split_name
from superres.formats.placement import FilePlacement
from superres.formats.vips import output_error
from superres.pipeline import Result, Upscaler
from superres.workflows.dicom_plan import plan_enlargement, write_enlarged

__all__ = ["upscale_file"]


def upscale_file(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    *,
    name: str,
    report: Callable[[int, int], None] | None,
) -> Result:
    """Enlarge a DICOM file; see :class:`superres.workflows.Workflow`.  ``report`` counts frames.

    Raises:
        SuperresError: see :mod:`superres.errors`; then no part of a result is left behind.
    """
    started = time.perf_counter()
    if split_name(target)[1].lower() in source_suffixes() - set(KINDS["dicom"].suffixes):
        raise OptionError(
            f"{name}: DICOM is written as DICOM, not as {split_name(target)[1]!r}: use a name that ends in .dcm"
        )
    file = open_dicom(source, name, upscaler.options.limits)
    done = count(1)

    def step() -> None:
        if report:
            report(next(done), file.layout.frames)

    placement = FilePlacement(target, overwrite=upscaler.options.overwrite, source=source)
    try:
        plan = plan_enlargement([file], upscaler, name)
        with os.fdopen(os.dup(placement.descriptor), "wb") as stream:
            write_enlarged(file, plan, upscaler, stream, step)
        placement.commit()
    except OSError as error:  # of writing: reading has errors of its own
        raise output_error(str(target), error) from error
    finally:
        placement.discard()
    return plan.result(name, str(target), time.perf_counter() - started)
