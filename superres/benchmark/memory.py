"""The largest resident memory of a program, run once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from superres.errors import OptionError

__all__ = ["peak_memory"]

# A small process between: a program begun by a large one inherits that one's peak for its own.
_BETWEEN = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def peak_memory(command: Sequence[str]) -> int:
    """Run a command and tell its peak: bytes of the largest process among it and those that it waits for.

    Raises:
        OptionError: the command fails, or this system (Windows) does not count.
    """
    if sys.platform == "win32":
        raise OptionError("memory of a process: Windows has no getrusage; measure on Linux or macOS")
    done = subprocess.run([sys.executable, "-c", _BETWEEN, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OptionError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr[-300:].strip()}")
    # Linux counts in KiB, macOS in bytes.
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
