from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from superres.errors import InputError, MissingExtraError
from superres.workflows import self_trained
from superres.workflows.self_trained import SelfTrained, own_planes

pytest.importorskip("torch", reason="NO TORCH: pip install 'superres[train]'")

from superres.training.rows import RowTraining

Floats = npt.NDArray[np.float32]


def blobs(shape: tuple[int, int, int] = (40, 44, 10), seed: int = 0) -> Floats:
    """Balls with soft edges."""
    random = np.random.default_rng(seed)
    made, grid = np.full(shape, 0.4, np.float32), np.indices(shape).astype(np.float32)
    for _ in range(40):
        centre, radius = random.random((3, 1, 1, 1)) * np.reshape(shape, (3, 1, 1, 1)), 3 + 6 * random.random()
        away = np.sqrt(((grid - centre) ** 2).sum(axis=0))
        made += ((random.random() - 0.5) / (1 + np.exp(away - radius))).astype(np.float32)
    return made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = RowTraining(steps=40, batch=4, rows=4, columns=20, features=8, layers=4, threads=1)
    monkeypatch.setattr(self_trained, "_training", lambda threads, steps, shipped: quick)
    monkeypatch.setattr(self_trained, "_start", lambda factor: None)


def maker(steps: list[int] | None = None) -> SelfTrained:
    return SelfTrained("a.nii", 1, lambda: None if steps is None else steps.append(1))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_shown_along_both_axes_and_some_held_out(axis: int) -> None:
    source = np.moveaxis(blobs(), 2, axis)
    shown, held = own_planes(source, axis, 2)
    assert len(shown) == 18 and len(held) == 2
    slices = np.moveaxis(source, axis, 0)
    for plane in (*shown, *held):
        assert any(np.array_equal(plane, one) or np.array_equal(plane, one.T) for one in slices)
    assert not any(np.array_equal(one, other) for one in shown for other in held)


def test_few_large_or_damaged_slices() -> None:
    assert [len(part) for part in own_planes(blobs((40, 40, 2)), 2, 4)] == [2, 2]
    assert own_planes(blobs((40, 40, 1)), 2, 4)[0] == []
    shown, _ = own_planes(blobs((40, 9, 4)), 2, 4)
    assert {plane.shape for plane in shown} == {(40, 9)}
    shown, held = own_planes(np.zeros((600, 700, 70), np.float32), 2, 4)
    assert len(shown) + len(held) == 2 * 64 and shown[0].shape == (512, 512)
    gaps = blobs()
    gaps[3:6, :, :] = np.nan
    gaps[9, 9, 9] = np.inf
    assert all(np.isfinite(plane).all() for part in own_planes(gaps, 2, 4) for plane in part)


def test_it_is_trained_once_and_says_how_good_it_is() -> None:
    steps: list[int] = []
    make = maker(steps)
    assert make.note == ""
    network = make(blobs(), 2, 40)
    assert len(steps) == make.steps == 40
    assert "40 steps: +" in make.note
    plane = blobs()[:, 7].T
    large = network.run(plane)
    assert large.shape == (40, 40)
    np.testing.assert_allclose(large.reshape(10, 4, 40).mean(1), plane, atol=1e-5)
    again = make(blobs(seed=1), 2, 40)
    assert len(steps) == 40
    np.testing.assert_array_equal(again.run(plane), large)


def test_the_same_volume_gives_the_same_result() -> None:
    plane = blobs()[:, 7].T
    np.testing.assert_array_equal(maker()(blobs(), 2, 30).run(plane), maker()(blobs(), 2, 30).run(plane))


@pytest.mark.parametrize("length", [15, 25])
def test_factors_between_whole_ones(length: int) -> None:
    assert maker()(blobs(), 2, length).run(blobs()[:, 7].T).shape == (length, 40)


@pytest.mark.parametrize("shape", [(40, 40, 1), (9, 9, 9), (1, 40, 10)])
def test_volumes_that_show_too_little(shape: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="--through-plane shipped"):
        maker()(np.ones(shape, np.float32), 2, 4 * shape[2])


def test_constant_volumes_stay_so() -> None:
    source = np.full((40, 40, 4), 0.5, np.float32)
    np.testing.assert_allclose(maker()(source, 2, 16).run(source[:, 0].T), 0.5, atol=1e-6)


def test_a_network_that_learnt_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(network: Any, plane: Floats, threads: int) -> Floats:
        return np.zeros((network.scale * plane.shape[0], plane.shape[1]), np.float32)

    monkeypatch.setattr("superres.training.rows.enlarge_rows", wrong)
    with pytest.raises(InputError, match=r"dB worse than cubic .* --through-plane shipped or cubic"):
        maker()(blobs(), 2, 40)


def test_without_torch_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "superres.training.rows":
            raise ImportError("No module named 'torch'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'superres\[train\]'"):
        maker()
