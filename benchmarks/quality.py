"""PSNR and SSIM of every shipped model beside published rows; writes docs/quality.md.

    python benchmarks/quality.py --data FOLDER_OF_TEST_SETS

The same as ``superres benchmark quality`` with ``-o docs/quality.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from superres.cli import main

PAGE = Path(__file__).resolve().parent.parent / "docs" / "quality.md"

if __name__ == "__main__":
    sys.exit(main(["benchmark", "quality", "--output", str(PAGE), *sys.argv[1:]]))
