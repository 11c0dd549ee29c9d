"""The first inferences of a process may begin at once, in several threads.

OpenVINO's bindings make a table by calls into Python while a C++ lock is held: without care about one process in three
hung under these conditions.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import tiny_onnx

_PROGRAM = """
import os, sys, threading
import numpy as np
from superres.backends.openvino import OpenVinoBackend

backend = OpenVinoBackend(open(sys.argv[1], "rb").read(), threads=4)
together = threading.Barrier(4)
sys.setswitchinterval(1e-7)

def begin():
    together.wait()
    backend.run(np.zeros((1, 3, 8, 8), np.float32))

threads = [threading.Thread(target=begin, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(60)
os._exit(any(thread.is_alive() for thread in threads))  # a thread that hangs would hold up an orderly end
"""


@pytest.mark.parametrize("attempt", range(4))
def test_lanes_may_begin_together(attempt: int, tmp_path: Path) -> None:
    model = tmp_path / "tiny.onnx"
    model.write_bytes(tiny_onnx(2))
    subprocess.run([sys.executable, "-c", _PROGRAM, str(model)], check=True, timeout=120)
