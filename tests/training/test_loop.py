from __future__ import annotations

import contextlib
import csv
import errno
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from superres import atomic
from superres.deploy.ship import Provenance, ship
from superres.errors import ModelError, OptionError, OutputError, TrainingError
from superres.training import loop, warm
from superres.training.loop import Progress, TrainingRun, charbonnier, learning_rate_factor, make_network
from superres.training.recipe import DataOptions, NetworkOptions, OptimiserOptions, Recipe
from superres.zoo import load_model

RECIPE = Recipe(
    name="tiny_x2",
    scale=2,
    steps=12,
    seed=4,
    precision="fp32",
    network=NetworkOptions(features=6, layers=3, expansion=1),
    data=DataOptions(patch=8, batch=4),
    optimiser=OptimiserOptions(rate=4e-3, warmup=2, finish_l2=0.25),
)


class Killed(Exception):  # noqa: N818 - stands for a signal, not for an error
    pass


def _quiet(_: Progress) -> None:
    pass


def _state(run: TrainingRun) -> list[torch.Tensor]:
    """Every tensor that decides what comes next."""
    tensors = [*run.network.state_dict().values(), *run.average]
    for optimiser in run.optimisers:
        for entry in optimiser.state_dict()["state"].values():
            tensors += [value for value in entry.values() if isinstance(value, torch.Tensor)]
    return tensors


