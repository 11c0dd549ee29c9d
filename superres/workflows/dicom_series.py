"""A folder of DICOM files, one series, to a folder: all of it or nothing; see :mod:`superres.workflows.dicom_plan`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

from superres.formats.dicom_folder import placed_folder
from superres.formats.dicom_series import open_series
from superres.formats.dicom_sniff import other_pictures
from superres.formats.kinds import KINDS, source_suffixes
from superres.pipeline import Result, Upscaler
from superres.workflows.dicom_plan import plan_enlargement, write_enlarged

__all__ = ["upscale_folder"]


def upscale_folder(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    *,
    name: str,
    report: Callable[[int, int], None] | None,
) -> Result:
    """Enlarge a series; see :class:`superres.workflows.Workflow`.  ``report`` counts frames.

    The results share a new series and one range of values for the networks, and keep the names of their sources.
    Grey values are spread over the whole series, so that a slice looks the same beside its neighbours.  Pictures of
    other kinds in the folder are left alone; the result's ``note`` says so.

    Raises:
        SuperresError: see :mod:`superres.errors`; then no part of a result is left behind.
    """
    started = time.perf_counter()
    files = open_series(source, upscaler.options.limits)
    total, done = sum(file.layout.frames for file in files), count(1)

    def step() -> None:
        if report:
            report(next(done), total)

    with placed_folder(target, source, overwrite=upscaler.options.overwrite) as folder:
        plan = plan_enlargement(files, upscaler, name)
        for file in files:
            with (folder / file.name).open("xb") as stream:
                write_enlarged(file, plan, upscaler, stream, step)
                stream.flush()
                os.fsync(stream.fileno())
    beside = len(other_pictures(source, source_suffixes() - set(KINDS["dicom"].suffixes)))
    note = f"the DICOM files alone; {beside} other picture(s) in the folder are no part of the series" if beside else ""
    return replace(plan.result(name, str(target), time.perf_counter() - started), note=note)
