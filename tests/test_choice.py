from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.choice import AUTO, FINE, Choice, choose, choose_guided, families
from superres.errors import ModelError, OptionError
from superres.image import Image, PictureInfo
from superres.zoo import ModelCard


def card(name: str, scale: int) -> ModelCard:
    kind = name if name in ("restore", "guided", "rows") else "faithful"
    return ModelCard(
        name=name, architecture="reparam", scale=scale, channels=3, halo=1, parameters=1, gmacs=1.0, kind=kind,
        licence="Apache-2.0", sha256="0" * 64,
    )  # fmt: skip


CARDS = [*(card("standard", s) for s in (2, 3, 4)), *(card("restore", s) for s in (1, 2, 4)), card("mine", 2)]
KNOWN = families(CARDS)
CLEAN = Image.from_array(np.zeros((4, 4, 3), np.uint8)).info
LOSSY = replace(CLEAN, lossy=True, format="jpeg")
FINE_JPEG, COARSE_JPEG = replace(LOSSY, quality=FINE), replace(LOSSY, quality=FINE - 1)
GREY = replace(CLEAN, colour="grey")
WITH_GREY = families([*CARDS, card("standard-grey", 2), card("standard-grey", 4)])


def test_families() -> None:
    assert {name: sorted(scales) for name, scales in KNOWN.items()} == {
        "standard": [2, 3, 4],
        "restore": [1, 2, 4],
        "mine": [2],
    }


@pytest.mark.parametrize(
    ("wanted", "info", "factor", "names"),
    [
        (AUTO, CLEAN, 4, ("standard x4",)),
        (AUTO, CLEAN, 8, ("standard x2", "standard x4")),
        (AUTO, LOSSY, 4, ("restore x4",)),
        (AUTO, COARSE_JPEG, 2, ("restore x2",)),
        (AUTO, FINE_JPEG, 2, ("standard x2",)),
        (AUTO, FINE_JPEG, 1, ("restore x1",)),
        ("restore", FINE_JPEG, 2, ("restore x2",)),
        (AUTO, LOSSY, 1, ("restore x1",)),
        (AUTO, LOSSY, 1.5, ("restore x2",)),
        (AUTO, LOSSY, 3, ("restore x4",)),
        (AUTO, LOSSY, 8, ("restore x2", "standard x4")),
        ("standard", LOSSY, 2, ("standard x2",)),
        ("restore", CLEAN, 16, ("restore x4", "standard x4")),
        ("mine", LOSSY, 4, ("mine x2", "mine x2")),
    ],
)
def test_the_table(wanted: str, info: PictureInfo, factor: float, names: tuple[str, ...]) -> None:
    assert choose(wanted, KNOWN, info, factor).names == names


@given(st.floats(1.01, 16), st.booleans())
def test_reaches_the_factor(factor: float, lossy: bool) -> None:
    chosen = choose(AUTO, KNOWN, LOSSY if lossy else CLEAN, factor)
    assert np.prod([c.scale for c in chosen.cards]) >= factor * 0.999
    assert {c.name for c in chosen.cards[1:]} <= {"standard"}


def test_the_reason_is_given_only_where_the_source_decided() -> None:
    assert "jpeg source has lossy compression" in choose(AUTO, KNOWN, LOSSY, 4).reason
    assert "quality 95 has little compression" in choose(AUTO, KNOWN, FINE_JPEG, 4).reason
    grey = replace(FINE_JPEG, colour="grey")
    assert choose(AUTO, WITH_GREY, grey, 4).names == ("standard-grey x4",)
    assert choose("restore", KNOWN, LOSSY, 4).reason == choose(AUTO, KNOWN, CLEAN, 4).reason == ""


def test_without_a_restoring_model_or_out_of_its_reach() -> None:
    faithful = families(c for c in CARDS if c.name != "restore")
    assert choose(AUTO, faithful, LOSSY, 4).names == ("standard x4",)
    only_one = families([*faithful["standard"].values(), card("restore", 1)])
    assert choose(AUTO, only_one, LOSSY, 4).names == ("standard x4",)


