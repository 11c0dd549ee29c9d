from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from superres.degrade import load_degradation
from superres.formats import read_image


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_flat_stays_flat_and_a_ramp_keeps_its_centres(scale: int) -> None:
    degrade = load_degradation("bicubic")
    assert np.all(degrade(np.full((8 * scale, 8 * scale, 3), 77, np.uint8), scale) == 77)
    ramp = np.arange(16 * scale, dtype=np.uint8)[None, :, None].repeat(8 * scale, axis=0).repeat(3, axis=2)
    # The low sample j lies at (j + 0.5) * scale - 0.5: an off-by-half shift would show here.
    expected = np.floor((np.arange(16) + 0.5) * scale - 0.5 + 0.5)
    assert np.abs(degrade(ramp, scale)[4, 3:-3, 0].astype(int) - expected[3:-3]).max() <= (scale % 2 == 0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_equals_matlab_bit_for_bit(matlab_files: Path, scale: int) -> None:
    truth = matlab_files.parent / "Set5"
    compared = 0
    for file in sorted((matlab_files / f"x{scale}").iterdir()):
        # MATLAB's files are named after the ground truth, some with a suffix such as x4.
        source = next(t for t in truth.iterdir() if file.stem.startswith(t.stem))
        high = read_image(source).samples
        height, width = (n // scale * scale for n in high.shape[:2])
        low = load_degradation("bicubic")(high[:height, :width], scale)
        assert np.array_equal(low, read_image(file).samples[:, :, :3]), file.name
        compared += 1
    assert compared == 5
