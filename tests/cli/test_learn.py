from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from superres.cli import main
from superres.cli.learn import RunOptions, progress_line
from superres.deploy.quantise import read_stack
from superres.errors import OptionError
from superres.training.recipe_file import load_recipe
from superres.training.watching import Progress
from superres.zoo import load_model, read_card

RECIPE = """
name = "tiny_x2"
scale = 2
steps = 6
precision = "fp32"
[network]
features = 4
layers = 3
[data]
patch = 8
batch = 2
[optimiser]
warmup = 2
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with ``train/`` of two pictures and the licences of one."""
    random = np.random.default_rng(0)
    (tmp_path / "data" / "train").mkdir(parents=True)
    for number in range(2):
        small = Pillow.fromarray(random.integers(0, 255, (8, 9, 3), dtype=np.uint8))
        small.resize((54, 48), Pillow.Resampling.BICUBIC).save(tmp_path / "data" / "train" / f"{number}.png")
    table = "file\tlicence_class\n0.png\tCC0\n"
    (tmp_path / "data" / "train" / "LICENCES.tsv").write_text(table, encoding="utf-8")
    return tmp_path / "data"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path / "tiny.toml"


def test_train_tells_how_it_goes_and_goes_on_where_it_was(
    recipe: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(recipe), "--data", str(data), "--threads", "1"]
    assert main([*command, "--validate", str(data / "train"), "--log", "tensorboard"]) == 0
    told = capsys.readouterr()
    assert "step 6/6" in told.err and "validation" in told.err and "min left" in told.err
    assert "trained 6 steps; checkpoint and log in runs/tiny_x2" in told.out
    run = tmp_path / "runs" / "tiny_x2"
    with (run / "log.csv").open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["psnr"]) > 5
    assert list((run / "tensorboard").glob("events*"))
    before = (run / "checkpoint.pt").read_bytes()
    assert main(command) == 0
    assert "continuing at step 6 of 6" in capsys.readouterr().err
    assert (run / "checkpoint.pt").read_bytes() == before


