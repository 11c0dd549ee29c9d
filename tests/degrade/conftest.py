from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("SUPERRES_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


@pytest.fixture(scope="session")
def matlab_files() -> Path:
    """MATLAB's own low-resolution Set5."""
    folder = DATA / "test" / "Set5_matlab_bicubic"
    if not folder.is_dir():
        pytest.skip(f"NOT TESTED AGAINST MATLAB: no {folder}; set SUPERRES_DATA to the folder of shared pictures")
    return folder
