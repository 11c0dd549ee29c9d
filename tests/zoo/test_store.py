from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_models import nearest_model, open_nearest, picture, put

from superres.errors import ModelError
from superres.pipeline import Options, Upscaler
from superres.zoo import find_model, list_cards, load_model, locate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for scale in (4, 2):
        put(nearest_model(scale), tmp_path)
    put(replace(nearest_model(3), card=replace(nearest_model(3).card, name="another")), tmp_path)
    return tmp_path


def test_cards_are_listed_by_name_and_scale(folder: Path) -> None:
    assert [card.stem for card in list_cards(folder)] == ["another_x3", "nearest_x2", "nearest_x4"]
    assert list_cards(folder / "absent") == []


def test_find_and_load(folder: Path) -> None:
    assert find_model("nearest", 4, folder).scale == 4
    model = load_model("nearest", 2, folder)
    assert model.onnx == b"nearest:2"
    assert model.card.name == "nearest"


@pytest.mark.parametrize(
    ("name", "scale", "message"),
    [
        ("neerest", 2, r"expected one of \['another', 'nearest'\]; did you mean 'nearest'"),
        ("nearest", 3, r"has no x3: it has \['x2', 'x4'\]"),
        ("", 2, "is unknown"),
        ("../nearest", 2, "is unknown"),
    ],
)
def test_unknown_models(folder: Path, name: str, scale: int, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_model(name, scale, folder)


def test_a_missing_file(folder: Path) -> None:
    (folder / "nearest_x2.onnx").unlink()
    with pytest.raises(ModelError, match=r"cannot read the model.*reinstall"):
        load_model("nearest", 2, folder)


@pytest.mark.parametrize("change", [b"nearest:3", b"", b"nearest:2\n"])
def test_a_changed_file_is_never_used(folder: Path, change: bytes) -> None:
    (folder / "nearest_x2.onnx").write_bytes(change)
    with pytest.raises(ModelError, match=r"SHA-256.*is not used"):
        load_model("nearest", 2, folder)
    opened: list[bytes] = []

    def opener(name: str, model: bytes, **_: object) -> object:
        opened.append(model)
        return open_nearest(name, model)

    options = Options(model="nearest", scale=2)
    with (
        pytest.raises(ModelError, match="SHA-256"),
        Upscaler(options, folder=folder, opener=opener) as upscaler,  # type: ignore[arg-type]
    ):
        upscaler.image(picture(4, 4))
    assert opened == []
    # A card that was changed along with nothing else does not help.
    card = find_model("nearest", 4, folder)
    assert load_model("nearest", 4, folder).card == card


def test_models_of_ones_own(folder: Path) -> None:
    assert locate("standard", folder) == (folder, "standard")
    assert locate(f"{folder}/nearest") == (folder, "nearest")
    with pytest.raises(ModelError, match="there is no folder"):
        locate(f"{folder}/absent/nearest")
    with Upscaler(Options(model=f"{folder}/nearest", scale=2), opener=open_nearest) as upscaler:
        assert upscaler.image(picture(4, 4)).samples.shape == (8, 8, 3)
