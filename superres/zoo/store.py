"""Finding and loading model files; a file whose SHA-256 differs from its card is never used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from superres.errors import ModelError, near_match
from superres.zoo.card import ModelCard, read_card

__all__ = ["ZOO", "Model", "find_model", "list_cards", "load_model", "locate"]

#: The folder of the shipped models.
ZOO = Path(__file__).parent


@dataclass(frozen=True)
class Model:
    """A verified model: its card and the contents of its ONNX file."""

    card: ModelCard
    onnx: bytes


def list_cards(folder: Path = ZOO) -> list[ModelCard]:
    """The cards in ``folder``, by name and scale."""
    return sorted((read_card(path) for path in folder.glob("*.toml")), key=lambda card: (card.name, card.scale))


def find_model(name: str, scale: int, folder: Path = ZOO) -> ModelCard:
    """The card of the shipped model ``name`` for ``scale``.

    Raises:
        ModelError: no such model, or not at that scale; what there is, is named.
    """
    cards = list_cards(folder)
    names = {card.name for card in cards}
    if name not in names:
        raise ModelError(f"model {name!r} is unknown: expected one of {sorted(names)}{near_match(name, names)}")
    for card in cards:
        if card.name == name and card.scale == scale:
            return card
    raise ModelError(f"model {name!r} has no x{scale}: it has {[f'x{c.scale}' for c in cards if c.name == name]}")


def locate(model: str, folder: Path = ZOO) -> tuple[Path, str]:
    """Where a model lies: ``NAME`` in ``folder``, ``SOME/FOLDER/NAME`` in that folder of the user's.

    Returns:
        (folder, family name).

    Raises:
        ModelError: the folder that is named does not exist.

    >>> locate("models/mine")[1]
    Traceback (most recent call last):
    superres.errors.ModelError: model 'models/mine': there is no folder models
    """
    path = Path(model)
    if len(path.parts) < 2:
        return folder, model
    if not path.parent.is_dir():
        raise ModelError(f"model {model!r}: there is no folder {path.parent}")
    return path.parent, path.name


def load_model(name: str, scale: int, folder: Path = ZOO, *, int8: bool = False) -> Model:
    """Load and verify a model.

    Args:
        name: family name, as on the card.
        scale: enlargement factor.
        folder: where cards and ONNX files lie side by side.
        int8: its 8-bit form.

    Raises:
        ModelError: no 8-bit form, unknown model, unreadable file, or a SHA-256 that differs from the card.
    """
    card = find_model(name, scale, folder)
    path, expected = folder / f"{card.stem}.onnx", card.sha256
    if int8:
        path, expected = folder / f"{card.stem}.int8.onnx", card.int8.sha256
        if not expected:
            raise ModelError(f"model {card.stem} has no 8-bit form: use --precision bf16 or fp32, or superres quantize")
    try:
        contents = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror}; reinstall superres") from error
    digest = hashlib.sha256(contents).hexdigest()
    if digest != expected:
        raise ModelError(
            f"{path}: SHA-256 is {digest[:12]}…, its card says {expected[:12]}…; the file is damaged or was changed "
            "and is not used; reinstall superres"
        )
    return Model(card, contents)
