"""The library as the front page of the documentation uses it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import picture

import superres
from superres.errors import OutputError


@pytest.mark.parametrize("kind", [str, Path])
def test_read_upscale_save(tmp_path: Path, kind: type) -> None:
    picture(12, 16).save(kind(tmp_path / "small.png"))
    image = superres.read(kind(tmp_path / "small.png"))
    assert isinstance(image, superres.Image)
    large = superres.upscale(image, scale=4)
    large.save(kind(tmp_path / "large.png"))
    again = superres.read(kind(tmp_path / "large.png"))
    assert again.samples.shape == (48, 64, 3)
    assert np.array_equal(again.samples, large.samples)
    with pytest.raises(OutputError, match="exists"):
        large.save(kind(tmp_path / "large.png"))


def test_the_list_of_models() -> None:
    assert [(card.name, card.scale) for card in superres.models() if card.name == "standard"]
    card = superres.models()[0]
    assert superres.load_model(card.name, card.scale).card == card
