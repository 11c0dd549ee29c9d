from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from superres.backends import openvino
from superres.errors import ModelError, OptionError
from superres.evaluation.enlargers import arithmetic, bicubic_enlarger, model_enlarger, open_enlargers
from superres.image import Image
from superres.pipeline import Options, Upscaler
from superres.resize import resize
from superres.zoo import Int8, list_cards

from .support import smooth


def test_bicubic_is_matlabs() -> None:
    low = smooth(9, 7)
    assert np.array_equal(bicubic_enlarger(3)(low), resize(low, scale=3))


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="is unknown"):
        model_enlarger("standrad", 4)


def test_a_model_is_measured_through_the_product(tiny_folder: Path) -> None:
    low = smooth(20, 24)
    with Upscaler(Options(scale=2, model="tiny", precision="fp32", threads=1), folder=tiny_folder) as upscaler:
        expected = upscaler.image(Image.from_array(low)).samples
        assert np.array_equal(model_enlarger(upscaler, 2)(low), expected)
        with pytest.raises(OptionError, match="expected 7"):
            model_enlarger(upscaler, 7)
    named = str(tiny_folder / "tiny")
    assert np.array_equal(model_enlarger(named, 2, "fp32")(low), expected)
    with open_enlargers([named, "bicubic"], 2, "fp32", threads=1) as methods:
        assert list(methods) == [named, "bicubic"]
        assert np.array_equal(methods[named](low), expected)
        assert np.array_equal(methods["bicubic"](low), resize(low, scale=2))


#: A loss that ``auto`` takes.
SMALL = {"Set5": 0.02, "B100": 0.05}


@pytest.mark.parametrize(
    ("largest_exact", "has_bf16", "quantised", "expected"),
    [
        (127, True, Int8("ab", largest=127, loss=SMALL), "int8"),
        (64, True, Int8("ab", largest=64, loss=SMALL), "int8"),
        (64, True, Int8("ab", largest=64, loss={"Set5": 0.02, "B100": 0.051}), "bf16"),
        (64, True, Int8("ab", largest=64), "bf16"),  # its loss was not measured
        (64, True, Int8("ab", largest=127, loss=SMALL), "bf16"),
        (64, False, Int8("ab", loss=SMALL), "fp32"),  # a card that says nothing of its codes
        (127, True, Int8(), "bf16"),
        (0, True, Int8("ab", largest=64, loss=SMALL), "bf16"),
        (0, False, Int8("ab", largest=64, loss=SMALL), "fp32"),
    ],
)
def test_auto_means_what_the_pipeline_takes(
    largest_exact: int,
    has_bf16: bool,
    quantised: Int8,
    expected: str,
    tiny_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(openvino, "has_int8", lambda code: code <= largest_exact)
    monkeypatch.setattr(openvino, "has_bf16", lambda: has_bf16)
    card = replace(list_cards(tiny_folder)[0], int8=quantised)
    assert arithmetic(card) == expected
    assert arithmetic(card, "fp32") == "fp32"
    info = Image.from_array(smooth(8, 8)).info
    with Upscaler(Options(scale=card.scale, model=card.name), folder=tiny_folder) as upscaler:
        size = (8 * card.scale, 8 * card.scale)
        assert upscaler._precision(info, size, (card,)) == expected
