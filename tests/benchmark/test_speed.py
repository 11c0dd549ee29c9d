from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_models import make_model, put, tiny_onnx

from superres.benchmark import Contender, Row, measure, measure_peak, model_contenders, peer_contender, speed_page
from superres.benchmark.contenders import bicubic_contender
from superres.benchmark.memory import peak_memory
from superres.errors import OptionError
from superres.zoo import ZOO, find_model

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)

#: Doubles a picture by repeating pixels, as a program of its own.
DOUBLE = """
import sys
from superres.formats import read_image, write_image
from superres.image import Image
from pathlib import Path
small = read_image(Path(sys.argv[1])).samples
write_image(Image.from_array(small.repeat(2, axis=0).repeat(2, axis=1)), Path(sys.argv[2]))
"""


def sleeper(name: str, seconds: float) -> Contender:
    return Contender(name, "sleep", lambda _: time.sleep(seconds))


def test_the_slower_one_is_found_slower() -> None:
    rows = measure([sleeper("slow", 0.03), sleeper("fast", 0.001)], PICTURE, 2)
    assert [row.contender.name for row in rows] == ["slow", "fast"]
    assert rows[0].seconds > rows[1].seconds >= 0.001
    assert rows[0].pixels == 12 * 16


def test_the_page() -> None:
    model = Contender("m_x2", "OpenVINO int8", print, "int8", 1e-5, {"Set5": 31.256})
    base = Contender("m_x2", "ONNX Runtime fp32", print, "fp32", 1e-5, {"Set5": 31.3})
    rows = [
        Row(model, 0.002, 1000, 140_400_000),
        Row(base, 0.008, 1000),
        Row(Contender("bicubic", "NumPy", print), 0.001, 1000),
    ]
    lines = speed_page(rows, {"int8": 50.0, "fp32": 10.0}).splitlines()
    assert lines[0] == "Peak of the machine: int8 50 GMAC/s, fp32 10 GMAC/s"
    assert lines[4] == "| m_x2 | OpenVINO int8 | 2.0 | 500.0 | 5 | 10 | 140 | 31.26 | 4.00 |"
    assert lines[6] == "| bicubic | NumPy | 1.0 | 1000.0 | – | – | – | – | – |"
    assert len({line.count("|") for line in lines[2:]}) == 1


def test_every_runtime_takes_part(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = make_model(tiny_onnx(2), 2)
    put(model, tmp_path)
    contenders = list(model_contenders(model.card, tmp_path, 1, with_torch=True))
    runtimes = [one.runtime for one in contenders]
    assert {"OpenVINO fp32", "ONNX Runtime fp32", "PyTorch eager", "PyTorch channels-last"} <= set(runtimes)
    results = {one.runtime: np.asarray(one.run(PICTURE)) for one in contenders}
    for runtime, large in results.items():
        assert large.shape == (1, 3, 24, 32), runtime
        # bf16 has 8 significant bits.
        np.testing.assert_allclose(large, results["ONNX Runtime fp32"], atol=2e-2 if "bf16" in runtime else 1e-4)
    assert [
        one.runtime for one in model_contenders(model.card, tmp_path, 1, with_torch=True, runtime=runtimes[-1])
    ] == [runtimes[-1]]


def test_what_a_contender_weighs_is_that_of_a_process_of_its_own(tmp_path: Path) -> None:
    model = make_model(tiny_onnx(2), 2)
    put(model, tmp_path)
    held = np.ones(50_000_000)  # of this process, not of that one
    first = next(iter(model_contenders(model.card, tmp_path, 1, with_torch=False)))
    rows = measure([first, bicubic_contender(2), sleeper("none", 0)], PICTURE, 1)
    assert 30e6 < rows[0].memory < held.nbytes
    assert 10e6 < rows[1].memory <= rows[0].memory
    assert rows[2].memory == 0


def test_the_memory_of_a_program() -> None:
    assert 80e6 < peak_memory([sys.executable, "-c", "print(len(b'x' * 80_000_000))"]) < 130e6
    with pytest.raises(OptionError, match="exit code 3: no"):
        peak_memory([sys.executable, "-c", "import sys; print('no', file=sys.stderr); sys.exit(3)"])


def test_a_network_of_one_channel_gets_one_plane() -> None:
    card = find_model("standard-grey", 2)
    first = next(iter(model_contenders(card, ZOO, 1, with_torch=False)))
    assert np.asarray(first.run(PICTURE)).shape == (1, 1, 24, 32)


def test_the_peak_is_a_plausible_number() -> None:
    assert 0.5 < measure_peak("fp32", 1, rounds=1) < 100_000


def test_another_program(tmp_path: Path) -> None:
    script = tmp_path / "double.py"
    script.write_text(DOUBLE)
    with peer_contender("double", f"{sys.executable} {script} {{input}} {{output}}", 2) as peer:
        assert peer.seconds is not None
        assert peer.seconds(PICTURE) > 0
    with (
        peer_contender("double", f"{sys.executable} {script} {{input}} {{output}}", 4) as peer,
        pytest.raises(OptionError, match=r"'double' made 32 x 24 pixels, expected x4"),
    ):
        peer.run(PICTURE)


def test_a_program_that_fails_is_named() -> None:
    with (
        peer_contender("bad", f"{sys.executable} -c 'import sys; sys.exit(3)' {{input}} {{output}}", 2) as peer,
        pytest.raises(OptionError, match="'bad' failed with exit code 3"),
    ):
        peer.run(PICTURE)
    with pytest.raises(OptionError, match="lacks"), peer_contender("bad", "upscale", 2):
        pass
