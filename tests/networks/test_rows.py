from __future__ import annotations

import numpy as np
import pytest
import torch

from superres.errors import OptionError
from superres.networks import GUIDED_NETWORKS, NETWORKS, ROW_NETWORKS, build_network
from superres.networks.rows import RowNetwork
from superres.resize import axis_resampler


def network(factor: int, seed: int = 0) -> RowNetwork:
    torch.manual_seed(seed)
    made = RowNetwork(factor, features=6, layers=4)
    torch.nn.init.normal_(made.tail.weight, std=0.1)  # as if it had been trained
    return made


def thick(rows: int, columns: int, halo: int) -> torch.Tensor:
    return torch.rand((2, 1, rows + 2 * halo, columns + 2 * halo), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("factor", [2, 3, 4, 16])
def test_every_row_is_the_mean_of_what_it_becomes(factor: int) -> None:
    made = network(factor)
    batch = thick(5, 7, made.halo)
    large = made(batch)
    assert large.shape == (2, 1, 5 * factor, 7)
    inner = batch[:, :, made.halo : -made.halo, made.halo : -made.halo]
    torch.testing.assert_close(large.unflatten(2, (5, factor)).mean(3), inner, atol=1e-5, rtol=0)
    assert float((large - inner.repeat_interleave(factor, 2)).detach().abs().max()) > 0.01


@pytest.mark.parametrize("factor", [2, 5])
def test_with_nothing_learnt_it_is_the_cubic_interpolation_that_keeps_rows(factor: int) -> None:
    made = RowNetwork(factor, features=6, layers=4)
    torch.nn.init.zeros_(made.tail.weight)
    batch = thick(6, 3, made.halo)
    whole = batch[0, 0, :, made.halo : -made.halo].numpy()
    cubic = axis_resampler(len(whole), len(whole) * factor).apply(whole, 0).reshape(len(whole), factor, 3)
    kept = (cubic - cubic.mean(1, keepdims=True) + whole[:, None])[made.halo : -made.halo]
    np.testing.assert_allclose(made(batch)[0, 0].detach().numpy(), kept.reshape(-1, 3), atol=1e-5)


def test_the_halo_is_what_it_sees() -> None:
    made = network(2)
    batch = thick(9, 9, made.halo)
    middle = made(batch)[:, :, 8:10, 4]
    changed = batch.clone()
    row, column, reach = made.halo + 4, made.halo + 4, made.halo
    far = torch.ones_like(batch, dtype=torch.bool)
    far[:, :, row - reach : row + reach + 1, column - reach : column + reach + 1] = False
    changed[far] += 1
    torch.testing.assert_close(made(changed)[:, :, 8:10, 4], middle, atol=1e-6, rtol=0)
    changed = batch.clone()
    changed[:, :, row - reach, column] += 1
    assert not torch.equal(made(changed)[:, :, 8:10, 4], middle)


def test_training_repeats_the_edges_of_patches() -> None:
    made = network(3)
    batch = thick(8, 8, 0)
    ((scale, large),) = made.supervised(batch)
    assert (scale, large.shape) == (3, (2, 1, 24, 8))
    whole = torch.nn.functional.pad(batch, (made.halo,) * 4, mode="replicate")
    torch.testing.assert_close(large, made(whole))


def test_it_is_in_a_table_of_its_own() -> None:
    assert not set(ROW_NETWORKS) & (set(NETWORKS) | set(GUIDED_NETWORKS))
    assert isinstance(build_network("rows", 5, {"layers": 4}), RowNetwork)


@pytest.mark.parametrize("wrong", [{"scale": 1}, {"scale": 17}, {"scale": 2, "layers": 2}])
def test_numbers_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="expected"):
        RowNetwork(**wrong)
