"""The shipped models: one ONNX file and one TOML card each, checked against each other before use."""

from __future__ import annotations

from superres.zoo.card import Int8, ModelCard, Training, read_card, write_card
from superres.zoo.store import ZOO, Model, find_model, list_cards, load_model, locate

__all__ = [
    "ZOO",
    "Int8",
    "Model",
    "ModelCard",
    "Training",
    "find_model",
    "list_cards",
    "load_model",
    "locate",
    "read_card",
    "write_card",
]
