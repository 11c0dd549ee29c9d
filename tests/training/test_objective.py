from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from superres.training.losses import charbonnier, fourier, l1, l2
from superres.training.objective import Objective
from superres.training.recipe import LossOptions, Recipe, TeacherOptions
from superres.training.reduction import consistency, reduce_bicubic

from .test_features import onnx_network

CPU = torch.device("cpu")


def batch(scale: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Input bytes, result and truth."""
    torch.manual_seed(0)
    low = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    return low, torch.rand(2, 3, 8 * scale, 8 * scale), torch.rand(2, 3, 8 * scale, 8 * scale)


def recipe(**loss: object) -> Recipe:
    return Recipe(name="n_x4", scale=4, steps=10, loss=LossOptions(**loss))  # type: ignore[arg-type]


def test_weights_of_pixel_losses_add_up() -> None:
    low, result, truth = batch()
    objective = Objective(recipe(l1=0.5, charbonnier=2.0, fourier=0.05), CPU)
    expected = 0.5 * l1(result, truth) + 2 * charbonnier(result, truth) + 0.05 * fourier(result, truth)
    assert float(objective([(4, result)], low, truth, 0)) == pytest.approx(float(expected), rel=1e-6)


def test_l1_alone_is_l1_to_the_bit() -> None:
    low, result, truth = batch()
    assert torch.equal(Objective(recipe(), CPU)([(4, result)], low, truth, 0), l1(result, truth))


def test_the_end_belongs_to_one_loss_alone() -> None:
    low, result, truth = batch()
    objective = Objective(recipe(consistency=1.0, finish=0.25), CPU)
    values = [objective([(4, result)], low, truth, step) for step in range(10)]
    assert [torch.equal(value, l2(result, truth)) for value in values] == [False] * 8 + [True] * 2
    assert [objective.finishing(step) for step in (7, 8)] == [False, True]


def test_outputs_are_averaged_each_against_its_own_truth() -> None:
    low, result, truth = batch()
    half = torch.rand(2, 3, 16, 16)
    loss = Objective(recipe(), CPU)([(2, half), (4, result)], low, truth, 0)
    expected = (l1(half, reduce_bicubic(truth, 2)) + l1(result, truth)) / 2
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    several = Objective(recipe(), CPU)([(4, half.repeat(1, 1, 2, 2)), (4, result)], low, truth, 0)
    expected = (l1(half.repeat(1, 1, 2, 2), truth) + l1(result, truth)) / 2
    assert float(several) == pytest.approx(float(expected), rel=1e-6)


def test_consistency_and_features_look_at_the_result(tmp_path: Path) -> None:
    low, result, truth = batch()
    model = onnx_network(tmp_path / "net.onnx")
    objective = Objective(recipe(consistency=3.0, perceptual=2.0, perceptual_model=str(model)), CPU)
    assert objective.features is not None
    value = objective([(2, torch.rand(2, 3, 16, 16)), (4, result)], low, truth, 0)
    plain = Objective(recipe(), CPU)
    torch.manual_seed(1)
    half = torch.rand(2, 3, 16, 16)
    parts = plain([(2, half), (4, result)], low, truth, 0)
    both = objective([(2, half), (4, result)], low, truth, 0)
    expected = parts + 3 * consistency(result, low.float() / 255, 4) + 2 * objective.features(result, truth)
    assert float(both) == pytest.approx(float(expected), rel=1e-5)
    assert value.shape == ()


def test_a_teacher_is_learnt_from_without_gradients_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    low, result, truth = batch()
    asked = []

    def load(model: str, scale: int, channels: int, device: torch.device) -> object:
        asked.append((model, scale, channels, device))
        return lambda inputs: torch.full_like(result, float(inputs.max()))

    monkeypatch.setattr("superres.training.objective.load_teacher", load)
    taught = Recipe(name="n_x4", scale=4, steps=10, teacher=TeacherOptions("quality", 0.5))
    loss = Objective(taught, CPU)([(4, result)], low, truth, 0)
    teaching = (result - float(low.max()) / 255).abs().mean()
    assert asked == [("quality", 4, 3, CPU)]
    assert float(loss) == pytest.approx(float(l1(result, truth) + 0.5 * teaching), rel=1e-6)
