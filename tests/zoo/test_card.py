from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import ModelError, OutputError
from superres.zoo import Int8, ModelCard, Training, read_card, write_card

CARD = ModelCard(
    name="standard",
    architecture="reparam",
    scale=4,
    channels=3,
    halo=12,
    parameters=229_968,
    gmacs=13.21,
    kind="faithful",
    licence="Apache-2.0",
    sha256="ab" * 32,
    training=Training(recipe="standard_x4.toml", steps=7, minutes=0.5, versions={"torch": "2.13.0+cpu"}),
    scores={"Set5": {"psnr": 31.5, "ssim": 0.88}},
    recipe={"steps": 7, "freeze": ["head"], "network": {"features": 48}, "data": {"patches": [[0.5, 32, 8]]}},
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.floats(allow_nan=False)


def written(card: ModelCard, path: Path) -> str:
    write_card(card, path)
    return path.read_text(encoding="utf-8")


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "standard_x4.toml"
    write_card(CARD, path)
    assert read_card(path) == CARD
    assert [file.name for file in tmp_path.iterdir()] == ["standard_x4.toml"]
    assert CARD.stem == "standard_x4"


@given(
    TEXT,
    NUMBERS,
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.dictionaries(TEXT, st.integers(0, 2**40), max_size=3),
    st.dictionaries(TEXT, st.dictionaries(TEXT, NUMBERS, max_size=3), max_size=3),
    st.dictionaries(TEXT, NUMBERS, max_size=3),
)
def test_any_card_round_trips(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    gmacs: float,
    versions: dict[str, str],
    pictures: dict[str, int],
    scores: dict[str, dict[str, float]],
    losses: dict[str, float],
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    training = Training(hardware=name, versions=versions, pictures=pictures)
    int8 = Int8(sha256="0" * 64, steps=3, loss=losses) if losses else Int8()
    card = replace(CARD, name=name, gmacs=gmacs, training=training, scores=scores, int8=int8)
    write_card(card, path)
    assert read_card(path) == card


REQUIRED = [field.name for field in fields(ModelCard) if field.name not in ("training", "scores", "int8", "recipe")]


@pytest.mark.parametrize("key", REQUIRED)
def test_each_key_is_required(tmp_path: Path, key: str) -> None:
    path = tmp_path / "card.toml"
    kept = [line for line in written(CARD, path).splitlines() if not line.startswith(f"{key} = ")]
    path.write_text("\n".join(kept))
    with pytest.raises(ModelError, match=f"{key} is missing"):
        read_card(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("halo = 12", "halo = 12\nhallo = 3", "key 'hallo' is unknown; did you mean 'halo'"),
        ("[training]", "[training]\nrecip = 'x'", "key 'recip' is unknown; did you mean 'recipe'"),
        ("halo = 12", "halo = '12'", "halo = '12', expected int"),
        ("halo = 12", "halo = 12.5", "halo = 12.5, expected int"),
        ("halo = 12", "halo = true", "halo = True, expected int"),
        ("gmacs = 13.21", "gmacs = []", "expected float"),
        ("steps = 7", "steps = 'x'", "expected int"),
        ('{ torch = "2.13.0+cpu" }', "3", "versions = 3, expected dict"),
        ("[training]", "[[training]]", "expected a table"),
        ("Set5 = {", "Set14 = 3\nSet5 = {", r"scores\.Set14 = 3, expected a table"),
        ("halo = 12", "halo = ", "not a readable model card"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "card.toml"
    text = written(CARD, path)
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ModelError, match=message) as caught:
        read_card(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("contents", [b"\xff\xfe\x00", b"\0" * 50])
def test_what_is_no_text(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "card.toml"
    path.write_bytes(contents)
    with pytest.raises(ModelError, match="not a readable model card"):
        read_card(path)


def test_an_absent_card_and_an_absent_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a readable model card"):
        read_card(tmp_path / "none.toml")
    with pytest.raises(OutputError):
        write_card(CARD, tmp_path / "none" / "card.toml")
