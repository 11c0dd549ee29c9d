"""What the cards say of quality, measured again (only where the test sets are)."""

from __future__ import annotations

from pathlib import Path

import pytest

from superres.evaluation import evaluate_set, model_enlarger
from superres.zoo import ModelCard, list_cards

CARDS = list_cards()


@pytest.mark.parametrize("card", CARDS, ids=[card.stem for card in CARDS])
def test_the_card_tells_the_truth(card: ModelCard, data_root: Path) -> None:
    measured = evaluate_set(data_root / "test" / "Set5", card.scale, model_enlarger(card.name, card.scale, "fp32")).mean
    assert card.scores["Set5"]["psnr"] == pytest.approx(measured.psnr, abs=0.01)
    assert card.scores["Set5"]["ssim"] == pytest.approx(measured.ssim, abs=0.001)
