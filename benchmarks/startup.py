"""How soon superres is there: ``import superres`` and ``superres --help``, each the best of several new processes.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence

#: What is started -> the program; Python alone is the floor.
_PROGRAMS = {
    "python": "pass",
    "import superres": "import superres",
    "superres --help": "import sys; sys.argv = ['superres', '--help']; from superres.cli import main; main()",
}
#: Libraries that take long to import: none of them may load for --help.
_HEAVY = ("numpy", "openvino", "pyvips", "torch", "onnx", "onnxruntime", "PIL", "av", "rich", "typer")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one row per program; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args(arguments)
    # In turns, so that a busy moment of the machine does not fall on one program alone.
    best: dict[str, float] = {}
    for _ in range(max(1, options.runs)):
        for name, program in _PROGRAMS.items():
            best[name] = min(best.get(name, float("inf")), _seconds(program))
    print("| program | best ms | over Python | modules | heavy ones |\n|-|-:|-:|-:|-|")
    for name, program in _PROGRAMS.items():
        modules = _modules(program)
        heavy = ", ".join(module for module in _HEAVY if module in modules) or "none"
        over = best[name] - best["python"]
        print(f"| {name} | {best[name] * 1e3:.0f} | {over * 1e3:.0f} | {len(modules)} | {heavy} |")
    return 0


def _seconds(program: str) -> float:
    """Wall time of a new process, from its start to its end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _modules(program: str) -> list[str]:
    """Names of the modules that are loaded when the program ends."""
    tail = "import atexit, json, sys\natexit.register(lambda: print(json.dumps(list(sys.modules)), file=sys.stderr))\n"
    done = subprocess.run([sys.executable, "-c", tail + program], check=True, capture_output=True, text=True)
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    return modules


if __name__ == "__main__":
    sys.exit(main())
