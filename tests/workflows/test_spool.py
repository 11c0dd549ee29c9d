from __future__ import annotations

from pathlib import Path

import pytest

from superres.errors import OutputError
from superres.workflows.spool import Spool

KEY, OTHER = b"k" * 32, b"o" * 32
RECORDS = [b"first", b"", b"x" * 1000, b"last"]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "spool"
    with Spool(path, KEY) as spool:
        for record in RECORDS:
            spool.append(record)
        assert list(spool) == RECORDS and len(spool) == 4
    return path


def contents(path: Path, key: bytes = KEY) -> list[bytes]:
    with Spool(path, key) as spool:
        return list(spool)


def test_records_are_found_again_and_added_to(filled: Path) -> None:
    with Spool(filled, KEY) as spool:
        spool.append(b"more")
        assert list(spool) == [*RECORDS, b"more"]
    assert contents(filled) == [*RECORDS, b"more"]


def test_another_job_begins_anew(filled: Path) -> None:
    assert contents(filled, OTHER) == []
    assert contents(filled) == []


def test_cut_anywhere_whole_records_remain(filled: Path) -> None:
    whole = filled.read_bytes()
    seen = set()
    for end in range(len(whole)):
        filled.write_bytes(whole[:end])
        found = contents(filled)
        assert found == RECORDS[: len(found)]
        seen.add(len(found))
        with Spool(filled, KEY) as spool:  # it can be gone on with
            spool.append(b"next")
        assert contents(filled) == [*RECORDS[: len(found)], b"next"]
    assert seen == {0, 1, 2, 3}


def test_a_record_that_changed_is_cut_off_with_all_after_it(filled: Path) -> None:
    data = bytearray(filled.read_bytes())
    data[data.index(b"xxx") + 500] ^= 1
    filled.write_bytes(data)
    assert contents(filled) == RECORDS[:2]


def test_a_record_that_changes_under_way_is_noticed(filled: Path) -> None:
    with Spool(filled, KEY) as spool:
        data = bytearray(filled.read_bytes())
        data[data.index(b"xxx") + 500] ^= 1
        filled.write_bytes(data)
        with pytest.raises(OutputError, match="is damaged"):
            list(spool)


def test_only_one_at_a_time(filled: Path) -> None:
    with Spool(filled, KEY), pytest.raises(OutputError, match="another process"):
        Spool(filled, KEY)
    assert contents(filled) == RECORDS


def test_removed(filled: Path) -> None:
    with Spool(filled, KEY) as spool:
        spool.remove()
    assert not filled.exists()


def test_no_room_for_it(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        Spool(tmp_path / "missing" / "spool", KEY)