def test_training_lowers_the_loss_and_logs_it(pictures: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    recipe = replace(RECIPE, steps=60, optimiser=replace(RECIPE.optimiser, finish_l2=0.0))
    run = TrainingRun(recipe, tmp_path / "run")
    run.train(pictures, seen.append, every=10)
    assert [p.step for p in seen] == [10, 20, 30, 40, 50, 60]
    assert seen[-1].loss < 0.8 * seen[0].loss
    with (tmp_path / "run" / "log.csv").open(encoding="utf-8") as stream:
        assert [int(row["step"]) for row in csv.DictReader(stream)] == [p.step for p in seen]
    low = torch.rand(1, 3, 8, 8)
    untrained = make_network(recipe)
    assert not torch.equal(run.averaged_network()(low), untrained(low))


@pytest.mark.parametrize(("optimiser", "precision"), [("muon", "fp32"), ("muon", "bf16"), ("adamw", "fp32")])
def test_killed_and_resumed_equals_never_stopped(
    pictures: Path, tmp_path: Path, optimiser: str, precision: str
) -> None:
    recipe = replace(RECIPE, precision=precision, optimiser=replace(RECIPE.optimiser, name=optimiser))
    whole = TrainingRun(recipe, tmp_path / "whole")
    whole.train(pictures, _quiet)

    def kill(progress: Progress) -> None:
        if progress.step == 7:
            raise Killed

    stopped = TrainingRun(recipe, tmp_path / "stopped")
    with pytest.raises(Killed):
        stopped.train(pictures, kill, every=1, save_seconds=0)
    torch.manual_seed(99)  # whatever the state of global random numbers is
    resumed = TrainingRun(recipe, tmp_path / "stopped")
    assert resumed.step == 6  # the seventh step died before its checkpoint
    resumed.train(pictures, _quiet)
    for one, other in zip(_state(whole), _state(resumed), strict=True):
        assert torch.equal(one, other)


def test_a_finished_run_stays_as_it_is(pictures: Path, tmp_path: Path) -> None:
    TrainingRun(RECIPE, tmp_path / "run").train(pictures, _quiet)
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    again = TrainingRun(RECIPE, tmp_path / "run")
    assert again.step == RECIPE.steps
    again.train(pictures, _quiet)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_another_seed_is_another_training(pictures: Path, tmp_path: Path) -> None:
    runs = [TrainingRun(replace(RECIPE, seed=seed), tmp_path / str(seed)) for seed in (1, 2)]
    for run in runs:
        run.train(pictures, _quiet)
    assert not torch.equal(runs[0].average[0], runs[1].average[0])


def test_a_loss_that_is_not_finite_stops_with_its_step(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fails_at_the_sixth(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return (output - target).abs().mean() * (math.nan if len(calls) == 6 else 1.0)

    monkeypatch.setitem(loop._LOSSES, "l1", fails_at_the_sixth)
    run = TrainingRun(RECIPE, tmp_path / "run")
    with pytest.raises(TrainingError, match=r"loss is nan at step 5 \(seed 4\)"):
        run.train(pictures, _quiet, save_seconds=0)
    kept = TrainingRun(RECIPE, tmp_path / "run")
    assert kept.step == 5
    assert all(bool(torch.isfinite(tensor).all()) for tensor in _state(kept))


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def steep_at_the_fourth(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        loss = (output - target).abs().mean()
        # The square root of zero: a finite value with an infinite slope.
        return loss + torch.sqrt((output - output.detach()).abs().sum()) if len(calls) == 4 else loss

    monkeypatch.setitem(loop._LOSSES, "l1", steep_at_the_fourth)
    run = TrainingRun(RECIPE, tmp_path / "run")
    with pytest.raises(TrainingError, match=r"gradient is (nan|inf) at step 3"):
        run.train(pictures, _quiet, save_seconds=0)
    kept = TrainingRun(RECIPE, tmp_path / "run")
    assert kept.step == 3
    assert all(bool(torch.isfinite(tensor).all()) for tensor in _state(kept))


def test_an_unusable_picture_is_named_before_the_first_step(pictures: Path, tmp_path: Path) -> None:
    (pictures / "train" / "zz.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    run = TrainingRun(RECIPE, tmp_path / "run")
    with pytest.raises(TrainingError, match=r"zz\.png"):
        run.train(pictures, _quiet)
    assert run.step == 0


def test_a_checkpoint_of_another_recipe_is_refused(pictures: Path, tmp_path: Path) -> None:
    TrainingRun(RECIPE, tmp_path / "run").train(pictures, _quiet)
    with pytest.raises(TrainingError, match="another recipe"):
        TrainingRun(replace(RECIPE, optimiser=replace(RECIPE.optimiser, rate=1e-3)), tmp_path / "run")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    run = TrainingRun(RECIPE, tmp_path / "run")
    run.save()
    contents = run.checkpoint.read_bytes()
    if damage == "cut":
        run.checkpoint.write_bytes(contents[: len(contents) // 2])
    elif damage == "flipped":
        run.checkpoint.write_bytes(b"\0" * 64 + contents[64:])
    elif damage == "empty":
        run.checkpoint.write_bytes(b"")
    else:
        torch.save({"weights": torch.zeros(3)}, run.checkpoint)
    with pytest.raises(TrainingError, match="damaged checkpoint"):
        TrainingRun(RECIPE, tmp_path / "run")


class _FullDisk:
    """A stream that takes some bytes and then none, as a full disk does."""

    def __init__(self, stream: BinaryIO, room: int) -> None:
        self._stream, self._room = stream, room

    def write(self, data: Any) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()


def test_a_full_disk_keeps_the_last_good_checkpoint(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrainingRun(RECIPE, tmp_path / "run")
    run.save()
    good = run.checkpoint.read_bytes()

    @contextlib.contextmanager
    def on_a_full_disk(target: Path) -> Iterator[Any]:
        with atomic.replace_file(target) as stream:
            yield _FullDisk(stream, 1000)

    monkeypatch.setattr(loop, "replace_file", on_a_full_disk)
    with pytest.raises(OutputError, match=r"checkpoint\.pt: cannot be written: the disk is full"):
        run.train(pictures, _quiet, save_seconds=0)
    assert run.checkpoint.read_bytes() == good
    assert sorted(f.name for f in run.folder.iterdir()) == ["checkpoint.pt"]


def test_an_unknown_loss_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="loss 'l3' is unknown"):
        TrainingRun(replace(RECIPE, optimiser=replace(RECIPE.optimiser, loss="l3")), tmp_path / "run")


def test_the_average_starts_as_a_plain_mean(pictures: Path, tmp_path: Path) -> None:
    run = TrainingRun(replace(RECIPE, steps=1), tmp_path / "run")
    first = [p.detach().clone() for p in run.network.parameters()]
    run.train(pictures, _quiet)
    for average, old, new in zip(run.average, first, run.network.parameters(), strict=True):
        assert torch.allclose(average, old + 0.9 * (new.detach() - old), atol=1e-6)  # 1 - 1/10 of the way


def test_a_warm_start_begins_at_the_shipped_model_and_resumes_at_the_checkpoint(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(5)
    trained = make_network(RECIPE)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    ship(trained, replace(RECIPE, name="first_x2"), Provenance("r.toml", 1, 0.1, {}), tmp_path)
    monkeypatch.setattr(warm, "load_model", lambda name, scale: load_model(name, scale, tmp_path))
    recipe = replace(RECIPE, warm_start="first_x2")
    run, batch = TrainingRun(recipe, tmp_path / "run"), torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        for network in (run.network, run.averaged_network()):
            assert torch.allclose(network(batch), trained(batch), atol=1e-5)
    run.train(pictures, _quiet)
    again = TrainingRun(recipe, tmp_path / "run")
    assert again.step == RECIPE.steps
    assert torch.equal(again.average[0], run.average[0])


def test_a_warm_start_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="expected a shipped model such as"):
        TrainingRun(replace(RECIPE, warm_start="standard"), tmp_path / "run")
    with pytest.raises(ModelError, match="is unknown"):
        TrainingRun(replace(RECIPE, warm_start="nosuch_x2"), tmp_path / "run")


def test_learning_rate_warms_up_and_ends_at_zero() -> None:
    factors = [learning_rate_factor(step, 100, 10) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[100] == pytest.approx(0)
    assert learning_rate_factor(0, 10, 0) == 1


def test_charbonnier_is_between_l1_and_smooth() -> None:
    output, target = torch.tensor([0.0, 0.5]), torch.tensor([0.0, 0.1])
    assert float(charbonnier(output, target)) == pytest.approx((1e-3 + math.sqrt(0.16 + 1e-6)) / 2)


def test_time_left_follows_the_speed() -> None:
    assert Progress(step=50, steps=200, loss=0.1, steps_per_second=3.0).seconds_left == pytest.approx(50)
