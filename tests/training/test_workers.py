from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from superres.errors import TrainingError
from superres.queueing import processors
from superres.training.workers import worker_errors, worker_pool


def test_a_worker_is_one_thread_and_this_process_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("VIPS_CONCURRENCY", raising=False)
    with worker_pool(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        assert pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == "1"
        assert os.environ["OMP_NUM_THREADS"] == "7"
        assert "VIPS_CONCURRENCY" not in os.environ


def test_a_worker_that_ends_is_told() -> None:
    with worker_pool(1) as pool, pytest.raises(TrainingError, match="memory may have run out"), worker_errors():
        pool.submit(os._exit, 1).result()


def test_a_script_that_would_run_again_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from superres.training.workers import worker_pool\nworker_pool(1)\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "if __name__ == '__main__':, without which they run it once more" in done.stderr.splitlines()[-1]


def test_there_is_a_processor() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="NO /proc: processes cannot be looked up")
def test_workers_end_when_their_parent_is_killed() -> None:
    code = (
        "import os, time\nfrom superres.training.workers import worker_pool\n"
        "if __name__ == '__main__':\n    pool = worker_pool(1)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while _alive(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(worker)


def _alive(pid: int) -> bool:
    """Whether it runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