@pytest.mark.parametrize(
    ("wanted", "info", "factor", "names"),
    [
        (AUTO, GREY, 4, ("standard-grey x4",)),
        (AUTO, GREY, 8, ("standard-grey x2", "standard-grey x4")),
        (AUTO, CLEAN, 4, ("standard x4",)),
        (AUTO, replace(LOSSY, colour="grey"), 4, ("restore x4",)),
        ("standard", GREY, 4, ("standard x4",)),
        ("standard-grey", CLEAN, 2, ("standard-grey x2",)),
    ],
)
def test_one_channel_has_networks_of_its_own(wanted: str, info: PictureInfo, factor: float, names: tuple[str]) -> None:
    chosen = choose(wanted, WITH_GREY, info, factor)
    assert chosen.names == names
    assert (chosen.reason == "it has one channel") == ("grey" in names[0] and wanted == AUTO)


def test_a_grey_family_that_lacks_a_scale_is_left_alone() -> None:
    known = families([*CARDS, card("standard-grey", 2)])
    for factor, names in ((4, ("standard x4",)), (8, ("standard x2", "standard x4")), (2, ("standard-grey x2",))):
        assert choose(AUTO, known, GREY, factor).names == names


def test_a_network_that_needs_a_guide_is_not_run_without() -> None:
    with pytest.raises(ModelError, match="give the sharp one with --guide"):
        choose("guided", families([*CARDS, card("guided", 2)]), CLEAN, 2)


def test_networks_of_rows_are_not_asked_for() -> None:
    with pytest.raises(ModelError, match="enlarges rows alone"):
        choose("rows", families([*CARDS, card("rows", 4)]), CLEAN, 4)


def test_with_a_guide_only_networks_that_take_one() -> None:
    known = families([*CARDS, card("guided", 2), card("guided", 4)])
    for factor, names in (
        (2, ["x2"]),
        (3, ["x2", "x2"]),
        (4, ["x4"]),
        (6, ["x2"] * 3),
        (8, ["x2"] * 3),
        (16, ["x2"] * 4),
    ):
        assert choose_guided(AUTO, known, factor).names == tuple(f"guided {name}" for name in names)
    with pytest.raises(ModelError, match="'standard' takes no guide: leave --model or --guide out"):
        choose_guided("standard", known, 2)
    with pytest.raises(ModelError, match="'guided' is unknown"):
        choose_guided(AUTO, KNOWN, 2)


def test_errors() -> None:
    with pytest.raises(ModelError, match="'restor' is unknown.*restore"):
        choose("restor", KNOWN, CLEAN, 4)
    with pytest.raises(ModelError, match="there is no 'standard' here"):
        choose(AUTO, families([card("mine", 2)]), CLEAN, 2)
    with pytest.raises(OptionError, match="scale 1 only cleans.*--model restore"):
        choose(AUTO, KNOWN, CLEAN, 1)
    with pytest.raises(OptionError, match="reach less"):
        choose("mine", KNOWN, CLEAN, 5)


def test_nothing_chosen_is_no_reason() -> None:
    assert Choice(()).names == ()


VIDEO = replace(GREY, lossy=True, format="video")
WITH_VIDEO = families([*CARDS, *(replace(card("video", s), kind="video") for s in (2, 4))])


@pytest.mark.parametrize(
    ("wanted", "factor", "names"),
    [
        (AUTO, 2, ("video x2",)),
        (AUTO, 2.0005, ("video x2",)),
        (AUTO, 3, ("video x4",)),
        (AUTO, 8, ("restore x2", "standard x4")),  # what remembers is not used twice
        (AUTO, 1, ("restore x1",)),
        ("video", 1.5, ("video x2",)),
        ("standard", 2, ("standard x2",)),
    ],
)
def test_video_has_a_network_of_its_own(wanted: str, factor: float, names: tuple[str, ...]) -> None:
    chosen = choose(wanted, WITH_VIDEO, VIDEO, factor)
    assert chosen.names == names
    assert bool(chosen.reason) == (wanted == AUTO)


def test_frames_one_by_one_are_pictures() -> None:
    assert choose(AUTO, WITH_VIDEO, VIDEO, 2, single=True).names == ("restore x2",)
    with pytest.raises(OptionError, match="reuse: model 'video' computes every frame"):
        choose("video", WITH_VIDEO, VIDEO, 2, single=True)


def test_pictures_are_no_video() -> None:
    for info in (CLEAN, LOSSY, GREY):
        assert "video" not in choose(AUTO, WITH_VIDEO, info, 2).names[0]
        with pytest.raises(ModelError, match="enlarges video only"):
            choose("video", WITH_VIDEO, info, 2)


def test_a_factor_that_one_network_of_video_does_not_reach_is_refused() -> None:
    with pytest.raises(OptionError, match="'video' has x2, x4 and is not used twice"):
        choose("video", WITH_VIDEO, VIDEO, 8)
