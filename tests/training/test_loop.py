from __future__ import annotations

import contextlib
import csv
import errno
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision

from superres import atomic
from superres.backends import open_backend
from superres.errors import ModelError, OptionError, OutputError, TrainingError
from superres.networks import build_network
from superres.training import checkpoint, losses
from superres.training.checkpoint import make_network, read_checkpoint, trained_network
from superres.training.loop import TrainingRun
from superres.training.recipe import (
    AdversarialOptions,
    DataOptions,
    LossOptions,
    NetworkOptions,
    OptimiserOptions,
    Recipe,
    TeacherOptions,
)
from superres.training.recipe_file import recipe_from_mapping, recipe_to_toml
from superres.training.watching import Progress, Watching
from superres.zoo import load_model

from .test_features import onnx_network

RECIPE = Recipe(
    name="tiny_x2",
    scale=2,
    steps=12,
    seed=4,
    precision="fp32",
    network=NetworkOptions("reparam", (("expansion", 1), ("features", 6), ("layers", 3))),
    data=DataOptions(patch=8, batch=4),
    loss=LossOptions(finish=0.25),
    optimiser=OptimiserOptions(rate=4e-3, warmup=2),
)

SAVING = Watching(save_seconds=0)

#: Of smooth pictures, what the bicubic skip leaves to learn is little.
TAUGHT = replace(RECIPE.network, options=(*RECIPE.network.options, ("skip", "nearest")))


class Killed(Exception):  # noqa: N818 - stands for a signal, not for an error
    pass


def _with_dropout(*arguments: Any) -> Any:
    """A network whose steps depend on random numbers."""
    network = build_network(*arguments)
    network.head.append(torch.nn.Dropout(0.5))
    return network


def _quiet(_: Progress) -> None:
    pass


def _kill_at_the_seventh(progress: Progress) -> None:
    if progress.step == 7:
        raise Killed


def _state(run: TrainingRun) -> list[torch.Tensor]:
    """Every tensor that decides what comes next."""
    tensors = [*run.network.state_dict().values(), *run.average]
    tensors += run.adversary.network.state_dict().values() if run.adversary else []
    for optimiser in run.optimisers:
        for entry in optimiser.state_dict()["state"].values():
            tensors += [value for value in entry.values() if isinstance(value, torch.Tensor)]
    return tensors


