from __future__ import annotations

import numpy as np
import pytest

from superres.refitting import resized
from superres.resize import resize


@pytest.mark.parametrize("size", [(13, 9), (40, 30), (20, 16), (7, 50), (1, 1)])
@pytest.mark.parametrize("rows", [1, 3, 8, 100])
def test_strips_equal_the_whole(size: tuple[int, int], rows: int) -> None:
    planes = np.random.default_rng(0).random((16, 20, 3)).astype(np.float32)
    strips = (planes[at : at + rows] for at in range(0, 16, rows))
    result = np.concatenate(list(resized(strips, 20, 16, size, 0)))
    expected = resize(resize(planes, (16, size[0])), (size[1], size[0]))
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_carried_planes_come_from_the_nearest_sample() -> None:
    planes = np.zeros((4, 6, 2), np.float32)
    planes[:, :, 0] = np.arange(6)
    planes[3, 3, 1] = np.nan
    result = np.concatenate(list(resized(iter([planes[:1], planes[1:]]), 6, 4, (3, 2), 1)))
    assert np.isfinite(result[:, :, 0]).all()
    # Output (1, 1) spans inputs 2 .. 4 of both axes: its nearest sample is (3, 3).
    np.testing.assert_array_equal(np.isnan(result[:, :, 1]), [[False] * 3, [False, True, False]])
    same = np.concatenate(list(resized(iter([planes]), 6, 4, (6, 4), 1)))
    np.testing.assert_array_equal(np.isnan(same[:, :, 1]), np.isnan(planes[:, :, 1]))
