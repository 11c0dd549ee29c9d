"""Sums of products of bytes: exact where the probe says so, and known where they are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from superres.backends import openvino, openvino_exact
from superres.backends.openvino_exact import SAFE_CODE, adds_exactly, sum_of_largest


@pytest.fixture(autouse=True)
def nothing_is_known() -> Iterator[None]:
    adds_exactly.cache_clear()
    yield
    adds_exactly.cache_clear()


def test_safe_codes_are_added_up_exactly_here() -> None:
    assert sum_of_largest(SAFE_CODE) == 255 * SAFE_CODE * 9 * 32
    assert sum_of_largest(1) == 255 * 9 * 32


def test_larger_codes_are_exact_or_cut_off_in_pairs_of_16_bits() -> None:
    exact, cut = 255 * 127 * 9 * 32, (2**15 - 1) * 9 * 16
    assert sum_of_largest(127) == (exact if adds_exactly(127) else cut)


def test_the_answer_is_kept_and_safe_codes_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr(openvino_exact, "sum_of_largest", lambda code: tried.append(code) or 1.0)  # type: ignore[func-returns-value]
    assert adds_exactly(SAFE_CODE)
    assert not adds_exactly(127)
    assert not adds_exactly(127)
    assert tried == [127]


@pytest.mark.parametrize(("listed", "code", "expected"), [(True, 64, True), (True, 127, False), (False, 64, False)])
def test_int8_needs_the_instructions_and_exact_sums(
    listed: bool, code: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "_capabilities", lambda: frozenset({"INT8"} if listed else {"FP32"}))
    monkeypatch.setattr(openvino_exact, "sum_of_largest", lambda code: 255 * SAFE_CODE * 9 * 32)
    assert openvino.has_int8(code) is expected
