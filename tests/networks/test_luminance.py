from __future__ import annotations

import numpy as np
import pytest
import torch

from superres.errors import OptionError
from superres.networks import build_network
from superres.networks.luminance import LuminanceNetwork, rgb_to_ycbcr
from superres.resize import resize

from .support import SMALL, trained

LUMINANCE = ["espcn", "fsrcnn", "srcnn"]


def test_the_matrix_is_that_of_the_standard() -> None:
    primaries = rgb_to_ycbcr().numpy() @ np.eye(3)
    np.testing.assert_allclose(primaries[0], [0.299, 0.587, 0.114])
    np.testing.assert_allclose(primaries[1:].sum(axis=1), 0, atol=1e-12)  # grey has no colour
    assert primaries[1, 2] == primaries[2, 0] == 0.5  # blue and red are the ends of Cb and Cr
    # Studio range, as 8-bit pictures store it: Y 16-235, Cb and Cr 16-240.
    white, blue = rgb_to_ycbcr().numpy() @ np.ones(3), rgb_to_ycbcr().numpy() @ np.array([0, 0, 1.0])
    assert white * [219, 224, 224] + [16, 128, 128] == pytest.approx([235, 128, 128])
    assert blue * [219, 224, 224] + [16, 128, 128] == pytest.approx([40.966, 240, 109.786], abs=1e-3)


@pytest.mark.parametrize("name", LUMINANCE)
def test_colour_is_the_bare_network_on_luminance_and_bicubic_chroma(name: str) -> None:
    colour = trained(name, 3, SMALL[name])
    bare = build_network(name, 3, {**SMALL[name], "channels": 1}).eval()
    bare.load_state_dict(colour.state_dict())
    picture = np.random.default_rng(0).random((7, 6, 3))
    matrix = rgb_to_ycbcr().numpy()
    planes = picture @ matrix.T
    large = resize(planes, scale=3)
    with torch.no_grad():
        large[:, :, 0] = bare(torch.from_numpy(planes[None, None, :, :, 0]).float())[0, 0].numpy()
        result = colour(torch.from_numpy(picture.transpose(2, 0, 1)[None]).float())[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(result, large @ np.linalg.inv(matrix).T, atol=1e-5)


@pytest.mark.parametrize("name", LUMINANCE)
def test_grey_in_three_channels_is_grey_in_one(name: str) -> None:
    colour = trained(name, 2, SMALL[name])
    bare = build_network(name, 2, {**SMALL[name], "channels": 1}).eval()
    bare.load_state_dict(colour.state_dict())
    grey = torch.rand(1, 1, 8, 9)
    with torch.no_grad():
        assert torch.allclose(colour(grey.repeat(1, 3, 1, 1)), bare(grey).repeat(1, 3, 1, 1), atol=1e-5)


def test_a_network_without_its_enlargement_says_so() -> None:
    with pytest.raises(OptionError, match="LuminanceNetwork defines no enlargement"):
        LuminanceNetwork(2, 1)(torch.rand(1, 1, 4, 4))
