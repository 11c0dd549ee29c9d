from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import make_model, put, tiny_onnx

from superres.evaluation.about import about
from superres.evaluation.runner import Settings
from superres.evaluation.sets import LOW_RESOLUTIONS
from superres.image import Image
from superres.metrics import METRICS
from superres.pipeline import Options, Upscaler, fastest_precision
from superres.zoo import list_cards


@pytest.mark.parametrize("degradation", LOW_RESOLUTIONS)
def test_every_low_resolution_is_described(degradation: str) -> None:
    lines = about(Settings(models=("bicubic",), degradation=degradation)).protocol
    assert sum(line.startswith("Low resolution: ") for line in lines) == 1


def test_every_metric_is_described() -> None:
    names = tuple(name for name in METRICS if name != "lpips")  # its version is asked for, and it may be absent
    lines = " ".join(about(Settings(models=("bicubic",), metrics=names)).protocol)
    for name in names:
        assert METRICS[name].title.lower() in lines.lower()
    assert "not with published ones" in lines


def test_cards_arithmetic_and_versions_of_models(tiny_folder: Path) -> None:
    told = about(Settings(scale=2, models=("bicubic", str(tiny_folder / "tiny")), precision="fp32"))
    assert [card.stem for card in told.cards] == ["tiny_x2"]
    assert "tiny_x2 in fp32" in told.protocol[-1]
    assert {"superres", "Python", "numpy", "openvino"} <= set(told.versions)


def test_a_scale_that_takes_several_networks_names_those_that_run(tiny_folder: Path) -> None:
    told = about(Settings(scale=8, models=(str(tiny_folder / "tiny"),)))
    assert {card.stem for card in told.cards} == {"tiny_x2", "tiny_x4"}


@pytest.mark.parametrize(
    ("model", "scale", "networks", "reduced"),
    [
        ("auto", 4, ["standard_x4"], ""),
        ("auto", 8, ["standard_x2", "standard_x4"], ""),
        ("standard", 8, ["standard_x2", "standard_x4"], ""),
        ("standard", 16, ["standard_x4", "standard_x4"], ""),
        ("restore", 1, ["restore_x1"], ""),
        ("restore", 3, ["restore_x4"], ", reduced from x4 by antialiased bicubic"),
        ("restore", 8, ["restore_x2", "standard_x4"], ""),
    ],
)
def test_networks_and_arithmetic_are_those_that_a_picture_gets(
    model: str, scale: int, networks: list[str], reduced: str
) -> None:
    told = about(Settings(scale=scale, models=("bicubic", model)))
    with Upscaler(Options(scale=scale, model=model)) as upscaler:
        chain = upscaler.chain(Image.from_array(np.zeros((9, 7, 3), np.uint8)).info, (7 * scale, 9 * scale))
    assert [card.stem for card in chain.cards] == networks
    assert told.protocol[-1].endswith(f": {model}: {', then '.join(networks)} in {chain.precision}{reduced}.")
    assert [card.stem for card in told.cards] == list(dict.fromkeys(networks))


def test_8_bit_weights_are_told_only_where_one_network_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from superres.backends import openvino

    monkeypatch.setattr(openvino, "has_int8", lambda code: True)
    (card,) = (card for card in list_cards() if card.stem == "standard_x4")
    assert f"standard_x4 in {fastest_precision(card)}" in about(Settings(scale=4)).protocol[-1]
    assert fastest_precision(card) == "int8"
    assert f"standard_x4 in {fastest_precision(None)}" in about(Settings(scale=8)).protocol[-1]


def test_folders_of_ones_own_with_models_of_one_name_are_told_apart(tmp_path: Path) -> None:
    models, codes = [], []
    for seed, name in enumerate(("before", "after")):
        (tmp_path / name).mkdir()
        model = make_model(tiny_onnx(2, seed=seed), 2)
        put(model, tmp_path / name)
        models.append(str(tmp_path / name / "tiny"))
        codes.append(model.card.sha256)
    told = about(Settings(scale=2, models=tuple(models), precision="fp32"))
    for model, code in zip(models, codes, strict=True):
        assert f"{model}: tiny_x2 ({code[:16]}…) in fp32" in told.protocol[-1]
    assert [card.sha256 for card in told.cards] == codes
    # Two models that end up with the same network are no reason for two cards.
    twice = about(Settings(scale=4, models=("auto", "standard")))
    assert [card.stem for card in twice.cards] == ["standard_x4"]
    assert "(" not in twice.protocol[-1]


def test_a_folder_of_low_resolution_is_named_without_its_path() -> None:
    lines = about(Settings(models=("bicubic",)), Path("/home/someone/low")).protocol
    assert "Low resolution: read from low." in lines
