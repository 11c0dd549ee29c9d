from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from superres import atomic
from superres.errors import MissingExtraError, OptionError, OutputError
from superres.training import loggers
from superres.training.loggers import FolderLogger, open_loggers
from superres.training.recipe import Recipe

from .conftest import noise

RECIPE = Recipe("n_x2", 2, 10)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_folder_keeps_rows_and_the_latest_pictures(tmp_path: Path) -> None:
    (logger,) = open_loggers([], tmp_path, RECIPE, 0)
    logger.scalars(5, {"loss": 0.125, "steps_per_second": 3.0})
    logger.scalars(10, {"loss": 0.0625, "steps_per_second": 3.5, "psnr": 30.25})
    for seed in (0, 1):
        logger.pictures(10, {"a": noise(8, 9, seed)})
    logger.close()
    assert rows(tmp_path) == [
        {"step": "5", "loss": "0.125000", "steps_per_second": "3.0000", "psnr": ""},
        {"step": "10", "loss": "0.062500", "steps_per_second": "3.5000", "psnr": "30.250"},
    ]
    with Pillow.open(tmp_path / "pictures" / "a.png") as picture:
        assert np.array_equal(np.asarray(picture), noise(8, 9, 1))


def test_rows_after_the_checkpoint_are_those_of_a_stopped_run(tmp_path: Path) -> None:
    first = FolderLogger(tmp_path)
    for step in (5, 10, 15):
        first.scalars(step, {"loss": 1.0, "steps_per_second": 1.0})
    again = FolderLogger(tmp_path, step=10)
    assert [row["step"] for row in rows(tmp_path)] == ["5", "10", "15"]  # until there is something new
    again.scalars(15, {"loss": 2.0, "steps_per_second": 1.0})
    assert [(row["step"], row["loss"][0]) for row in rows(tmp_path)] == [("5", "1"), ("10", "1"), ("15", "2")]


def test_a_full_disk_is_told_and_keeps_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = FolderLogger(tmp_path)
    logger.scalars(5, {"loss": 1.0, "steps_per_second": 1.0})
    monkeypatch.setattr(atomic.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match=r"log\.csv: cannot be written: the disk is full"):
        logger.scalars(10, {"loss": 1.0, "steps_per_second": 1.0})
    assert [row["step"] for row in rows(tmp_path)] == ["5"]


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="NO TENSORBOARD: pip install 'superres[track]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for start, steps in ((0, (5, 10)), (5, (10,))):  # the second one resumes after step 5
        _, logger = open_loggers(["tensorboard"], tmp_path, RECIPE, start)
        for step in steps:
            logger.scalars(step, {"loss": 1 / step + start, "psnr": 30.0})
        logger.pictures(10, {"a": noise(8, 9)})
        logger.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (5, pytest.approx(0.2)),
        (10, pytest.approx(5.1)),
    ]
    assert {"loss", "psnr"} <= set(events.Tags()["scalars"])
    assert events.Images("a")[-1].width == 9


def test_wandb_writes_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in: the service that the real package starts takes longer than all other tests together."""
    import types

    calls: list[tuple[str, object]] = []

    class Run:
        def log(self, values: dict[str, object], step: int) -> None:
            calls.append(("log", (values, step)))

        def finish(self) -> None:
            calls.append(("finish", None))

    def init(**options: object) -> Run:
        calls.append(("init", options))
        return Run()

    module = types.ModuleType("wandb")
    module.init, module.Image = init, lambda picture: ("image", picture.shape)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    _, logger = open_loggers(["wandb"], tmp_path / "mine", RECIPE, 0)
    logger.scalars(5, {"loss": 0.5})
    logger.pictures(5, {"a": noise(8, 9)})
    logger.close()
    (_, options), *rest = calls
    assert isinstance(options, dict)
    assert (options["mode"], options["dir"], options["name"]) == ("offline", str(tmp_path / "mine"), "mine")
    assert options["config"]["steps"] == 10
    assert rest == [("log", ({"loss": 0.5}, 5)), ("log", ({"a": ("image", (8, 9, 3))}, 5)), ("finish", None)]
    monkeypatch.setenv("WANDB_MODE", "disabled")
    open_loggers(["wandb"], tmp_path / "mine", RECIPE, 5)
    assert isinstance(calls[-1][1], dict) and calls[-1][1]["mode"] == "disabled"


def test_what_cannot_be_logged_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="did you mean 'tensorboard'"):
        open_loggers(["tensorbord"], tmp_path, RECIPE, 0)
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    for name in loggers.LOGGERS:
        with pytest.raises(MissingExtraError, match=r"superres\[track\]"):
            open_loggers([name], tmp_path, RECIPE, 0)