def test_finetune_makes_a_model_that_upscales(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (data / "train" / "LICENCES.tsv").rename(data / "LICENCES.tsv")
    options = ["--scale", "2", "--steps", "3", "--patch", "8", "--batch", "2", "--freeze", "head, body.0"]
    assert main(["finetune", "realtime", "--data", str(data), *options, "--threads", "1"]) == 0
    told = capsys.readouterr()
    assert "superres upscale PICTURE --model models/realtime-tuned --scale 2" in told.out
    assert "--precision decides otherwise" in told.err
    run = tmp_path / "runs" / "realtime-tuned_x2"
    kept = load_recipe(run / "recipe.toml")
    assert (kept.warm_start, kept.steps, kept.freeze) == ("realtime_x2", 3, ("head", "body.0"))
    model = load_model("realtime-tuned", 2, tmp_path / "models")
    assert model.card.recipe["freeze"] == ["head", "body.0"]
    assert (model.card.training.warm_start, model.card.training.pictures) == ("realtime_x2", {"CC0": 1})
    assert model.card.kind == "faithful"
    # The recipe that was kept is the training: the same command as for any other continues it.
    assert main(["train", str(run / "recipe.toml"), "--data", str(data), "--threads", "1"]) == 0
    assert "continuing at step 3 of 3" in capsys.readouterr().err
    picture = data / "train" / "0.png"
    assert main(["upscale", str(picture), "--model", "models/realtime-tuned", "--scale", "2"]) == 0
    with Pillow.open(data / "train" / "0_x2.png") as result:
        assert result.size == (108, 96)


def test_export_writes_model_and_card(
    recipe: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("superres.deploy.ship.export_onnx", lambda _, target: target.write_bytes(b"model"))
    assert main(["train", str(recipe), "--data", str(data), "--export", "out", "--run", "here"]) == 0
    card = read_card(tmp_path / "out" / "tiny_x2.toml")
    assert (card.training.recipe, card.training.steps, card.training.pictures) == ("tiny.toml", 6, {"CC0": 1})
    assert card.recipe["network"] == {"architecture": "reparam", "features": 4, "layers": 3}
    assert (tmp_path / "here" / "checkpoint.pt").exists()


@pytest.mark.parametrize("option", ["--run", "--export"])
def test_a_folder_that_cannot_be_made_is_told_before_the_work(
    option: str, recipe: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    assert main(["train", str(recipe), "--data", str(data), option, "file/x"]) == 1
    told = capsys.readouterr().err
    assert f"{option} file/x: cannot be made: Not a directory; choose another folder" in told and "step" not in told


def test_validation_is_not_trained_on(recipe: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held_out = data / "train" / "held-out"
    held_out.mkdir()
    (data / "train" / "1.png").rename(held_out / "1.png")
    command = ["train", str(recipe), "--data", str(data), "--threads", "1"]
    assert main([*command, "--validate", str(held_out)]) == 1
    assert f"--validate {held_out} lies in {data / 'train'}, whose pictures are trained on" in capsys.readouterr().err
    held_out.rename(data / "held-out")
    inside = data / "train" / "run"  # its pictures/ would be found when it is continued
    assert main([*command, "--validate", str(data / "held-out"), "--run", str(inside)]) == 1
    assert f"--run {inside} lies in {data / 'train'}" in capsys.readouterr().err
    assert not inside.exists()
    assert main([*command, "--validate", str(data / "held-out")]) == 0


def test_a_recipe_that_another_one_starts_from_is_trained_first(
    recipe: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = RECIPE.replace("steps = 6", 'steps = 1\nwarm_start = "tiny.toml"').replace("warmup = 2", "warmup = 1")
    (tmp_path / "next.toml").write_text(started.replace("tiny_x2", "next_x2"), encoding="utf-8")
    command = ["train", str(tmp_path / "next.toml"), "--data", str(data), "--threads", "1", "--export", "out"]
    assert main(command) == 0
    assert "next.toml starts from what tiny.toml gives" in capsys.readouterr().err
    card = read_card(tmp_path / "out" / "next_x2.toml")
    assert (card.training.recipe, card.training.warm_start) == ("next.toml", "tiny.toml")
    before = tmp_path / "runs" / "next_x2" / "before"
    assert read_card(before / "tiny_x2.toml").training.steps == 6
    first, second = (
        read_stack(load_model(name, 2, folder).onnx, name).convolutions[0].weight.detach()
        for name, folder in (("tiny", before), ("next", tmp_path / "out"))
    )
    assert 0 < float((first - second).abs().max()) < 0.02  # one step away
    assert main(command) == 0  # what is done is not done again
    assert capsys.readouterr().err.count("continuing at step") == 2


def test_precision_overrides_that_of_every_recipe(
    recipe: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("superres.training.device.has_bf16", lambda: False)
    text = RECIPE.replace('precision = "fp32"', 'precision = "bf16"')
    recipe.write_text(text, encoding="utf-8")
    started = text.replace("steps = 6", 'steps = 1\nwarm_start = "tiny.toml"').replace("warmup = 2", "warmup = 1")
    (tmp_path / "next.toml").write_text(started.replace("tiny_x2", "next_x2"), encoding="utf-8")
    command = ["train", str(tmp_path / "next.toml"), "--data", str(data), "--threads", "1", "--export", "out"]
    assert main([*command, "--precision", "fp32"]) == 0
    assert "no bfloat16 arithmetic" not in capsys.readouterr().err
    before = tmp_path / "runs" / "next_x2" / "before"
    for card in (tmp_path / "out" / "next_x2.toml", before / "tiny_x2.toml"):
        assert read_card(card).recipe["precision"] == "fp32"
    # Without it, it is another recipe than that of the checkpoint.
    assert main(command) == 1
    assert "belongs to another recipe" in capsys.readouterr().err
    assert main([*command, "--precision", "fp8"]) == 1
    assert "precision = 'fp8', expected one of" in capsys.readouterr().err


@pytest.mark.parametrize("native", [True, False])
def test_imitated_arithmetic_is_told(
    native: bool, recipe: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("superres.training.device.has_bf16", lambda: native)
    recipe.write_text(RECIPE.replace('precision = "fp32"', ""), encoding="utf-8")
    command = ["train", str(recipe), "--data", str(data), "--threads", "1"]
    assert main(command) == 0
    told = capsys.readouterr().err
    assert ("no bfloat16 arithmetic" in told and "use --precision fp32" in told) is not native
    assert main(command) == 0  # nothing left to do, nothing to tell
    assert "bfloat16" not in capsys.readouterr().err


def test_a_cache_makes_no_difference_but_to_the_time(recipe: Path, data: Path, tmp_path: Path) -> None:
    runs = []
    for name, more in (("a", []), ("b", ["--cache", "kept"]), ("c", ["--cache", "kept"])):
        command = ["train", str(recipe), "--data", str(data), "--run", name, "--threads", "1"]
        assert main([*command, *more]) == 0
        runs.append((tmp_path / name / "checkpoint.pt").read_bytes())
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert runs[0] == runs[1] == runs[2]


def test_sixteen_times_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The progressive network's last level: trained, exported, and used, like any other."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train").mkdir()
    random = np.random.default_rng(0)
    small = Pillow.fromarray(random.integers(0, 255, (9, 8, 3), dtype=np.uint8))
    small.resize((128, 144), Pillow.Resampling.BICUBIC).save(tmp_path / "train" / "a.png")
    small.save(tmp_path / "small.png")
    network = 'architecture = "progressive"\nfeatures = 4\nlayers = 1\nshared = true'
    text = RECIPE.replace("tiny_x2", "tall_x16").replace("scale = 2", "scale = 16").replace("steps = 6", "steps = 2")
    (tmp_path / "tall.toml").write_text(text.replace("features = 4\nlayers = 3", network), encoding="utf-8")
    assert main(["train", "tall.toml", "--data", ".", "--threads", "1", "--export", "models"]) == 0
    assert main(["upscale", "small.png", "--model", "models/tall", "--scale", "16"]) == 0
    with Pillow.open(tmp_path / "small_x16.png") as result:
        assert result.size == (128, 144)


def test_recipes_that_start_from_each_other_are_refused(
    recipe: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(RECIPE.replace("steps = 6", 'steps = 6\nwarm_start = "tiny.toml"'), encoding="utf-8")
    assert main(["train", str(recipe), "--data", str(data)]) == 1
    assert "starts from this recipe itself" in capsys.readouterr().err


@pytest.mark.parametrize("away", ["first", "second"])
def test_pictures_of_every_recipe_are_looked_for_before_the_first_step(
    away: str, recipe: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (
        RECIPE,
        RECIPE.replace("steps = 6", 'steps = 6\nwarm_start = "tiny.toml"').replace("tiny_x2", "next_x2"),
    )
    more = '\nfolders = ["train", "train/1"]'
    texts = {"first": first, "second": second}
    texts[away] = texts[away].replace("[data]", f"[data]{more}")
    recipe.write_text(texts["first"], encoding="utf-8")
    (tmp_path / "next.toml").write_text(texts["second"], encoding="utf-8")
    assert main(["train", str(tmp_path / "next.toml"), "--data", str(data), "--run", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert f"{data / 'train' / '1'}: no pictures there" in error
    assert "step" not in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "{recipe}", "--data", "gone"], ["gone", "no pictures there"]),
        (["train", "{recipe}", "--data", "{data}", "--threads", "-1"], ["threads = -1"]),
        (["train", "{recipe}", "--data", "{data}", "--processes", "0"], ["processes = 0"]),
        (["train", "{recipe}", "--data", "{data}", "--log", "tensorbord"], ["did you mean 'tensorboard'"]),
        (["train", "{recipe}", "--data", "{data}", "--validate", "gone"], ["gone", "no pictures there"]),
        (["finetune", "realtme", "--data", "{data}"], ["did you mean 'realtime'"]),
        (["finetune", "realtime", "--data", "{data}", "--freeze", "haed"], ["did you mean 'head'"]),
        (["finetune", "realtime", "--data", "{data}", "--patch", "40"], ["0.png", "too small at x4"]),
        (["finetune", "realtime", "--data", "{data}", "--rate", "0"], ["optimiser.rate"]),
    ],
)
def test_what_is_wrong_is_told_before_the_first_step(
    arguments: list[str], words: list[str], recipe: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([text.format(recipe=recipe, data=data) for text in arguments]) == 1
    error = capsys.readouterr().err
    assert "Traceback" not in error
    for word in words:
        assert word in error


def test_test_sets_that_are_not_there_are_told_before_quantising(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["quantize", "realtime", "--scale", "2", "--data", str(data), "--evaluate", str(tmp_path / "gone")]
    assert main(command) == 1
    told = capsys.readouterr()
    assert "gone: there is no such folder; --evaluate takes a folder of test sets" in told.err and not told.out


def test_a_line_says_all_that_is_known() -> None:
    line = progress_line(Progress(500, 2000, 0.0123, 31.25, 14.0))
    assert line == "step 500/2000  loss 0.01230  patches 31.25 dB  14.0 steps/s  2 min left"
    long = progress_line(Progress(500, 200_000, 0.0123, 31.25, 14.0, psnr=30.5))
    assert long.endswith("validation 30.50 dB  14.0 steps/s  3 h 58 min left")


@pytest.mark.parametrize("wrong", [{"threads": -1}, {"processes": 0}, {"validate_every": 0}])
def test_options_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="expected"):
        RunOptions(**wrong)  # type: ignore[arg-type]


def test_a_bar_on_a_terminal(
    recipe: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(["train", str(recipe), "--data", str(data)]) == 0
    told = capsys.readouterr().err
    assert "tiny_x2" in told and "100 %" in told and "0 min left" in told
    assert " dB" in told and "step 6/6" not in told
