from __future__ import annotations

from pathlib import Path

import pytest

from superres.evaluation.about import about
from superres.evaluation.runner import Settings
from superres.evaluation.sets import LOW_RESOLUTIONS
from superres.metrics import METRICS


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


def test_a_scale_that_takes_several_networks_names_them_all(tiny_folder: Path) -> None:
    told = about(Settings(scale=8, models=(str(tiny_folder / "tiny"),)))
    assert {card.stem for card in told.cards} == {"tiny_x2", "tiny_x3", "tiny_x4"}


def test_a_folder_of_low_resolution_is_named_without_its_path() -> None:
    lines = about(Settings(models=("bicubic",)), Path("/home/someone/low")).protocol
    assert "Low resolution: read from low." in lines
