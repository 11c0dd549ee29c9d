from __future__ import annotations

import errno
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from superres.errors import OutputError
from superres.formats.video_encode import Packet
from superres.formats.video_join import decoding_times
from superres.formats.video_store import Group, WorkFolder, work_folder_of

JOB = {"source": {"bytes": 7}, "size": (640, 360), "cut": ["None", "5/2"]}
PACKETS = [Packet(b"first", 0, True), Packet(b"", 40, False), Packet(bytes(range(256)), 20, False)]


def fill(work: WorkFolder, groups: int) -> None:
    for _ in range(groups):
        work.add(((b"head", packet) for packet in PACKETS), [20, 20, 21], lambda: ("a fault",))


def test_groups_come_back_as_they_were(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    with WorkFolder(target, JOB) as work:
        fill(work, 2)
        before = list(work.groups)
    with WorkFolder(target, JOB) as work:
        assert work.groups == before
        group = work.groups[0]
        assert list(group.packets()) == PACKETS
        assert (group.header, group.last_duration, group.faults) == (b"head", 21, ("a fault",))
        work.finish()
    assert list(tmp_path.iterdir()) == []


def test_another_job_begins_anew(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    with WorkFolder(target, JOB) as work:
        fill(work, 2)
    with WorkFolder(target, {**JOB, "size": (641, 360)}) as work:
        assert work.groups == []
        assert sorted(path.name for path in work.path.iterdir()) == ["job.json", "lock"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "journal", "gone"])
def test_what_is_damaged_is_done_again(damage: str, tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    with WorkFolder(target, JOB) as work:
        fill(work, 3)
        second, journal = work.groups[1].path, work.path / "job.json"
    data = second.read_bytes()
    if damage == "cut":
        second.write_bytes(data[:-1])
    elif damage == "flip":
        second.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    elif damage == "empty":
        second.write_bytes(b"")
    elif damage == "journal":
        journal.write_bytes(journal.read_bytes()[:-1])
    else:
        second.unlink()
    with WorkFolder(target, JOB) as work:
        assert len(work.groups) == (0 if damage == "journal" else 1)
        left = {path.name for path in work.path.iterdir()}
        assert left == {"job.json", "lock"} | ({"000000.group"} if damage != "journal" else set())


def test_an_unfinished_group_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[bytes, Packet]]:
        yield b"", PACKETS[0]
        raise KeyboardInterrupt

    target = tmp_path / "a.mp4"
    with pytest.raises(KeyboardInterrupt), WorkFolder(target, JOB) as work:
        work.add(broken(), [1], lambda: ())
    assert list(tmp_path.iterdir()) == []  # no group is finished: the folder goes too
    with pytest.raises(KeyboardInterrupt), WorkFolder(target, JOB) as work:
        fill(work, 1)
        work.add(broken(), [1], lambda: ())
    assert sorted(path.name for path in work_folder_of(target).iterdir()) == ["000000.group", "job.json", "lock"]


def test_a_full_disk_is_told_and_what_is_finished_stays(tmp_path: Path) -> None:
    def full() -> Iterator[tuple[bytes, Packet]]:
        yield b"", PACKETS[0]
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "a.mp4"
    with pytest.raises(OutputError, match=r"a\.mp4.*disk is full.*next run"), WorkFolder(target, JOB) as work:
        fill(work, 1)
        work.add(full(), [1], lambda: ())
    assert not target.exists()
    with WorkFolder(target, JOB) as work:
        assert len(work.groups) == 1


def test_one_process_at_a_time(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    code = (
        "import sys, json; from pathlib import Path; from superres.formats.video_store import WorkFolder\n"
        "with WorkFolder(Path(sys.argv[1]), json.loads(sys.argv[2])):\n    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(target), json.dumps(JOB)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match="another run"):
            WorkFolder(target, JOB)
        other.communicate()
    WorkFolder(target, JOB).__exit__()


def test_the_folder_is_hidden_beside_the_target_whatever_its_name(tmp_path: Path) -> None:
    target = tmp_path / ("ä" * 120 + ".mp4")
    folder = work_folder_of(target)
    assert folder.parent == tmp_path
    assert folder.name.startswith(".")
    assert len(folder.name.encode()) <= 255
    with WorkFolder(target, JOB):
        assert folder.is_dir()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / ".a.mp4.superres").write_bytes(b"")
    with pytest.raises(OutputError, match="working folder"):
        WorkFolder(tmp_path / "a.mp4", JOB)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no reason to fail
@given(
    st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=8), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_decoding_times_are_in_order_and_never_late(gaps: list[list[int]], random: object) -> None:
    """For every way in which encoders reorder pictures within a group, over any variable rate."""
    groups, time = [], 0
    for group in gaps:
        shown = []
        for gap in group:
            time += gap
            shown.append(time)
        rest = shown[1:]
        random.shuffle(rest)  # type: ignore[attr-defined]
        pts = (shown[0], *rest)
        groups.append(Group(Path(), b"", pts, (0,) * len(pts), (True,) * len(pts), 0, ()))
    times = decoding_times(groups, 7)
    assert len(times) == sum(len(group.pts) for group in groups)
    assert all(a < b for a, b in itertools.pairwise(times))
    assert all(dts <= pts for dts, pts in zip(times, (p for g in groups for p in g.pts), strict=True))
