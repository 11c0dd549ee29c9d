from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import picture

from superres.deploy.ship import Provenance, ship
from superres.errors import OptionError, TrainingError
from superres.formats import write_image
from superres.networks.temporal import TemporalNetwork
from superres.training.clips import Clip, ClipSource, make_clips
from superres.training.loop import TrainingRun
from superres.training.recipe import DataOptions, LossOptions, NetworkOptions, OptimiserOptions, Recipe
from superres.training.watching import Progress, Watching
from superres.zoo import read_card

OPTIONS = DataOptions(folders=("train",), planes="grey", frames=3, clips=3, patch=8, batch=4)
RECIPE = Recipe(
    name="moving_x2",
    scale=2,
    steps=8,
    seed=2,
    precision="fp32",
    network=NetworkOptions("recurrent_video", (("features", 4), ("layers", 3))),
    data=OPTIONS,
    loss=LossOptions(l1=0, charbonnier=1, temporal=0.5, warping=0.5),
    optimiser=OptimiserOptions(rate=4e-3, warmup=2),
)


class Killed(Exception):  # noqa: N818 - stands for a signal, not for an error
    pass


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures that hold a view of 128 pixels."""
    root = tmp_path_factory.mktemp("data")
    (root / "train").mkdir()
    for number in range(2):
        write_image(picture(150, 160, seed=number), root / "train" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def paths(data: Path) -> list[Path]:
    return sorted((data / "train").iterdir())


@pytest.fixture(scope="module")
def clips(paths: list[Path]) -> list[Clip]:
    return make_clips(paths, 2, OPTIONS, seed=1, workers=0)


def test_a_pool_has_clips_of_one_size_longer_than_a_patch(clips: list[Clip], paths: list[Path]) -> None:
    assert len(clips) == 3
    for clip in clips:
        assert clip.low.shape == (6, 64, 64) and clip.high.shape == (6, 128, 128)
        assert clip.low.dtype == clip.high.dtype == np.uint8
        assert Path(clip.name) in paths


def test_a_clip_depends_on_its_number_and_the_seed_alone(paths: list[Path], clips: list[Clip]) -> None:
    fewer = make_clips(paths, 2, replace(OPTIONS, clips=2), seed=1, workers=1)
    for one, other in zip(fewer, clips, strict=False):
        np.testing.assert_array_equal(one.high, other.high)
        # On pictures of 64 pixels a side x265, and rarely x264, gives other bytes from run to run.
        assert np.abs(one.low.astype(int) - other.low).mean() < 1
    different = make_clips(paths, 2, replace(OPTIONS, clips=1), seed=2, workers=0)
    assert not np.array_equal(different[0].high, clips[0].high)


def test_a_picture_that_holds_no_view_is_named(paths: list[Path]) -> None:
    with pytest.raises(TrainingError, match=r"[01]\.png: 160 x 150 pixels is too small"):
        make_clips(paths, 2, replace(OPTIONS, patch=76, clips=1), seed=0, workers=0)


def test_a_small_picture_gives_small_clips(paths: list[Path]) -> None:
    """As long as they hold a patch: 2.5 patches would be 100 pixels, the picture has 80 x 75 of the small ones."""
    (clip,) = make_clips(paths, 2, replace(OPTIONS, patch=40, clips=1), seed=0, workers=0)
    assert clip.low.shape == (6, 74, 80) and clip.high.shape == (6, 148, 160)


def numbered() -> list[Clip]:
    """Clips whose samples tell frame, row and column; the low ones those of the high one's corner."""
    clips = []
    for number in range(2):
        t, y, x = np.mgrid[:5, :12, :12]
        low = (number * 100 + t * 20 + (y + x) % 20).astype(np.uint8)
        clips.append(Clip(low.repeat(2, 1).repeat(2, 2), low, f"clip {number}"))
    return clips


@pytest.mark.parametrize("augment", [False, True])
def test_patches_lie_at_one_place_in_both_sizes_and_frames_are_consecutive(augment: bool) -> None:
    source = ClipSource(numbered(), 2, replace(OPTIONS, augment=augment), 7)
    for step in range(6):
        low, high = source.batch(step)
        assert low.shape == (4, 8, 8, 3) and high.shape == (4, 16, 16, 3)
        np.testing.assert_array_equal(high, low.repeat(2, 1).repeat(2, 2))
        assert (np.diff(low.astype(int), axis=3) == 20).all()


