"""``python -m superres``."""

from __future__ import annotations

import sys

from superres.cli import main

if __name__ == "__main__":
    sys.exit(main())
