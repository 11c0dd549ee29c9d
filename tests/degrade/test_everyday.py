from __future__ import annotations

import numpy as np

from superres.degrade import load_degradation
from superres.metrics.psnr import psnr
from superres.resize import resize


def test_more_pictures_stay_near_the_bicubic_reduction() -> None:
    """Beside blind degradations alone, of which few do."""
    blocks = np.random.default_rng(0).integers(0, 256, (24, 24, 1), dtype=np.uint8)
    picture = blocks.repeat(4, 0).repeat(4, 1).repeat(3, 2)
    wanted = np.rint(resize(picture.astype(np.float32), scale=0.5))

    def near(name: str) -> float:
        degradation = load_degradation(name)
        found = [psnr(degradation(picture, 2, np.random.default_rng(seed)), wanted) for seed in range(300)]
        return float(np.mean(np.array(found) > 26))

    assert near("everyday") > 1.5 * near("blind") > 0
