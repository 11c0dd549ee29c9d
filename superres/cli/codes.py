"""Exit codes of the command line."""

from __future__ import annotations

__all__ = ["INTERRUPTED", "OK", "SOME_FAILED", "USAGE"]

#: All done; wrong usage or nothing could be done; some inputs failed; stopped by Ctrl-C.
OK, USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 130
