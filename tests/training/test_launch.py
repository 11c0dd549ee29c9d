from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from superres.errors import MissingExtraError, OptionError, TrainingError
from superres.training.device import make_fabric
from superres.training.launch import _translated, train
from superres.training.recipe import AdversarialOptions, DataOptions, LossOptions
from superres.training.watching import Progress, Watching

from .test_loop import RECIPE


def ignored(progress: Progress) -> None:
    """A report that can be sent to another process."""


def test_two_processes_train_as_one(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(
        RECIPE,
        steps=6,
        data=DataOptions(patch=8, batch=4, mixup=0.5),
        loss=LossOptions(adversarial=0.05, finish=0.2),
        adversarial=AdversarialOptions(features=4, matching=0.5),
    )
    watching = Watching(every=3, validate=pictures / "train")
    one = train(recipe, tmp_path / "one", pictures, ignored, watching)
    two = train(recipe, tmp_path / "two", pictures, ignored, watching, threads=1, processes=2)
    assert two.step == 6
    for ours, theirs in zip(two.average, one.average, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)
    assert not torch.allclose(one.average[0], type(one)(recipe, tmp_path / "new").average[0], atol=1e-4)
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("one", "two")]
    for ours_row, theirs_row in zip(*logs, strict=True):
        ours_cells, theirs_cells = ours_row.split(","), theirs_row.split(",")
        assert ours_cells[0] == theirs_cells[0]
    assert float(logs[0][-1].split(",")[1]) == pytest.approx(float(logs[1][-1].split(",")[1]), abs=1e-4)


class FromElsewhere(Exception):  # noqa: N818 - stands for what torch raises
    pass


def test_errors_of_other_processes_arrive_as_their_own() -> None:
    text = (
        "-- Process 1 terminated with the following error:\nTraceback (most recent call last):\n  File x\n"
        "superres.errors.{}: a.png: cannot be read;\nremove it\n"
    )
    error = _translated(FromElsewhere(text.format("TrainingError")))
    assert type(error) is TrainingError
    assert str(error) == "a.png: cannot be read;\nremove it"
    assert type(_translated(FromElsewhere(text.format("MissingExtraError")))) is MissingExtraError
    other = FromElsewhere("superres.errors.NoSuchError: no")
    assert _translated(other) is other


@pytest.mark.parametrize(("gpus", "processes"), [(0, 0), (2, 3)])
def test_a_number_of_processes_that_cannot_be_is_refused(
    gpus: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(OptionError, match=f"processes = {processes}"):
        make_fabric("fp32", processes)
