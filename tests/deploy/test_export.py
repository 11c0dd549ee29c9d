from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from superres.deploy import ship as shipping
from superres.deploy.export import export_onnx
from superres.deploy.ship import Provenance, licence_counts, multiply_accumulates, parameter_count, ship
from superres.errors import ModelError, OutputError
from superres.networks import build_network
from superres.networks.base import Network
from superres.training.recipe import Recipe
from superres.zoo import list_cards, load_model, read_card


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    network = build_network("reparam", 2, {"features": 5, "layers": 3, "expansion": 1})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)  # no zero is left that the exporter could drop
    return network


@pytest.fixture(scope="module")
def exported(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "net.onnx"
    export_onnx(network, path)
    return path


@pytest.fixture(scope="module")
def shipped(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    ship(network, RECIPE, PROVENANCE, folder)
    return folder


RECIPE = Recipe(name="tiny_x2", scale=2, steps=5, seed=3)
PROVENANCE = Provenance("tiny_x2.toml", 5, 1.25, {"CC0": 2})


def test_only_operators_that_every_runtime_fuses(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert set(kinds) == {"Conv", "LeakyRelu", "Pad", "Add", "DepthToSpace"}
    assert (kinds.count("Conv"), kinds.count("LeakyRelu")) == (4, 2)  # three layers and the skip
    assert not model.functions
    assert {entry.domain for entry in model.opset_import} <= {"", "ai.onnx"}


def test_nothing_is_said_of_the_exporter_s_own_affairs(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from superres.networks import build_network as build\n"
        "from superres.deploy.export import export_onnx; export_onnx(build('espcn', 2), Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "net.onnx"], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_one_file_without_external_data(exported: Path) -> None:
    assert [f.name for f in exported.parent.iterdir()] == ["net.onnx"]
    model = onnx.load(exported, load_external_data=False)
    assert all(not tensor.external_data for tensor in model.graph.initializer)


def test_names_and_free_axes(exported: Path) -> None:
    graph = onnx.load(exported).graph
    assert ([i.name for i in graph.input], [o.name for o in graph.output]) == (["low"], ["high"])
    dimensions = graph.input[0].type.tensor_type.shape.dim
    assert dimensions[1].dim_value == 3
    assert all(dimensions[axis].dim_param for axis in (0, 2, 3))


def test_no_machine_paths_in_the_file(exported: Path) -> None:
    contents = exported.read_bytes()
    assert str(Path(shipping.__file__).parent.parent).encode() not in contents
    assert b"site-packages" not in contents


def test_exporting_twice_gives_the_same_bytes(network: Network, exported: Path, tmp_path: Path) -> None:
    export_onnx(network, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == exported.read_bytes()


def test_a_folder_that_is_not_there_is_told(network: Network, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        export_onnx(network, tmp_path / "none" / "net.onnx")


def test_counts_are_those_of_the_file(network: Network, exported: Path) -> None:
    tensors = onnx.load(exported).graph.initializer
    skip = 25 * 3 * 4
    total = sum(torch.Size(tensor.dims).numel() for tensor in tensors if tensor.data_type == onnx.TensorProto.FLOAT)
    assert parameter_count(network) == total - skip


def test_counts_by_hand(network: Network) -> None:
    kernels = 9 * (3 * 5 + 5 * 5 + 5 * 12)
    assert parameter_count(network) == kernels + 5 + 5 + 12
    skip = 25 * 12  # one 5x5 kernel for each sub-pixel of each channel
    assert multiply_accumulates(network) == pytest.approx((kernels + skip) * 640 * 360 / 1e9)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        # The 9-1-5 network runs at the size of the result: 64 * 81 + 32 * 64 + 25 * 32 kernel values per pixel.
        ("srcnn", (64 * 81 + 32 * 64 + 25 * 32) * 1280 * 720 / 1e9),
        # 5-3-3 at low resolution.
        ("espcn", (64 * 25 + 32 * 64 * 9 + 4 * 32 * 9) * 640 * 360 / 1e9),
    ],
)
def test_kernels_count_at_the_resolution_they_run_at(architecture: str, expected: float) -> None:
    options = {"variant": "9-1-5"} if architecture == "srcnn" else {}
    network = build_network(architecture, 2, options)
    # Beside the kernels there are the colour transform and the bicubic enlargement of colour.
    assert expected <= multiply_accumulates(network) <= expected + 300 * 1280 * 720 / 1e9


def test_a_shipped_model_loads_and_its_card_is_true(network: Network, shipped: Path) -> None:
    card = read_card(shipped / "tiny_x2.toml")
    assert (card.name, card.scale, card.halo, card.stem) == ("tiny", 2, 3, "tiny_x2")
    assert card.sha256 == hashlib.sha256((shipped / "tiny_x2.onnx").read_bytes()).hexdigest()
    assert list_cards(shipped) == [card]
    assert load_model("tiny", 2, shipped).card == card
    assert card.parameters == parameter_count(network)
    assert (card.training.seed, card.training.pictures) == (3, {"CC0": 2})


def test_a_name_without_its_scale_still_gets_one_file_name(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "export_onnx", lambda _, target: target.write_bytes(b"model"))
    card = ship(network, replace(RECIPE, name="plain"), PROVENANCE, tmp_path)
    assert read_card(tmp_path / "plain_x2.toml") == card
    assert load_model("plain", 2, tmp_path).onnx == b"model"


def test_a_changed_model_file_is_not_used(shipped: Path, tmp_path: Path) -> None:
    shutil.copytree(shipped, tmp_path / "zoo")
    path = tmp_path / "zoo" / "tiny_x2.onnx"
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)
    with pytest.raises(ModelError, match="SHA-256"):
        load_model("tiny", 2, tmp_path / "zoo")


def test_licences_are_counted_by_class(tmp_path: Path) -> None:
    table = tmp_path / "LICENCES.tsv"
    table.write_text("file\tlicence_class\tcredit\na\tCC0\tx\nb\tCC-BY\ty\nc\tCC0\tz\n", encoding="utf-8")
    assert licence_counts(table) == {"CC-BY": 1, "CC0": 2}


@pytest.mark.parametrize("text", ["", "\n", "name\tby whom\na.png\tme\n", "licence_class\n\xff\tCC0\n"])
def test_a_table_of_another_form_says_nothing_of_licences(text: str, tmp_path: Path) -> None:
    table = tmp_path / "LICENCES.tsv"
    table.write_text(text, encoding="latin-1")
    assert licence_counts(table, "train") == {}


def test_a_short_row_has_no_licence(tmp_path: Path) -> None:
    table = tmp_path / "LICENCES.tsv"
    table.write_text("file\tlicence_class\na\nb\tCC0\n", encoding="utf-8")
    assert licence_counts(table) == {"CC0": 1}
