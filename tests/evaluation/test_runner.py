from __future__ import annotations

from pathlib import Path

import pytest

from superres.errors import InputError, ModelError, OptionError
from superres.evaluation.enlargers import bicubic_enlarger
from superres.evaluation.runner import Settings, count_pictures, evaluate_folder
from superres.evaluation.scores import evaluate_set

from .support import save, smooth


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for k, name in enumerate(("One/a.png", "Two/b.png", "Two/c.png")):
        save(smooth(48, 40, seed=k), tmp_path / "data" / name)
    return tmp_path / "data"


def test_every_set_and_every_model(data: Path, tiny_folder: Path) -> None:
    tiny = str(tiny_folder / "tiny")
    seen = []
    settings = Settings(scale=2, models=("bicubic", tiny), metrics=("psnr",), precision="fp32", threads=1)
    results = list(evaluate_folder(data, settings, watch=lambda *told: seen.append(told)))
    assert [[(one.name, one.method) for one in result.scores] for result in results] == [
        [("One", "bicubic"), ("One", tiny)],
        [("Two", "bicubic"), ("Two", tiny)],
    ]
    assert seen == [("One", "a.png"), ("Two", "b.png"), ("Two", "c.png")]
    assert len(seen) == count_pictures(data)
    expected = evaluate_set(data / "Two", 2, bicubic_enlarger(2), ["psnr"])
    assert results[1].scores[0].images == expected.images
    assert results[0].crops == []


def test_crops_come_when_asked_for(data: Path) -> None:
    settings = Settings(scale=2, models=("bicubic",))
    crops = [[one.file for one in result.crops] for result in evaluate_folder(data, settings, crops=True)]
    assert crops == [["a.png"], ["b.png", "c.png"]]


def test_low_resolution_of_several_sets_lies_in_folders_of_their_names(data: Path, tmp_path: Path) -> None:
    for name in ("One/a.png", "Two/b.png", "Two/c.png"):
        save(smooth(24, 20), tmp_path / "low" / name)
    settings = Settings(scale=2, models=("bicubic",))
    assert len(list(evaluate_folder(data, settings, low=tmp_path / "low"))) == 2
    (one,) = evaluate_folder(data / "One", settings, low=tmp_path / "low" / "One")
    assert one.scores[0].mean["psnr"] < 20  # another picture's low resolution
    with pytest.raises(OptionError, match="no low-resolution picture"):
        list(evaluate_folder(data / "Two", settings, low=tmp_path / "low" / "One"))


def test_low_resolution_is_made_or_read_not_both(data: Path) -> None:
    settings = Settings(scale=2, models=("bicubic",), degradation="blind")
    with pytest.raises(OptionError, match="degradation 'blind' makes low resolution.*give one of --degradation and"):
        next(evaluate_folder(data, settings, low=data))


def test_all_sets_are_checked_before_the_first_is_measured(data: Path) -> None:
    save(smooth(5, 5), data / "Two" / "z.png")
    with pytest.raises(InputError, match=r"z\.png"):
        next(evaluate_folder(data, Settings(scale=2, models=("bicubic",))))


def test_metrics_decide_how_small_a_picture_may_be(data: Path) -> None:
    with pytest.raises(InputError, match="180 x 180"):
        next(evaluate_folder(data, Settings(scale=2, models=("bicubic",), metrics=("ms-ssim",))))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"models": ()}, "models .none.: expected at least one"),
        ({"models": ("bicubic", "bicubic")}, "none twice"),
        ({"metrics": ("psnr", "psnr")}, "metrics psnr, psnr"),
        ({"metrics": ("psnrr",)}, "did you mean 'psnr'"),
        ({"models": ("bicubic",), "precision": "foo"}, "precision 'foo': expected auto, fp32, bf16 or int8"),
        ({"models": ("bicubic",), "threads": -3}, "threads -3"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        Settings(**settings)  # type: ignore[arg-type]


def test_an_unknown_model_is_refused(data: Path) -> None:
    with pytest.raises(ModelError, match="did you mean 'standard'"):
        next(evaluate_folder(data, Settings(scale=2, models=("standrad",))))
