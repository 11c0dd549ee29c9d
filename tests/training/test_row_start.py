"""The shipped starts of networks for one volume: what they know, at their own factors and at others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from superres.errors import ModelError, OptionError
from superres.metrics.psnr import psnr
from superres.resize import axis_resampler
from superres.training import row_start as starts
from superres.training.row_start import row_start
from superres.training.rows import RowTraining, enlarge_rows, thick_rows, train_rows
from superres.training.warm import read_graph, read_weights
from superres.zoo import ModelCard, list_cards, load_model

from .test_rows_training import pictures

CARDS = [card for card in list_cards() if card.kind == "rows"]


def test_there_are_some() -> None:
    assert {card.scale for card in CARDS} == {2, 4}


@pytest.mark.parametrize("card", CARDS, ids=[card.stem for card in CARDS])
def test_its_weights_are_those_of_the_file(card: ModelCard) -> None:
    network = row_start(card.scale)
    assert (network.scale, network.halo, network.training) == (card.scale, card.halo, False)
    values = read_weights(read_graph(load_model(card.name, card.scale).onnx))
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.data, values[name])
    assert card.training.steps > 0 and sum(card.training.pictures.values()) > 0


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 6, 8, 12, 16])
def test_every_factor_begins_better_than_cubic_interpolation(factor: int) -> None:
    held = np.concatenate(pictures(2, side=96, seed=3), axis=1)
    thick = thick_rows(held, factor)
    truth = held[: len(thick) * factor]
    made = enlarge_rows(row_start(factor), thick, 1)
    np.testing.assert_allclose(thick_rows(made, factor), thick, atol=1e-5)
    cubic = axis_resampler(len(thick), len(truth)).apply(thick, 0)
    assert psnr(made, truth, 1.0) > psnr(cubic, truth, 1.0) + 0.1  # soft discs leave little to gain


@pytest.mark.parametrize("factor", [3, 4, 7])
def test_as_many_steps_from_it_lead_further_than_from_nothing(factor: int) -> None:
    *shown, held = pictures(5, side=84)
    thick = thick_rows(held, factor)
    truth = held[: len(thick) * factor]
    options = RowTraining(steps=12, batch=4, rows=6, columns=24, rate=2e-3, threads=1)
    scores = [
        psnr(enlarge_rows(train_rows(shown, factor, options, start=start), thick, 1), truth, 1.0)
        for start in (row_start(factor), None)
    ]
    assert scores[0] > scores[1] + 0.5


def test_what_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for factor in (1, 17):
        with pytest.raises(OptionError, match="expected a scale of"):
            row_start(factor)
    monkeypatch.setattr(starts, "list_cards", list)
    with pytest.raises(ModelError, match="'rows' is unknown"):
        row_start(4)
