from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from superres.deploy.ship import Provenance, ship
from superres.errors import OptionError, TrainingError
from superres.image import Image
from superres.metrics.psnr import psnr
from superres.resize import axis_resampler
from superres.training.checkpoint import make_network
from superres.training.loop import TrainingRun
from superres.training.recipe import DataOptions, LossOptions, NetworkOptions, Recipe
from superres.training.rows import RowTraining, enlarge_rows, thick_rows, train_rows
from superres.training.validation import Validator
from superres.training.warm import read_graph, read_weights
from superres.zoo import load_model

from .conftest import noise

Floats = npt.NDArray[np.float32]
QUICK = RowTraining(steps=60, batch=4, rows=6, columns=24, features=8, layers=4, threads=1)


def pictures(count: int, side: int = 64, seed: int = 0) -> list[Floats]:
    """Discs with soft edges, as slices through organs are."""
    random = np.random.default_rng(seed)
    made, (y, x) = np.full((count, side, side), 0.4, np.float32), np.mgrid[:side, :side]
    for picture in made:
        for _ in range(12):
            (down, across), radius = random.random(2) * side, 4 + 8 * random.random()
            picture += (random.random() - 0.5) / (1 + np.exp(np.hypot(y - down, x - across) - radius))
    return list(made)


def test_means_of_rows() -> None:
    plane = np.arange(14, dtype=np.float32).reshape(7, 2)
    np.testing.assert_array_equal(thick_rows(plane, 3), [[2, 3], [8, 9]])
    assert thick_rows(plane, 3).dtype == np.float32


def test_it_learns_what_cubic_interpolation_lacks() -> None:
    *shown, held = pictures(7)
    network = train_rows(shown, 4, QUICK)
    thick = thick_rows(held, 4)
    made = enlarge_rows(network, thick, 1)
    assert made.shape == held.shape
    cubic = axis_resampler(len(thick), len(held)).apply(thick, 0)
    assert psnr(made, held, 1.0) > psnr(cubic, held, 1.0) + 1.0
    np.testing.assert_allclose(thick_rows(made, 4), thick, atol=1e-5)


def test_the_same_seed_gives_the_same_network() -> None:
    shown, thick = pictures(2), thick_rows(pictures(1, seed=5)[0], 3)
    options = RowTraining(steps=5, batch=2, rows=4, columns=12, features=4, layers=3, threads=1)
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    first = enlarge_rows(train_rows(shown, 3, options), thick, 1)
    assert torch.equal(torch.rand(1), before), "the caller's random numbers were touched"
    np.testing.assert_array_equal(first, enlarge_rows(train_rows(shown, 3, options), thick, 1))
    other = RowTraining(**{**vars(options), "seed": 1})
    assert not np.array_equal(first, enlarge_rows(train_rows(shown, 3, other), thick, 1))


def test_pictures_smaller_than_a_window() -> None:
    steps: list[int] = []
    network = train_rows(
        [one[:9, :5] for one in pictures(2)], 4, RowTraining(steps=3, batch=2, threads=1), lambda: steps.append(1)
    )
    assert len(steps) == 3
    assert enlarge_rows(network, np.ones((1, 1), np.float32)).shape == (4, 1)


def test_threads_are_as_before() -> None:
    before = torch.get_num_threads()
    train_rows(pictures(1), 2, RowTraining(steps=1, batch=1, threads=before + 1))
    assert torch.get_num_threads() == before


def test_it_goes_on_from_a_start_that_stays_as_it_is() -> None:
    *shown, held = pictures(7)
    start = train_rows(shown, 4, QUICK)
    before = [value.clone() for value in start.parameters()]
    few = replace(QUICK, steps=10, rate=1e-3)
    thick = thick_rows(held, 4)
    onwards, anew = (
        psnr(enlarge_rows(train_rows(shown, 4, few, start=one), thick, 1), held, 1.0) for one in (start, None)
    )
    assert onwards > anew + 1
    assert all(torch.equal(one, other) for one, other in zip(before, start.parameters(), strict=True))
    with pytest.raises(OptionError, match="enlarges rows by 4, expected 3"):
        train_rows(shown, 3, few, start=start)


def test_what_cannot_be_learnt_from() -> None:
    with pytest.raises(TrainingError, match="8 rows or more"):
        train_rows([np.zeros((7, 20), np.float32)], 4, QUICK)
    with pytest.raises(TrainingError, match="no picture"):
        train_rows([], 4, QUICK)
    with pytest.raises(TrainingError, match="without gaps"):
        train_rows([np.full((32, 32), np.nan, np.float32)], 4, QUICK)


ROWS = Recipe("n_x4", 4, 3, precision="fp32", network=NetworkOptions("rows", (("features", 4),)),
              data=DataOptions((".",), planes="rows", patch=8, batch=2))  # fmt: skip


def test_recipes_train_them_on_photographs(tmp_path: Path) -> None:
    for index in range(2):
        Image.from_array(noise(48, 40, seed=index)).save(tmp_path / f"{index}.png")
    run = TrainingRun(ROWS, tmp_path / "run", threads=1)
    run.train(tmp_path, lambda _: None)
    (tmp_path / "zoo").mkdir()
    card = ship(run.averaged_network(), ROWS, Provenance("n.toml", 3, 0.1, {}), tmp_path / "zoo")
    assert (card.kind, card.scale, card.channels, card.takes_pictures) == ("rows", 4, 1, False)
    values = read_weights(read_graph(load_model("n", 4, tmp_path / "zoo").onnx))
    for name, parameter in run.averaged_network().named_parameters():
        torch.testing.assert_close(values[name], parameter.data)


def test_only_networks_of_rows_and_losses_that_know_them(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'espcn' with data.planes = 'rows': networks of rows"):
        make_network(replace(ROWS, network=NetworkOptions("espcn", (("channels", 1),))))
    with pytest.raises(OptionError, match="'rows' with data.planes = 'grey': networks of rows"):
        make_network(replace(ROWS, data=DataOptions(planes="grey")))
    with pytest.raises(OptionError, match=r"loss\.consistency = 1\.0, expected 0 with data\.planes = 'rows'"):
        replace(ROWS, loss=LossOptions(consistency=1.0))
    with pytest.raises(OptionError, match="enlarges rows alone"):
        Validator(tmp_path, ROWS)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}, {"rate": 0.0}, {"threads": -1}, {"columns": 0}])
def test_numbers_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="expected"):
        RowTraining(**wrong)  # type: ignore[arg-type]
