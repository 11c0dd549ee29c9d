"""Every model that ships, against what its card says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto, numpy_helper
from tiny_models import picture

from superres.backends import Backend
from superres.backends.openvino import has_bf16
from superres.degrade.codec import jpeg
from superres.image import Image
from superres.pipeline import Options, Upscaler
from superres.zoo import ZOO, ModelCard, list_cards, load_model

CARDS = list_cards()
PICTURES = [card for card in CARDS if card.takes_pictures]
#: Family -> most parameters.
LIMITS = {
    "standard": 300_000,
    "standard-grey": 300_000,
    "restore": 300_000,
    "realtime": 50_000,
    "quality": 1_500_000,
}
#: Ends of the names of what a file holds beside what was trained: skips, and luminance out of colours and back.
FIXED = ("copies", "kernel", "forth", "back")
#: Families that go beyond the usual factors -> theirs.
SCALES = {"restore": (1, 2, 4), "progressive": (4, 8)}

Opener = Callable[..., Backend]


@pytest.fixture(params=PICTURES, ids=[card.stem for card in PICTURES])
def card(request: pytest.FixtureRequest) -> ModelCard:
    chosen: ModelCard = request.param
    return chosen


@pytest.fixture
def graph(card: ModelCard) -> onnx.GraphProto:
    return onnx.load_from_string(load_model(card.name, card.scale).onnx).graph


@pytest.fixture
def run(card: ModelCard, opener: Opener) -> Callable[[np.ndarray], np.ndarray]:
    return opener("openvino", load_model(card.name, card.scale).onnx, precision="fp32").run


def test_there_are_models() -> None:
    assert CARDS


def test_each_card_has_its_file_and_each_file_its_card() -> None:
    stems = sorted(card.stem for card in CARDS)
    assert len(stems) == len(set(stems))
    assert sorted(path.stem for path in ZOO.glob("*.toml")) == stems
    files = [*stems, *(f"{card.stem}.int8" for card in CARDS if card.int8.sha256)]
    assert sorted(path.stem for path in ZOO.glob("*.onnx")) == sorted(files)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_digests(card: ModelCard) -> None:
    for suffix, expected in ((".onnx", card.sha256), (".int8.onnx", card.int8.sha256)):
        if expected:
            contents = (Path(ZOO) / f"{card.stem}{suffix}").read_bytes()
            assert hashlib.sha256(contents).hexdigest() == expected


def test_compressed_strokes_do_not_blow_up(card: ModelCard, run: Callable[[np.ndarray], np.ndarray]) -> None:
    """Sharper than any reduction, and with the ringing of JPEG: text of a screen looks like that."""
    if card.name not in ("standard", "standard-grey", "realtime", "restore", "quality"):
        pytest.skip(f"{card.name} is not held to it: README, Limits")
    random = np.random.default_rng(1)
    strokes = np.zeros((96, 96, 3), np.uint8)
    for _ in range(60):
        (y, x), length, width = random.integers(96, size=2), int(random.integers(4, 24)), int(random.integers(1, 3))
        value = 255 * int(random.integers(2))
        if random.random() < 0.5:
            strokes[y : y + length, x : x + width] = value
        else:
            strokes[y : y + width, x : x + length] = value
    planes = (jpeg(strokes, 60).astype(np.float32) / 255).transpose(2, 0, 1)
    large = run(np.ascontiguousarray(planes.mean(0, keepdims=True) if card.channels == 1 else planes)[None])
    assert large.min() > (-1.2 if card.name == "restore" else -0.6)
    assert large.max() < 2


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.15])
def test_strong_noise_does_not_blow_up(card: ModelCard, run: Callable[[np.ndarray], np.ndarray], sigma: float) -> None:
    random = np.random.default_rng(0)
    noise = np.clip(0.5 + sigma * random.standard_normal((1, card.channels, 48, 48)), 0, 1).astype(np.float32)
    large = run(noise)
    # Sharpening overshoots; a network that has come loose gives hundreds.
    assert large.min() > -1
    assert large.max() < 2


def test_the_card_is_filled_in(card: ModelCard) -> None:
    assert card.kind in ("faithful", "restore")
    assert card.scale in SCALES.get(card.name, (2, 3, 4))
    assert card.channels == (1 if card.name.endswith("-grey") else 3)
    assert card.licence
    assert card.training.recipe
    assert card.training.steps > 0
    assert sum(card.training.pictures.values()) > 0


def test_values_below_zero_stay_what_they_are(card: ModelCard) -> None:
    random = np.random.default_rng(0)
    small = Image.from_array((-0.2 + 0.01 * random.standard_normal((24, 20, 3))).astype(np.float32))
    with Upscaler(Options(scale=card.scale, model=card.name, precision="fp32", threads=1)) as upscaler:
        large = upscaler.image(small).samples
    assert np.abs(large + 0.2).max() < 0.1


def test_the_file_is_valid_and_whole(card: ModelCard) -> None:
    model = onnx.load_from_string(load_model(card.name, card.scale).onnx)
    onnx.checker.check_model(model, full_check=True)
    # Weights elsewhere would not be covered by the digest.
    assert all(tensor.data_location == TensorProto.DEFAULT for tensor in model.graph.initializer)
    assert {entry.domain for entry in model.opset_import} <= {"", "ai.onnx"}


def test_names_and_shapes(card: ModelCard, graph: onnx.GraphProto) -> None:
    assert [value.name for value in graph.input] == ["low"]
    assert [value.name for value in graph.output] == ["high"]
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        assert value.type.tensor_type.elem_type == TensorProto.FLOAT
        assert dims[1].dim_value == card.channels
        assert not any(dims[i].dim_value for i in (0, 2, 3)), "batch, height and width are free"


def test_parameters(card: ModelCard, graph: onnx.GraphProto) -> None:
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    floats = {name: array for name, array in arrays.items() if array.ndim and array.dtype == np.float32}
    # Constants of the exporter's own have a number for a name; slopes of a PReLU are the only trained ones among them.
    own = {name for name, array in floats.items() if name.startswith("val_") and array.size == 1}
    trained = sum(array.size for name, array in floats.items() if not name.endswith(FIXED) and name not in own)
    assert card.parameters == trained
    assert card.parameters <= LIMITS.get(card.name, 300_000)


def test_gmacs(card: ModelCard) -> None:
    """Every convolution at the resolution that it runs at, as another library sees the file."""
    side = 24
    model = openvino.Core().read_model(load_model(card.name, card.scale).onnx)
    model.reshape([1, card.channels, side, side])
    counted = 0
    for node in model.get_ordered_ops():
        if "Convolution" in node.get_type_name():
            # A transposed one applies its kernel once for every pixel that goes in.
            transposed = node.get_type_name().endswith("BackpropData")
            positions = node.input_value(0).shape if transposed else node.output(0).shape
            counted += int(np.prod(node.input_value(1).shape)) * positions[2] * positions[3]
    pixels = (1280 / card.scale) * (720 / card.scale)
    assert card.gmacs == pytest.approx(counted / side**2 * pixels / 1e9, rel=0.02)


def test_scale(card: ModelCard, run: Callable[[np.ndarray], np.ndarray]) -> None:
    c = card.channels
    for shape in [(1, c, 5, 9), (2, c, 8, 8), (1, c, 1, 1)]:
        large = run(np.full(shape, 0.5, np.float32))
        assert large.shape == (shape[0], c, card.scale * shape[2], card.scale * shape[3])


def test_the_halo_covers_the_receptive_field(card: ModelCard, run: Callable[[np.ndarray], np.ndarray]) -> None:
    at = card.halo + 3
    size = 2 * at + 1
    base = np.random.default_rng(0).random((1, card.channels, size, size), np.float32)
    changed = base.copy()
    changed[:, :, at, at] = 1 - changed[:, :, at, at]
    rows, columns = np.nonzero((run(changed) != run(base)).any(axis=(0, 1)))
    reach = max(np.abs(rows // card.scale - at).max(), np.abs(columns // card.scale - at).max())
    assert 0 < reach <= card.halo


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_constant_in_constant_out(card: ModelCard, opener: Opener, precision: str) -> None:
    """Greys and colours, away from window borders, as the pipeline sees them: within a step of 8 bits, or two."""
    if precision == "bf16" and not has_bf16():
        pytest.skip("this processor has no bfloat16")
    backend = opener("openvino", load_model(card.name, card.scale).onnx, precision=precision)
    margin, side = card.halo * card.scale, 2 * card.halo + 4
    greys = np.linspace(0, 1, 11, dtype=np.float32)[:, None].repeat(3, axis=1)
    for value in (*greys, *np.random.default_rng(0).random((10, 3), np.float32)):
        wanted = value[None, : card.channels, None, None]
        flat = np.broadcast_to(wanted, (1, card.channels, side, side)).copy()
        large = backend.run(flat)[:, :, margin:-margin, margin:-margin]
        # The systems of docs/systems are trained for minutes, restore on pictures whose colours are worn: saturated
        # colours hardly come by.
        exact = card.architecture in ("reparam", "quality") and card.kind == "faithful"
        assert np.abs(large - wanted).max() <= (1 if exact else 2) / 255


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_any_tile_equals_the_whole(card: ModelCard, opener: Opener, precision: str) -> None:
    if precision == "bf16" and not has_bf16():
        pytest.skip("this processor has no bfloat16")
    image = picture(110, 130)
    results = []
    for tile in (512, 64, 40):
        options = Options(model=card.name, scale=card.scale, precision=precision, tile=tile)
        with Upscaler(options, opener=opener) as upscaler:
            results.append(upscaler.image(image).samples.astype(int))
    for tiled in results[1:]:
        assert np.abs(tiled - results[0]).max() <= 1


def test_bf16_is_within_one_step_of_float32(card: ModelCard, opener: Opener) -> None:
    if not has_bf16():
        pytest.skip("this processor has no bfloat16")
    image, results = picture(40, 50), []
    for precision in ("fp32", "bf16"):
        with Upscaler(Options(model=card.name, scale=card.scale, precision=precision), opener=opener) as upscaler:
            results.append(upscaler.image(image).samples.astype(int))
    difference = np.abs(results[0] - results[1])
    assert difference.mean() < 1
    assert difference.max() <= 8


def test_it_enlarges_better_than_nothing(card: ModelCard, opener: Opener) -> None:
    """The result, made small again, is the input: a network of another scale, order or range fails here."""
    from superres.resize import resize

    image = picture(40, 50, seed=1)
    with Upscaler(Options(model=card.name, scale=card.scale, precision="fp32"), opener=opener) as upscaler:
        large = upscaler.image(image).samples
    small = resize(large, scale=1 / card.scale).astype(int)
    # Cleaning takes away a part of what looks like noise, as this picture does.
    assert np.abs(small - image.samples).mean() < (12 if card.kind == "restore" else 6)