def test_batches_depend_on_seed_and_step_alone_and_are_shared_out() -> None:
    source = ClipSource(numbered(), 2, OPTIONS, 7)
    stream = list(source.batches(2, 6))
    for step, (low, high) in enumerate(stream, 2):
        for one, other in zip((low, high), source.batch(step), strict=True):
            np.testing.assert_array_equal(one, other)
        halves = [ClipSource(numbered(), 2, OPTIONS, 7, rank=rank, ranks=2).batch(step)[0] for rank in (0, 1)]
        np.testing.assert_array_equal(np.concatenate(halves), low)
        assert set(source.files(step)) <= {"clip 0", "clip 1"}
    assert not np.array_equal(stream[0][0], stream[1][0])
    with pytest.raises(OptionError, match="over 3 processes"):
        ClipSource(numbered(), 2, OPTIONS, 7, ranks=3)


@pytest.fixture
def no_pool(monkeypatch: pytest.MonkeyPatch, clips: list[Clip]) -> None:
    """The same clips without processes."""
    monkeypatch.setattr("superres.training.loop.make_clips", lambda *_: clips)


def _quiet(_: Progress) -> None:
    pass


def _run(recipe: Recipe, data: Path, folder: Path, report: Callable[[Progress], None] = _quiet) -> TrainingRun:
    run = TrainingRun(recipe, folder)
    run.train(data, report, Watching(every=1, save_seconds=0))
    return run


def test_training_on_clips_lowers_the_loss(
    data: Path, tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On something that can be learnt quickly: clips that are too dark, and reduced by leaving pixels out."""
    dark = [replace(clip, low=clip.high[:, ::2, ::2] // 2) for clip in clips]
    monkeypatch.setattr("superres.training.loop.make_clips", lambda *_: dark)
    seen: list[Progress] = []
    _run(replace(RECIPE, steps=50), data, tmp_path / "run", seen.append)
    assert np.mean([p.loss for p in seen[-10:]]) < 0.7 * np.mean([p.loss for p in seen[:10]])


@pytest.mark.usefixtures("no_pool")
def test_a_resumed_training_is_the_same_training(data: Path, tmp_path: Path) -> None:
    def kill(progress: Progress) -> None:
        if progress.step == 5:
            raise Killed

    once = _run(RECIPE, data, tmp_path / "once")
    with pytest.raises(Killed):
        _run(RECIPE, data, tmp_path / "twice", kill)
    twice = _run(RECIPE, data, tmp_path / "twice")
    for one, other in zip(once.average, twice.average, strict=True):
        assert torch.equal(one, other)


def test_validation_on_pictures_is_refused(data: Path, tmp_path: Path) -> None:
    run = TrainingRun(RECIPE, tmp_path / "run")
    with pytest.raises(OptionError, match="its pictures do not move"):
        run.train(data, _quiet, Watching(validate=data / "train"))


@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPE, network=NetworkOptions("reparam", (("channels", 1), ("features", 4), ("layers", 3)))),
        replace(RECIPE, data=replace(OPTIONS, frames=0), loss=LossOptions()),
    ],
    ids=["pictures' network", "no frames"],
)
def test_network_and_data_must_be_of_one_kind(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"with data\.frames = "):
        TrainingRun(recipe, tmp_path)


@pytest.mark.parametrize(
    ("data", "loss", "message"),
    [
        ({"frames": 1}, {}, r"data\.frames = 1, expected 0, or at least 2"),
        ({"clips": 0}, {}, r"data\.clips = 0, expected at least 1"),
        ({"frames": 0}, {"temporal": 0.1}, r"loss\.temporal = 0.1, expected 0 without data\.frames"),
        ({"frames": 0}, {"warping": 0.1}, r"loss\.warping = 0.1, expected 0 without data\.frames"),
        ({"planes": "colour"}, {}, r"data\.planes = 'colour', expected 'grey'"),
        ({"degradation": "blind"}, {}, r"data\.degradation = 'blind', expected its default"),
        ({"mixup": 0.5}, {}, r"data\.mixup = 0.5, expected 0 with data\.frames"),
        ({"generated": 0.5}, {}, r"data\.generated = 0.5, expected 0 with data\.frames"),
        ({}, {"adversarial": 0.5}, r"loss\.adversarial = 0.5, expected 0 with data\.frames"),
    ],
)
def test_options_that_clips_have_no_use_for_are_refused(
    data: dict[str, object], loss: dict[str, float], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        replace(RECIPE, data=replace(OPTIONS, **data), loss=LossOptions(**loss))  # type: ignore[arg-type]


def test_a_network_of_video_ships_as_one(tmp_path: Path) -> None:
    network = TrainingRun(RECIPE, tmp_path / "run").averaged_network()
    assert isinstance(network, TemporalNetwork)
    ship(network, RECIPE, Provenance("moving_x2.toml", 8, 0.1, {}), tmp_path)
    card = read_card(tmp_path / "moving_x2.toml")
    assert (card.kind, card.channels, card.halo, card.architecture) == ("video", 1, 3, "recurrent_video")
