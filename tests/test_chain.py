from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import NearestBackend, make_model, nearest_model, open_nearest, picture, tiny_onnx

from superres.backends import Backend, Precision
from superres.chain import NetworkChain, chain_scales
from superres.errors import InferenceError, ModelError, OptionError
from superres.zoo import Model

ALL = [2, 3, 4]


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.01, (2,)),
        (1.5, (2,)),
        (2, (2,)),
        (2.001, (2,)),  # a size in whole pixels misses by a rounding
        (2.01, (3,)),
        (3, (3,)),
        (3.5, (4,)),
        (4, (4,)),
        (4.5, (2, 3)),
        (6, (2, 3)),
        (6.5, (2, 4)),
        (8, (2, 4)),
        (8.5, (3, 3)),
        (9.5, (3, 4)),
        (12, (3, 4)),
        (12.5, (4, 4)),
        (16, (4, 4)),
    ],
)
def test_the_table(factor: float, expected: tuple[int, ...]) -> None:
    assert chain_scales(factor, ALL) == expected


@given(st.floats(1.01, 16), st.permutations(ALL))
def test_reaches_the_factor_with_the_smallest_product(factor: float, available: list[int]) -> None:
    scales = chain_scales(factor, available)
    product = int(np.prod(scales))
    assert list(scales) == sorted(scales)
    assert product >= factor * 0.999
    if len(scales) == 2:
        assert max(ALL) < factor * 0.999 or max(ALL) < factor
        assert not [a * b for a in ALL for b in ALL if factor * 0.999 <= a * b < product]
    else:
        assert not [a for a in ALL if factor * 0.999 <= a < product]


@pytest.mark.parametrize("factor", [1, 0.5, 0, -2, 16.1, float("nan"), float("inf")])
def test_out_of_range(factor: float) -> None:
    with pytest.raises(OptionError, match="more than 1 and at most 16"):
        chain_scales(factor, ALL)


def test_a_model_that_cannot_reach_it() -> None:
    with pytest.raises(OptionError, match=r"x2\) reach less"):
        chain_scales(5, [2])


@pytest.mark.parametrize(("scales", "halo"), [((2,), 2), ((2, 2), 3), ((3, 4), 3), ((4, 4), 3)])
def test_the_composite_halo_rounds_up(scales: tuple[int, ...], halo: int) -> None:
    assert NetworkChain([nearest_model(s) for s in scales], opener=open_nearest).halo == halo


@pytest.mark.parametrize("scales", [(2,), (4,), (2, 3), (3, 4)])
def test_the_composite_halo_is_sufficient(scales: tuple[int, ...]) -> None:
    models = [make_model(tiny_onnx(s, seed=s), s) for s in scales]
    chain = NetworkChain(models, threads=1)
    halo, s = chain.halo, chain.scale
    at = halo + 2
    size = 2 * at + 1
    base = np.full((1, 3, size, size), 0.5, np.float32)
    base += np.random.default_rng(0).uniform(-0.2, 0.2, base.shape).astype(np.float32)
    changed = base.copy()
    changed[:, :, at, at] += 0.25
    try:
        difference = np.abs(chain.run(changed) - chain.run(base)).max(axis=(0, 1))
    finally:
        chain.close()
    rows, columns = np.nonzero(difference)
    for positions in (rows // s, columns // s):
        assert positions.min() >= at - halo
        assert positions.max() <= at + halo
    # Not needlessly large either: the halo of the first network alone would not do.
    reach = max(at - rows.min() // s, rows.max() // s - at)
    assert reach >= models[0].card.halo


class Fussy(NearestBackend):
    """Nearest neighbour with ``bad`` in one pixel of each result in the given precisions."""

    opened: list[Fussy]

    def __init__(self, model: bytes, precision: Precision, bad: float, where: tuple[str, ...]) -> None:
        super().__init__(model, precision)
        self.bad = bad if precision in where else None

    def run(self, batch: np.ndarray) -> np.ndarray:
        large = super().run(batch)
        if self.bad is not None:
            large[0, 0, 0, 0] = self.bad
        return large


def fussy_chain(bad: float, *where: str, precision: Precision = "bf16") -> tuple[NetworkChain, list[Fussy]]:
    opened: list[Fussy] = []

    def opener(name: str, model: bytes, *, precision: Precision, threads: int) -> Backend:
        opened.append(Fussy(model, precision, bad, where))
        return opened[-1]

    return NetworkChain([nearest_model(2)], precision=precision, opener=opener), opened


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_in_reduced_precision_is_computed_again(bad: float) -> None:
    chain, opened = fussy_chain(bad, "bf16")
    batch = np.full((1, 3, 4, 4), 0.5, np.float32)
    assert np.array_equal(chain.run(batch), np.full((1, 3, 8, 8), 0.5))
    assert [backend.precision for backend in opened] == ["bf16", "fp32"]
    chain.run(batch)
    assert len(opened) == 2, "the float32 network is opened once"
    chain.close()
    assert all(backend.closed for backend in opened)


def test_both_infinities_at_once_are_noticed() -> None:
    # Their sum is NaN; neither alone must hide the other.
    chain, _ = fussy_chain(float("inf"), "fp32", precision="fp32")
    batch = np.zeros((1, 3, 2, 2), np.float32)
    batch[0, 2, 1, 1] = -np.inf
    with pytest.raises(InferenceError, match="not finite"):
        chain.run(batch)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_not_finite_in_float32_is_an_error(precision: Precision) -> None:
    chain, _ = fussy_chain(float("nan"), "fp32", "bf16", precision=precision)
    with pytest.raises(InferenceError, match="not finite even in float32"):
        chain.run(np.zeros((1, 3, 2, 2), np.float32))


def test_large_but_finite_values_pass() -> None:
    chain, opened = fussy_chain(3e38, "bf16")
    assert np.isfinite(chain.run(np.full((1, 3, 64, 64), 3e38, np.float32))).all()
    assert len(opened) == 1


def test_a_network_of_another_scale_than_its_card_says() -> None:
    chain = NetworkChain([make_model(b"nearest:3", 2)], opener=open_nearest)
    with pytest.raises(ModelError, match="its card says x2"):
        chain.run(np.zeros((1, 3, 4, 4), np.float32))


def test_networks_run_in_order_and_close_twice() -> None:
    chain = NetworkChain([nearest_model(2), nearest_model(3)], opener=open_nearest)
    small = picture(5, 4, dtype="float32").samples.transpose(2, 0, 1)[None]
    assert np.array_equal(chain.run(small), small.repeat(6, axis=2).repeat(6, axis=3))
    assert chain.scale == 6
    chain.close()
    chain.close()


def test_models_of_different_channels_make_no_chain() -> None:
    colour, grey = nearest_model(2), nearest_model(4)
    grey = Model(replace(grey.card, channels=1), grey.onnx)
    assert NetworkChain([grey], opener=open_nearest).channels == 1
    with pytest.raises(ModelError, match=r"nearest_x2 3, nearest_x4 1"):
        NetworkChain([colour, grey], opener=open_nearest)