def test_training_lowers_the_loss_and_logs_it(pictures: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    recipe = replace(RECIPE, steps=60, network=TAUGHT, loss=LossOptions())
    run = TrainingRun(recipe, tmp_path / "run")
    run.train(pictures, seen.append, Watching(every=10))
    assert [p.step for p in seen] == [10, 20, 30, 40, 50, 60]
    assert seen[-1].loss < 0.8 * seen[0].loss
    with (tmp_path / "run" / "log.csv").open(encoding="utf-8") as stream:
        assert [int(row["step"]) for row in csv.DictReader(stream)] == [p.step for p in seen]
    low = torch.rand(1, 3, 8, 8)
    untrained = make_network(recipe)
    assert not torch.equal(run.averaged_network()(low), untrained(low))


ADVERSARIAL = replace(
    RECIPE,
    loss=LossOptions(adversarial=0.1, finish=0.25),
    adversarial=AdversarialOptions(features=4, matching=1.0, start=0.2),
)
BLIND = replace(
    RECIPE,
    data=DataOptions(degradation="blind", patch=8, batch=4, mixup=0.3, cutblur=0.3, patches=((0.6, 10, 2),)),
    optimiser=OptimiserOptions("adam", schedule="wsd", weight_decay=0.01, warmup=2, clip=0.0),
)
DROPPED = replace(RECIPE, network=NetworkOptions("edsr", (("blocks", 1), ("features", 4), ("normalise", True))))


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        replace(RECIPE, precision="bf16"),
        replace(RECIPE, optimiser=replace(RECIPE.optimiser, name="adamw")),
        ADVERSARIAL,
        BLIND,
        DROPPED,
    ],
    ids=["muon", "bf16", "adamw", "adversarial", "blind", "statistics and dropout"],
)
def test_killed_and_resumed_equals_never_stopped(
    pictures: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    if recipe is DROPPED:
        monkeypatch.setattr(checkpoint, "build_network", _with_dropout)
    whole = TrainingRun(recipe, tmp_path / "whole")
    whole.train(pictures, _quiet)

    stopped = TrainingRun(recipe, tmp_path / "stopped")
    with pytest.raises(Killed):
        stopped.train(pictures, _kill_at_the_seventh, Watching(every=1, save_seconds=0))
    torch.manual_seed(99)  # whatever the state of global random numbers is
    resumed = TrainingRun(recipe, tmp_path / "stopped")
    assert resumed.step == 6  # the seventh step died before its checkpoint
    resumed.train(pictures, _quiet)
    for one, other in zip(_state(whole), _state(resumed), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(
        whole.averaged_network().state_dict().values(), resumed.averaged_network().state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


KILLED = """
import sys, time
from pathlib import Path
from superres.training.launch import train
from superres.training.recipe_file import load_recipe
from superres.training.watching import Watching

def report(progress):
    if progress.step == 7:  # its checkpoint is not written yet
        print("here", flush=True)
        time.sleep(600)

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    watching = Watching(every=1, save_seconds=0)
    train(load_recipe(folder / "r.toml"), folder / "stopped", folder / "data", report, watching, threads=1)
"""


def test_kill_9_and_resumed_equals_never_stopped(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(recipe_to_toml(RECIPE), encoding="utf-8")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.kill()
    process.wait()
    process.stdout.close()
    resumed, whole = TrainingRun(RECIPE, tmp_path / "stopped"), TrainingRun(RECIPE, tmp_path / "whole")
    assert resumed.step == 6
    for run in (resumed, whole):
        run.train(pictures, _quiet)
    for one, other in zip(_state(whole), _state(resumed), strict=True):
        assert torch.equal(one, other)
    assert [path.name for path in (tmp_path / "stopped").glob(".*")] == []


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

    monkeypatch.setattr(losses, "l1", fails_at_the_sixth)
    run = TrainingRun(RECIPE, tmp_path / "run")
    with pytest.raises(TrainingError, match=r"loss is nan at step 5 \(seed 4\).*pictures \(.*\d\.png"):
        run.train(pictures, _quiet, SAVING)
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

    monkeypatch.setattr(losses, "l1", steep_at_the_fourth)
    run = TrainingRun(RECIPE, tmp_path / "run")
    with pytest.raises(TrainingError, match=r"gradient is (nan|inf) at step 3"):
        run.train(pictures, _quiet, SAVING)
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

    monkeypatch.setattr(checkpoint, "replace_file", on_a_full_disk)
    with pytest.raises(OutputError, match=r"checkpoint\.pt: cannot be written: the disk is full"):
        run.train(pictures, _quiet, SAVING)
    assert run.checkpoint.read_bytes() == good
    assert sorted(f.name for f in run.folder.iterdir()) == ["checkpoint.pt"]


def test_the_average_starts_as_a_plain_mean(pictures: Path, tmp_path: Path) -> None:
    run = TrainingRun(replace(RECIPE, steps=1), tmp_path / "run")
    first = [p.detach().clone() for p in run.network.parameters()]
    run.train(pictures, _quiet)
    for average, old, new in zip(run.average, first, run.network.parameters(), strict=True):
        assert torch.allclose(average, old + 0.9 * (new.detach() - old), atol=1e-6)  # 1 - 1/10 of the way


def test_a_warm_start_begins_at_the_model_and_resumes_at_the_checkpoint(pictures: Path, tmp_path: Path) -> None:
    network = NetworkOptions("reparam", (("features", 28), ("layers", 6), ("skip", "nearest")))
    recipe = replace(RECIPE, steps=2, network=network, warm_start="realtime_x2", freeze=("head",))
    run, batch = TrainingRun(recipe, tmp_path / "run"), torch.rand(1, 3, 9, 9)
    shipped = open_backend("openvino", load_model("realtime", 2).onnx).run(batch.numpy())
    with torch.no_grad():
        for start in (run.network, run.averaged_network()):
            assert np.abs(start(batch).numpy() - shipped).max() < 1e-4
    first = {name: value.detach().clone() for name, value in run.network.named_parameters()}
    run.train(pictures, _quiet)
    again = TrainingRun(recipe, tmp_path / "run")
    assert again.step == 2
    for name, value in again.averaged_network().named_parameters():
        assert torch.equal(value, first[name]) == name.startswith("head."), name


def test_a_warm_start_keeps_its_share(pictures: Path, tmp_path: Path) -> None:
    network = NetworkOptions("reparam", (("expansion", 0), ("features", 28), ("layers", 6)))
    recipe = replace(RECIPE, steps=2, network=network, warm_start="realtime_x2", warm_share=0.25)
    run = TrainingRun(recipe, tmp_path / "run")
    start = [p.detach().clone() for p in run.network.parameters()]
    run.train(pictures, _quiet)
    for finished in (run.averaged_network(), trained_network(tmp_path / "run" / "checkpoint.pt")):
        for value, first, average in zip(finished.parameters(), start, run.average, strict=True):
            assert torch.allclose(value, 0.25 * first + 0.75 * average, atol=1e-6)
    with pytest.raises(OptionError, match="warm_share"):
        replace(RECIPE, warm_share=1.5)


def test_a_warm_start_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="expected a model and its scale"):
        TrainingRun(replace(RECIPE, warm_start="standard"), tmp_path / "run")
    with pytest.raises(ModelError, match="is unknown"):
        TrainingRun(replace(RECIPE, warm_start="nosuch_x2"), tmp_path / "run")


def test_time_left_follows_the_speed() -> None:
    assert Progress(50, 200, loss=0.1, training_psnr=20.0, steps_per_second=3.0).seconds_left == pytest.approx(50)


def test_a_key_that_is_spelt_out_at_its_default_is_the_same_recipe(pictures: Path, tmp_path: Path) -> None:
    TrainingRun(RECIPE, tmp_path / "run").train(pictures, _quiet)
    options = (*RECIPE.network.options, ("slope", 0.1))
    spelt = replace(RECIPE, network=NetworkOptions("reparam", options))
    assert TrainingRun(spelt, tmp_path / "run").step == RECIPE.steps
    state = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert recipe_from_mapping(state["recipe"]) == RECIPE
    torch.save(state | {"recipe": state["recipe"] | {"of_tomorrow": 1}}, tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(TrainingError, match="another recipe"):
        TrainingRun(RECIPE, tmp_path / "run")


def test_a_checkpoint_gives_its_averaged_network(pictures: Path, tmp_path: Path) -> None:
    run = TrainingRun(RECIPE, tmp_path / "run")
    run.train(pictures, _quiet)
    low = torch.rand(1, 3, 8, 8)
    network = trained_network(tmp_path / "run" / "checkpoint.pt")
    assert torch.equal(network(low), run.averaged_network()(low))


@pytest.mark.parametrize("architecture", ["progressive", "recurrent"])
def test_every_output_of_a_network_is_trained(pictures: Path, tmp_path: Path, architecture: str) -> None:
    options = (("features", 4),)
    recipe = replace(RECIPE, name="m_x4", scale=4, steps=2, network=NetworkOptions(architecture, options))
    run = TrainingRun(recipe, tmp_path / "run")
    before = {name: value.detach().clone() for name, value in run.network.named_parameters()}
    run.train(pictures, _quiet)
    assert all(not torch.equal(value, before[name]) for name, value in run.network.named_parameters())


def test_restoring_without_enlarging_trains(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(BLIND, name="clean_x1", scale=1, steps=2)
    run = TrainingRun(recipe, tmp_path / "run")
    run.train(pictures, _quiet)
    assert run.averaged_network()(torch.rand(1, 3, 9, 7)).shape == (1, 3, 9, 7)


def test_a_teacher_and_all_losses_train_together(pictures: Path, tmp_path: Path, tiny_folder: Path) -> None:
    model = onnx_network(tmp_path / "features.onnx")
    loss = LossOptions(
        l2=1.0, charbonnier=1.0, fourier=0.05, perceptual=0.1, consistency=0.1, adversarial=0.1,
        perceptual_model=str(model),
    )  # fmt: skip
    teacher = TeacherOptions(str(tiny_folder / "tiny"), 0.5)
    recipe = replace(ADVERSARIAL, steps=4, loss=loss, teacher=teacher)
    run = TrainingRun(recipe, tmp_path / "run")
    assert run.adversary is not None
    judge = [p.detach().clone() for p in run.adversary.network.parameters()]
    run.train(pictures, _quiet)
    assert run.step == 4
    assert any(not torch.equal(a, b) for a, b in zip(judge, run.adversary.network.parameters(), strict=True))


def test_the_discriminator_keeps_to_its_steps(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, taught = TrainingRun(ADVERSARIAL, tmp_path / "run"), []
    assert run.adversary is not None
    step = run.adversary.step
    monkeypatch.setattr(run.adversary, "step", lambda *arguments: (taught.append(run.step), step(*arguments))[1])
    run.train(pictures, _quiet)
    assert taught == [3, 4, 5, 6, 7, 8]  # of 12: from a fifth on, and not in the last quarter


def test_validation_and_loggers_change_nothing(pictures: Path, tmp_path: Path) -> None:
    plain, watched = TrainingRun(RECIPE, tmp_path / "plain"), TrainingRun(RECIPE, tmp_path / "watched")
    plain.train(pictures, _quiet)
    seen: list[Progress] = []
    watched.train(pictures, seen.append, Watching(every=3, validate=pictures / "train", validate_every=4))
    for one, other in zip(_state(plain), _state(watched), strict=True):
        assert torch.equal(one, other)
    assert [progress.psnr is None for progress in seen] == [True, False, False, False]
    assert all(5 < progress.training_psnr < 60 for progress in seen)
    with (tmp_path / "watched" / "log.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["psnr"] == "" and float(rows[-1]["psnr"]) == pytest.approx(seen[-1].psnr or 0, abs=1e-3)
    assert sorted(file.name for file in (tmp_path / "watched" / "pictures").iterdir()) == ["0.png", "1.png"]


def test_reduced_precision_never_touches_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, seen = TrainingRun(replace(RECIPE, precision="bf16"), tmp_path / "run"), []
    run.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    low = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1)
    run._model(low)
    assert torch.equal(seen[0], low.float() / 255)


def test_fp16_needs_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(OptionError, match="fp16.*needs a GPU"):
        TrainingRun(replace(RECIPE, precision="fp16", optimiser=OptimiserOptions("adamw")), tmp_path / "run")


def test_fp16_scales_its_gradients_and_resumes(pictures: Path, tmp_path: Path) -> None:
    """On the processor, which can compute it slowly; what a GPU does is the same but for its own kernels."""
    adam = OptimiserOptions("adam", rate=4e-3, warmup=2)
    recipe = replace(RECIPE, precision="fp16", steps=30, network=TAUGHT, loss=LossOptions(), optimiser=adam)

    def half() -> Fabric:
        return Fabric(accelerator="cpu", devices=1, plugins=[MixedPrecision("16-mixed", "cpu")])

    whole, seen = TrainingRun(recipe, tmp_path / "whole", fabric=half()), []
    whole.train(pictures, seen.append, Watching(every=5))
    assert seen[-1].loss < 0.9 * seen[0].loss
    stopped = TrainingRun(recipe, tmp_path / "stopped", fabric=half())
    with pytest.raises(Killed):
        stopped.train(pictures, _kill_at_the_seventh, Watching(every=1, save_seconds=0))
    resumed = TrainingRun(recipe, tmp_path / "stopped", fabric=half())
    assert read_checkpoint(resumed.checkpoint)["precision"]["scale"] > 1
    resumed.train(pictures, _quiet)
    for one, other in zip(_state(whole), _state(resumed), strict=True):
        assert torch.equal(one, other)


def test_a_network_of_one_channel_is_for_grey_planes(pictures: Path, tmp_path: Path) -> None:
    grey = NetworkOptions("reparam", (("channels", 1), ("features", 4), ("layers", 3)))
    with pytest.raises(OptionError, match=r"network\.channels = 1 with data\.planes = 'colour': expected 3"):
        TrainingRun(replace(RECIPE, network=grey), tmp_path / "run")
    planes = replace(RECIPE.data, planes="grey")
    with pytest.raises(OptionError, match=r"network\.channels = 3 with data\.planes = 'grey': expected 1"):
        TrainingRun(replace(RECIPE, data=planes), tmp_path / "run")
    run = TrainingRun(replace(RECIPE, network=grey, data=planes), tmp_path / "grey")
    run.train(pictures, _quiet)
    assert run.averaged_network().channels == 1
