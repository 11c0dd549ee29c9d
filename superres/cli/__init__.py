"""The command line: parsing, progress and exit codes; the work is done elsewhere."""

from __future__ import annotations

from superres.cli.app import main

__all__ = ["main"]
