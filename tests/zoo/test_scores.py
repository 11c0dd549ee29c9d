"""What the cards say of quality, measured again (only where the test sets are)."""

from __future__ import annotations

from pathlib import Path

import pytest

from superres.evaluation import LOW_RESOLUTIONS, evaluate_set, model_enlarger
from superres.evaluation.scores import score_name
from superres.zoo import ModelCard, list_cards

CARDS = [card for card in list_cards() if card.takes_pictures]


@pytest.mark.parametrize("card", CARDS, ids=[card.stem for card in CARDS])
def test_the_card_tells_the_truth(card: ModelCard, data_root: Path) -> None:
    folder = data_root / "test" / "Set5"
    if not folder.is_dir():
        pytest.skip(f"SCORES OF {card.stem} NOT MEASURED AGAIN: no {folder}")
    enlarge = model_enlarger(card.name, card.scale, "fp32")
    told = {name: card.scores.get(score_name("Set5", name)) for name in LOW_RESOLUTIONS}
    assert any(told.values()), f"{card.stem} tells no scores on Set5: superres benchmark quality --update-cards"
    for degradation, scores in told.items():
        if scores is not None:
            measured = evaluate_set(folder, card.scale, enlarge, degradation=degradation).mean
            assert scores["psnr"] == pytest.approx(measured["psnr"], abs=0.005)
            assert scores["ssim"] == pytest.approx(measured["ssim"], abs=0.0005)
