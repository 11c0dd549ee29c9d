"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from tiny_models import keeping_opener, make_model, nearest_model, put, tiny_onnx

from superres.backends import Backend

# A busy machine is no reason to fail; few examples, because the whole suite runs at every change.
hypothesis.settings.register_profile("superres", deadline=None, max_examples=25, derandomize=True)
hypothesis.settings.load_profile("superres")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Pictures that are shared between checkouts and are no part of the project; SUPERRES_DATA names another place."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("SUPERRES_DATA", beside))
    if not root.is_dir():
        pytest.skip(f"NO SHARED DATA: {root} is absent; set SUPERRES_DATA to test against the published files")
    return root


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo of two families: ``tiny`` (real ONNX) and ``nearest`` (for the fake backend), both x2, x3 and x4."""
    folder = tmp_path_factory.mktemp("zoo")
    for scale in (2, 3, 4):
        put(make_model(tiny_onnx(scale, seed=scale), scale), folder)
        put(nearest_model(scale), folder)
    return folder


@pytest.fixture(scope="session")
def opener() -> Callable[..., Backend]:
    """Opens real backends once per session and with one thread."""
    return keeping_opener()
