"""`make demo`: a real photograph, four times larger, and the comparison with bicubic interpolation."""

from __future__ import annotations

import sys
from pathlib import Path

from superres.cli import main

HERE = Path(__file__).parent


def demo() -> int:
    """Enlarge demo/chelsea.png and compare; the exit code of the first command that fails, or 0."""
    photograph, folder = HERE / "chelsea.png", HERE / "out"
    folder.mkdir(exist_ok=True)
    large, compared = folder / "chelsea_x4.png", folder / "chelsea_compared.png"
    commands = [
        ["upscale", str(photograph), "-o", str(large), "--overwrite"],
        ["compare", str(photograph), str(large), "-o", str(compared), "--overwrite"],
    ]
    for command in commands:
        print("$ superres " + " ".join(command))
        code = main(command)
        if code:
            return code
    print(f"\nresult:      {large}\ncomparison:  {compared}")
    return 0


if __name__ == "__main__":
    sys.exit(demo())
