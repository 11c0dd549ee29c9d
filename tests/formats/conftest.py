"""Fixtures of the tests of formats."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def samples_folder() -> Path:
    """Real pictures beside the project; they are not part of it."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "samples" / "still"
    if not folder.is_dir():
        pytest.skip(f"NO SAMPLE PICTURES: {folder} is absent, so real files are not tested")
    return folder
