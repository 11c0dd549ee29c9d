from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from superres.errors import ModelError, OptionError, TrainingError
from superres.training.checkpoint import make_network, write_checkpoint
from superres.training.recipe import NetworkOptions, Recipe
from superres.training.teacher import load_teacher

CPU = torch.device("cpu")
RECIPE = Recipe("t_x2", 2, 5, network=NetworkOptions("reparam", (("features", 4), ("layers", 3))))


def test_a_shipped_model_teaches(tiny_folder: Path) -> None:
    teach = load_teacher(str(tiny_folder / "tiny"), 2, 3, CPU)
    low = torch.rand(2, 3, 8, 9).contiguous(memory_format=torch.channels_last)
    first = teach(low)
    assert first.shape == (2, 3, 16, 18) and not first.requires_grad
    assert torch.equal(first, teach(low))
    assert not torch.equal(first, teach(low.flip(0)))


def test_a_checkpoint_teaches_with_its_averaged_weights(tmp_path: Path) -> None:
    network, other = make_network(RECIPE), make_network(replace(RECIPE, seed=1))
    average = [p.detach() for p in other.parameters()]
    state = {"step": 5, "network": network.state_dict(), "average": average, "optimisers": []}
    write_checkpoint(tmp_path / "checkpoint.pt", RECIPE, state)
    low = torch.rand(1, 3, 8, 8)
    result = load_teacher(str(tmp_path / "checkpoint.pt"), 2, 3, CPU)(low)
    assert not result.requires_grad
    assert torch.equal(result, other.eval()(low).detach())
    with pytest.raises(OptionError, match=r"by 2, expected 3 by 4"):
        load_teacher(str(tmp_path / "checkpoint.pt"), 4, 3, CPU)
    with pytest.raises(OptionError, match=r"enlarges 3 channel\(s\) by 2, expected 1 by 2"):
        load_teacher(str(tmp_path / "checkpoint.pt"), 2, 1, CPU)


def test_a_teacher_that_cannot_be_is_told(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no x5"):
        load_teacher(str(tiny_folder / "tiny"), 5, 3, CPU)
    with pytest.raises(ModelError, match="is unknown"):
        load_teacher("nosuch", 2, 3, CPU)
    with pytest.raises(TrainingError, match=r"gone\.pt: cannot read the checkpoint: No such file"):
        load_teacher(str(tmp_path / "gone.pt"), 2, 3, CPU)
    with pytest.raises(OptionError, match=r"'video' with 1 channel\(s\); expected one that enlarges pictures of 3"):
        load_teacher("video", 2, 3, CPU)
    with pytest.raises(OptionError, match=r"'faithful' with 1 channel\(s\); expected one that enlarges pictures of 3"):
        load_teacher("standard-grey", 2, 3, CPU)
