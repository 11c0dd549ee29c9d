from __future__ import annotations

import pytest

from superres.training.recipe import OptimiserOptions
from superres.training.schedule import rate_factor


def factors(options: OptimiserOptions, steps: int = 100) -> list[float]:
    return [rate_factor(step, steps, options) for step in range(steps + 1)]


@pytest.mark.parametrize("schedule", ["cosine", "wsd"])
def test_it_warms_up_and_ends_at_zero(schedule: str) -> None:
    values = factors(OptimiserOptions(warmup=10, schedule=schedule))
    assert values[0] == pytest.approx(0.1)
    assert values[:10] == sorted(values[:10])
    assert values[10:] == sorted(values[10:], reverse=True)
    assert values[100] == pytest.approx(0)
    assert rate_factor(0, 10, OptimiserOptions(warmup=0, schedule=schedule)) == 1


def test_it_ends_at_the_final_rate() -> None:
    for schedule in ("cosine", "wsd"):
        values = factors(OptimiserOptions(rate=1e-3, final_rate=1e-4, warmup=0, schedule=schedule))
        assert values[0] == pytest.approx(1)
        assert values[100] == pytest.approx(0.1)
        assert min(values) == values[100]


def test_wsd_is_constant_then_linear() -> None:
    values = factors(OptimiserOptions(warmup=0, schedule="wsd", cooldown=0.4))
    assert values[:61] == [1.0] * 61
    assert values[80] == pytest.approx(0.5)


def test_no_cooldown_at_all_stays_constant() -> None:
    assert factors(OptimiserOptions(warmup=0, schedule="wsd", cooldown=0.0))[:100] == [1.0] * 100
